import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { fingerprint } from "./lib/keys";

/** The seed that every key of a cluster derives from: made once, kept in the state as a secret. */
export class Keys extends pulumi.ComponentResource {
  /** 32 random bytes, Base64 encoded; see `deriveKeys` for what is made of them. */
  public readonly seed: pulumi.Output<string>;
  /** The cluster's fingerprint, which marks as its own what it has on hosts; no secret. */
  public readonly owner: pulumi.Output<string>;

  constructor(name: string, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:Keys", name, {}, opts);
    const seed = new command.local.Command(
      `${name}-seed`,
      {
        create: "head -c 32 /dev/urandom | base64",
        // Whatever changes here later: the seed stays.
        update: 'printf %s "$PULUMI_COMMAND_STDOUT"',
        logging: "none",
      },
      { parent: this, additionalSecretOutputs: ["stdout", "stderr"] },
    );
    this.seed = pulumi.secret(seed.stdout);
    this.owner = pulumi.unsecret(this.seed.apply(fingerprint));
    // In plain text in the state, where tools find it that can't decrypt the seed.
    this.registerOutputs({ owner: this.owner });
  }
}
