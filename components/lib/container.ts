import type * as docker from "@pulumi/docker";
import type * as pulumi from "@pulumi/pulumi";

import { dockerLabels, dockerName } from "./names";
import { SSH_PORT_IN_CONTAINER } from "./ports";

/** A port of a container that is published on its host. */
export interface PublishedPort {
  /** The port in the container. */
  internal: number;
  /** The port on the host. */
  external: number;
}

/** What every container of a cluster has, be it the controller's or a worker's. */
export interface NodeSettings {
  /** The cluster's name. */
  cluster: string;
  /** The worker's name, or `controller`. */
  part: string;
  role: "controller" | "worker";
  /** Id of the image. */
  image: pulumi.Input<string>;
  /** Name of the Docker network that the container joins. */
  network: pulumi.Input<string>;
  /** Address of the host that ports are published on. */
  bind: string;
  /** The published SSH port. */
  sshPort: number;
  /** The container's private SSH host key. */
  hostKey: pulumi.Input<string>;
  /** Public key of who may log in. */
  authorizedKey: pulumi.Input<string>;
  /** Ports to publish besides SSH. */
  ports?: PublishedPort[];
  /** Environment variables of the engines. */
  env?: Record<string, string>;
}

const TMPFS = "rw,exec,nosuid,nodev,mode=1777";

/** Seconds that a container has to end in order, before it is killed. */
const STOP_SECONDS = 10;

/**
 * The arguments that every container of a cluster shares: an unprivileged user without
 * capabilities, keys put in before the start, and a restart by Docker whenever it ends.
 *
 * Docker's read-only root is not set: Docker refuses to put files into a container that has it,
 * and the host key must be there before the first start. The user cannot write to the root file
 * system all the same, since all of it belongs to root.
 */
export function nodeArgs(node: NodeSettings): docker.ContainerArgs {
  const env = { ...node.env, IPP_ROLE: node.role, IPP_NAME: node.part };
  const ports = [{ internal: SSH_PORT_IN_CONTAINER, external: node.sshPort }, ...(node.ports ?? [])];
  return {
    name: dockerName(node.cluster, node.part),
    hostname: node.part,
    image: node.image,
    restart: "unless-stopped",
    envs: Object.entries(env)
      .map(([key, value]) => `${key}=${value}`)
      .sort(),
    labels: dockerLabels(node.cluster, node.part),
    networkMode: "bridge",
    networksAdvanced: [{ name: node.network, aliases: [node.part] }],
    ports: ports
      .sort((a, b) => a.internal - b.internal)
      .map((port) => ({ ...port, ip: node.bind, protocol: "tcp" })),
    uploads: [
      { file: "/etc/ipp/ssh_host_ed25519_key", content: node.hostKey },
      { file: "/etc/ipp/authorized_keys", content: node.authorizedKey },
    ],
    volumes: [{ containerPath: "/etc/ipp" }],
    tmpfs: { "/run": TMPFS, "/tmp": TMPFS },
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges"],
    removeVolumes: true,
    destroyGraceSeconds: STOP_SECONDS,
  };
}
