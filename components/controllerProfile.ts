import { relative } from "node:path";

import * as command from "@pulumi/command";
import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { ANY_ADDRESS, clientFile, engineFile } from "./lib/connectionFiles";
import { nodeArgs, nodeOptions } from "./lib/container";
import { controllerConfig } from "./lib/controllerConfig";
import type { KeySet } from "./lib/keys";
import { CONTROLLER } from "./lib/names";
import type { ControllerPorts } from "./lib/ports";
import { quote } from "./lib/quote";
import { repairable } from "./lib/repair";
import { sshConnection, type SshTarget } from "./lib/ssh";

/** Arguments of {@link ControllerProfile}. */
export interface ControllerProfileArgs {
  /** Name of the cluster. A change replaces the container. */
  cluster: string;
  /** Name of the IPython profile on the user's machine. A change moves the client file. */
  profile: string;
  /** The cluster's fingerprint, which marks container and profile as its own. */
  owner: pulumi.Input<string>;
  /** Id of the image. A change replaces the container. */
  image: pulumi.Input<string>;
  /** Docker network that the container joins. A change replaces the container. */
  network: pulumi.Input<string>;
  /** Address at which clients reach the controller's host. A change rewrites the profile. */
  address: string;
  /** Address of the host that ports are published on. A change replaces the container. */
  bind: string;
  /** All ports. A change replaces the container and restarts all engines. */
  ports: ControllerPorts;
  /** Whether engines on other hosts need the engine ports published. */
  publishEnginePorts: boolean;
  /** The cluster's keys. A change restarts ipcontroller and all engines. */
  keys: pulumi.Input<KeySet>;
  /** Private SSH host key of the container. A change replaces the container. */
  hostKey: pulumi.Input<string>;
  /** Milliseconds between two heartbeats. A change restarts ipcontroller and all engines. */
  heartbeatPeriod: number;
  /** Seconds without a heartbeat after which an engine counts as lost. A change likewise. */
  heartbeatTimeout: number;
  /** Memory of the container, in MiB, which ipcontroller divides. A change likewise. */
  memoryMiB: number;
  /** The controller's SSH server. */
  ssh: SshTarget;
  /** Seconds until a controller that does not answer is an error. */
  timeout: number;
  /** Why the container is to be replaced though nothing else changed. */
  containerRepair?: string;
  /** Why ipcontroller is to be set up again though nothing else changed. */
  repair?: string;
  /** Why the profile on this machine is to be written again. */
  profileRepair?: string;
}

const PROFILE_SCRIPT = relative(process.cwd(), require.resolve("./scripts/client-profile.cjs"));

/** ipcontroller with its profile in a container, and the profile on the user's machine. */
export class ControllerProfile extends pulumi.ComponentResource {
  /** When it is there, ipcontroller answers; another `stdout` means that it was set up anew. */
  public readonly setUp: command.remote.Command;

  constructor(name: string, args: ControllerProfileArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:ControllerProfile", name, {}, opts);
    const keys = pulumi.secret(args.keys);
    const secrets = keys.apply(({ hmac, curve }) => ({ hmac, curveServerKey: curve.public }));

    const published = [
      ...(args.publishEnginePorts ? args.ports.engine : args.ports.engine.slice(0, 1)),
      ...args.ports.client,
    ];
    const node = nodeArgs({
      cluster: args.cluster,
      owner: args.owner,
      part: CONTROLLER,
      role: "controller",
      image: args.image,
      network: args.network,
      bind: args.bind,
      sshPort: args.ports.ssh,
      hostKey: args.hostKey,
      authorizedKey: keys.client.public,
      ports: published.map((port) => ({ internal: port, external: port })),
      options: { memoryMiB: args.memoryMiB },
      repair: args.containerRepair,
    });
    const container = new docker.Container(`${name}-container`, node, {
      parent: this,
      ...nodeOptions({ repair: args.containerRepair }),
    });

    this.setUp = new command.remote.Command(
      `${name}-setup`,
      {
        connection: sshConnection(args.ssh),
        create: quote("ippctl", "controller", "--timeout", String(args.timeout)),
        stdin: pulumi.all([keys, secrets]).apply(([{ curve }, secret]) =>
          JSON.stringify({
            config: controllerConfig({ ...args, severalHosts: args.publishEnginePorts }),
            engine: engineFile(ANY_ADDRESS, args.ports, secret),
            client: clientFile(ANY_ADDRESS, args.ports, secret),
            curve,
          }),
        ),
        triggers: [container.id, args.repair ?? ""],
        addPreviousOutputInEnv: false,
        logging: "stderr",
      },
      { parent: this, ...repairable("triggers[1]", args.repair) },
    );

    new command.local.Command(
      `${name}-client`,
      {
        create: quote("node", PROFILE_SCRIPT, "write", args.profile),
        delete: quote("node", PROFILE_SCRIPT, "remove", args.profile),
        stdin: pulumi.all([secrets, args.owner]).apply(([secret, owner]) =>
          JSON.stringify({
            cluster: args.cluster,
            owner,
            client: clientFile(args.address, args.ports, secret),
          }),
        ),
        triggers: [args.profile],
        ...(args.profileRepair === undefined
          ? {}
          : { environment: { IPP_REPAIR: args.profileRepair } }),
        addPreviousOutputInEnv: false,
        logging: "stderr",
      },
      { parent: this, ...repairable("environment", args.profileRepair) },
    );
    this.registerOutputs();
  }
}
