import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";

import { quote } from "./lib/quote";
import { sshConnection, type SshTarget } from "./lib/ssh";

/** Arguments of {@link Readiness}. */
export interface ReadinessArgs {
  /** The controller's SSH server. */
  ssh: SshTarget;
  /** Number of engines of each worker. */
  workers: pulumi.Input<{ [name: string]: number }>;
  /**
   * Name of the image of each worker whose image is on other hosts as well. Images of one name are
   * built on each host; what they hold must be the same everywhere.
   */
  images: pulumi.Input<{ [worker: string]: string }>;
  /** Minor version of Python of each worker. Defaults to the controller's. */
  pythons?: pulumi.Input<{ [worker: string]: string } | undefined>;
  /** What the check has to follow: it is made again whenever one of these changes. */
  after: pulumi.Input<string>[];
  /** Number of engines that are enough once `timeout` is over. Defaults to all. */
  minReady?: number;
  /** Seconds until an engine that does not answer is an error. */
  timeout: number;
}

/** One engine, as the controller sees it and as it says of itself. */
export interface EngineInfo {
  /** Its number in `Client.ids`. */
  id: number;
  /** `<worker>-<slot>-<incarnation>`; an engine that was started anew has another one. */
  ident: string;
  /** Name of its worker. */
  worker: string;
  /** Which of the worker's engines it is, from 1. */
  slot: number;
  /** Name of the host. */
  host: string;
  /** Version of Python. */
  python: string;
  /** Version of ipyparallel. */
  ipyparallel: string;
}

/** The check that every declared engine has registered with the controller and answers. */
export class Readiness extends pulumi.ComponentResource {
  /** The engines that answered, in the order of their ids. */
  public readonly engines: pulumi.Output<EngineInfo[]>;

  constructor(name: string, args: ReadinessArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:Readiness", name, {}, opts);
    const check = new command.remote.Command(
      `${name}-check`,
      {
        connection: sshConnection(args.ssh),
        create: quote("ippctl", "ready", "--timeout", String(args.timeout)),
        stdin: pulumi.jsonStringify({
          workers: args.workers,
          images: args.images,
          pythons: args.pythons,
          minReady: args.minReady,
        }),
        triggers: args.after,
        addPreviousOutputInEnv: false,
        logging: "stderr",
      },
      { parent: this },
    );
    this.engines = check.stdout.apply(
      (text) => (JSON.parse(text) as { engines: EngineInfo[] }).engines,
    );
    this.registerOutputs();
  }
}
