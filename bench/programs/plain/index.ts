import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

const count = new pulumi.Config("bench").requireNumber("count");
for (let index = 0; index < count; index += 1) {
  new command.local.Command(`plain-${String(index)}`, { create: "true" });
}
