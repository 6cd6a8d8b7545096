import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { quote } from "./lib/quote";
import { repairable } from "./lib/repair";
import { sshConnection, type SshTarget } from "./lib/ssh";

/** Arguments of {@link Engines}. */
export interface EnginesArgs {
  /** The worker's SSH server. */
  ssh: SshTarget;
  /** Id of the worker's container; in another container the engines are started anew. */
  containerId: pulumi.Input<string>;
  /** Number of engines, at least 1. A change starts or ends just the difference. */
  count: number;
  /** Content of `ipcontroller-engine.json`. A change restarts the engines. */
  connectionFile: pulumi.Input<string>;
  /** Python modules that each engine must be able to import. */
  imports?: string[];
  /** Seconds until an engine that has not registered is an error. */
  timeout: number;
  /** What has to be there before. */
  after?: pulumi.Resource[];
  /** Why what runs is to be set up again though nothing else changed; see {@link repairable}. */
  repair?: string;
}

/** The engines of one worker: the engine file brought there, and as many engines as declared. */
export class Engines extends pulumi.ComponentResource {
  /** What runs, as JSON: worker, and slot, ident and process of each engine. */
  public readonly report: pulumi.Output<string>;

  constructor(name: string, args: EnginesArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:Engines", name, {}, opts);
    const words = ["ippctl", "engines", "--count", String(args.count)];
    words.push("--timeout", String(args.timeout));
    words.push(...(args.imports ?? []).flatMap((module) => ["--import", module]));
    const start = new command.remote.Command(
      `${name}-start`,
      {
        connection: sshConnection(args.ssh),
        create: quote(...words),
        stdin: pulumi.interpolate`{"connection": ${args.connectionFile}}`,
        triggers: [args.containerId, args.repair ?? ""],
        addPreviousOutputInEnv: false,
        logging: "stderr",
      },
      // Not of the component: Pulumi can't complete one that it has left out.
      { parent: this, dependsOn: args.after, ...repairable("triggers[1]", args.repair) },
    );
    this.report = start.stdout;
    this.registerOutputs();
  }
}
