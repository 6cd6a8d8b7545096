import * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { type ContainerOptions, nodeArgs, nodeOptions } from "./lib/container";

/** Arguments of {@link Worker}. */
export interface WorkerArgs {
  /** Name of the cluster. A change replaces the container. */
  cluster: string;
  /** The cluster's fingerprint. A change replaces the container. */
  owner: pulumi.Input<string>;
  /** Name of the worker, part of its engines' idents. A change replaces the container. */
  worker: string;
  /** Id of the image. A change replaces the container. */
  image: pulumi.Input<string>;
  /** Docker network that the container joins. A change replaces the container. */
  network: pulumi.Input<string>;
  /** Address of the host that the SSH port is published on. A change replaces the container. */
  bind: string;
  /** SSH port on the host, 1 to 65535. A change replaces the container. */
  sshPort: number;
  /** Private SSH host key of the container. A change replaces the container. */
  hostKey: pulumi.Input<string>;
  /** Public SSH key of who may log in. A change replaces the container. */
  authorizedKey: pulumi.Input<string>;
  /**
   * What the container may use. Another amount of memory, CPU set or restart policy is set in place;
   * any other change replaces the container.
   */
  options?: ContainerOptions;
  /** What has to be there before. */
  after?: pulumi.Resource[];
  /** Why the container is to be replaced though nothing else changed. */
  repair?: string;
}

/** One container with an SSH server, in which engines can be started. */
export class Worker extends pulumi.ComponentResource {
  /** Id of the container; another one means that nothing of the former is left. */
  public readonly containerId: pulumi.Output<string>;

  constructor(name: string, args: WorkerArgs, opts?: pulumi.ComponentResourceOptions) {
    super("ipyparallel:index:Worker", name, {}, opts);
    const container = new docker.Container(
      `${name}-container`,
      { ...nodeArgs({ ...args, part: args.worker, role: "worker" }) },
      {
        parent: this,
        dependsOn: args.after,
        ...nodeOptions(args),
      },
    );
    this.containerId = container.id;
    this.registerOutputs();
  }
}
