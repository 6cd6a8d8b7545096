// The OpenSSH client: Pulumi reaches Docker on other machines with it, and people the workers.
import { aptInstall, which } from "./shell.mjs";

export const ssh = {
  name: "ssh",
  needed: async () => (which("ssh") ? undefined : "installing the OpenSSH client"),
  run: (log) => aptInstall(["openssh-client"], log),
};
