import type * as docker from "@pulumi/docker";
import * as pulumi from "@pulumi/pulumi";

import { CONTAINER_USER, dockerLabels, dockerName, OWNER_LABEL } from "./names";
import { SSH_PORT_IN_CONTAINER } from "./ports";
import { repairable } from "./repair";

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
  /** The cluster's fingerprint. */
  owner: pulumi.Input<string>;
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
  /** The container's private SSH host key, with the end of its last line. */
  hostKey: pulumi.Input<string>;
  /** Public key of who may log in. */
  authorizedKey: pulumi.Input<string>;
  /** Ports to publish besides SSH. */
  ports?: PublishedPort[];
  /** What the container may use, and what it sees of its host. */
  options?: ContainerOptions;
  /** Why the container is to be replaced though nothing else changed. */
  repair?: string;
}

/** Path of the input that holds {@link NodeSettings.repair}. */
const REPAIR_INPUT = "labels[2].value";

/**
 * Inputs that Docker's daemon fills in where it has defaults of its own (`log-opts`,
 * `default-ulimits` and the like in daemon.json). What a container has of them is no change; what
 * is declared of them is in the label `ipyparallel.settings` as well, so that a change of that is.
 */
const DAEMON_DEFAULTS = ["dns", "dnsOpts", "dnsSearches", "logDriver", "logOpts", "ulimits"];

/** A folder of the host, or a volume of the cluster, in a container. */
export interface MountArgs {
  /** Absolute path in the container, such as `/data/scratch`. Engines can write to volumes. */
  target: string;
  /** Absolute path of a folder on the host; it must exist there. Defaults to none. */
  source?: string;
  /**
   * Name of a volume of the cluster, which all workers of a host share; a worker can have 16. It
   * is made when it is first named and removed with the last worker that names it. Defaults to
   * none: either this or `source` is given.
   */
  volume?: string;
  /** Whether engines can only read it. Defaults to false. */
  readOnly?: boolean;
}

/** A limit on what each process of a container may use; see `setrlimit(2)`. */
export interface UlimitArgs {
  /** Name, such as `nofile`. */
  name: string;
  /** What counts at first; -1 for no limit. */
  soft: number;
  /** What a process may raise it to; -1 for no limit. */
  hard: number;
}

/** What a container may use, and what it sees of its host. */
export interface ContainerOptions {
  /** Environment variables of the engines; what is secret stays so in Pulumi's state. */
  env?: { [name: string]: pulumi.Input<string> };
  /** Memory in MiB, at least 64; there is no swap on top of it. */
  memoryMiB?: number;
  /** Number of CPUs' worth of time, such as 1.5. */
  cpus?: number;
  /** CPUs to run on, such as `0-3,8`. */
  cpuSet?: string;
  /** GPUs to use: `all`. */
  gpus?: string;
  /** Size of `/dev/shm` in MiB. */
  shmSizeMiB?: number;
  /** Size of `/tmp` in MiB, which is memory of the container. */
  tmpSizeMiB?: number;
  /** Limits of processes. */
  ulimits?: UlimitArgs[];
  /** Folders of the host and volumes. */
  mounts?: MountArgs[];
  /** Threads of each engine's numerical libraries. */
  threads?: number;
  /** Docker's restart policy: `unless-stopped`, `always`, `on-failure` or `no`. */
  restart?: string;
  /** Labels of the container. */
  labels?: { [name: string]: string };
}

/** The variables by which numerical libraries learn how many threads to start. */
const THREAD_VARIABLES = [
  "OMP_NUM_THREADS",
  "OPENBLAS_NUM_THREADS",
  "MKL_NUM_THREADS",
  "NUMEXPR_NUM_THREADS",
];

/** A file system in memory. One without a size could take as much as half of the host's. */
const tmpfs = (mebibytes: number) => `rw,exec,nosuid,nodev,mode=1777,size=${String(mebibytes)}m`;

/** Size of `/run` in MiB: sockets, keys and the last lines of logs. */
const RUN_SIZE = 16;

/** Size of `/tmp` in MiB where none is declared: it leaves engines room in the container's memory. */
export function defaultTmpSize(memoryMiB = Infinity): number {
  return memoryMiB < 128 ? 32 : memoryMiB < 512 ? 64 : 256;
}

/** Microseconds in which a container may use its CPU time; `cpus` is a share of them. */
const CPU_PERIOD = 100_000;

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
  const options = node.options ?? {};
  const threads = options.threads === undefined ? undefined : String(options.threads);
  const env: Record<string, pulumi.Input<string>> = {
    ...(threads === undefined
      ? {}
      : Object.fromEntries(THREAD_VARIABLES.map((key) => [key, threads]))),
    ...options.env,
    IPP_ROLE: node.role,
    IPP_NAME: node.part,
  };
  const ports = [
    { internal: SSH_PORT_IN_CONTAINER, external: node.sshPort },
    ...(node.ports ?? []),
  ];
  return {
    name: dockerName(node.cluster, node.part),
    hostname: node.part,
    image: node.image,
    // Whatever a Dockerfile of the user's own ends with.
    user: CONTAINER_USER,
    restart: options.restart ?? "unless-stopped",
    envs: environment(env),
    labels: [
      ...dockerLabels(node.cluster, node.part),
      { label: "ipyparallel.repaired", value: node.repair ?? "" },
      { label: OWNER_LABEL, value: node.owner },
      { label: "ipyparallel.settings", value: settings(options) },
      ...Object.entries(options.labels ?? {}).map(([label, value]) => ({ label, value })),
    ],
    networkMode: "bridge",
    networksAdvanced: [{ name: node.network, aliases: [node.part] }],
    ports: ports
      .sort((a, b) => a.internal - b.internal)
      .map((port) => ({ ...port, ip: node.bind, protocol: "tcp" })),
    // One file, since Docker starts a process of its own to put one in, which takes as long as half
    // of a container's start. sshd reads each key from it: see docker/sshd_config.
    uploads: [
      {
        file: "/etc/ipp/keys",
        content: pulumi.interpolate`${node.hostKey}${node.authorizedKey}\n`,
      },
    ],
    tmpfs: { "/run": tmpfs(RUN_SIZE), "/tmp": tmpfs(tmpSize(options)) },
    capabilities: { drops: ["ALL"] },
    securityOpts: ["no-new-privileges"],
    // A container that was stopped by hand is to be told of, not removed by the next refresh.
    mustRun: false,
    removeVolumes: true,
    destroyGraceSeconds: STOP_SECONDS,
    ...limits(options),
    ...(options.mounts === undefined ? {} : { mounts: mountArgs(node.cluster, options.mounts) }),
  };
}

/** Options of the resource that {@link nodeArgs} are for. */
export function nodeOptions({
  options,
  repair,
}: Pick<NodeSettings, "options" | "repair">): pulumi.CustomResourceOptions {
  const hasSecrets = Object.values(options?.env ?? {}).some((value) =>
    pulumi.Output.isInstance(value),
  );
  return {
    deleteBeforeReplace: true,
    ignoreChanges: [...DAEMON_DEFAULTS, ...(repairable(REPAIR_INPUT, repair).ignoreChanges ?? [])],
    ...(hasSecrets ? { additionalSecretOutputs: ["envs"] } : {}),
  };
}

/**
 * The environment as Docker takes it. With one secret in it, all of it is one: the provider keeps
 * it as a set, and Pulumi could not tell which of its elements is which.
 */
function environment(env: Record<string, pulumi.Input<string>>): pulumi.Input<string[]> {
  const list = (values: Record<string, string>) =>
    Object.entries(values)
      .map(([key, value]) => `${key}=${value}`)
      .sort();
  return Object.values(env).every((value) => typeof value === "string")
    ? list(env as Record<string, string>)
    : pulumi.output(env).apply(list);
}

/**
 * What of a container's options Docker can't change while it is there, as a label, which replaces
 * it: left to themselves, some changes would be noted and not made (a mount, the size of `/tmp`,
 * the end of a limit), and others would not be seen (the end of `shmSize`).
 */
function settings({
  memoryMiB,
  cpus,
  cpuSet,
  shmSizeMiB,
  ulimits,
  mounts,
  ...others
}: ContainerOptions) {
  return JSON.stringify({
    memory: memoryMiB === undefined ? undefined : "limited",
    cpuSet: cpuSet === undefined ? undefined : "limited",
    cpus,
    shmSize: shmSizeMiB,
    tmpSize: tmpSize({ memoryMiB, ...others }),
    ulimits,
    mounts,
  });
}

function tmpSize({ tmpSizeMiB, memoryMiB }: ContainerOptions): number {
  return tmpSizeMiB ?? defaultTmpSize(memoryMiB);
}

/** Only what is set: an input that is there, though undefined, is a change to some providers. */
function limits(options: ContainerOptions): Partial<docker.ContainerArgs> {
  const given: Partial<docker.ContainerArgs> = {
    memory: options.memoryMiB,
    // Both at once: Docker refuses memory above what a container has of both together.
    memorySwap: options.memoryMiB,
    // Not `cpus`, a text that the provider reads back in another form, which replaces the container.
    cpuPeriod: options.cpus === undefined ? undefined : CPU_PERIOD,
    cpuQuota: options.cpus === undefined ? undefined : Math.round(options.cpus * CPU_PERIOD),
    cpuSet: options.cpuSet,
    gpus: options.gpus,
    shmSize: options.shmSizeMiB,
    ulimits: options.ulimits,
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

/** Most volumes of a worker: folders of the image that give them their owner. */
export const MOST_VOLUMES = 16;

/**
 * The mounts as Docker takes them. A new volume would belong to root where its target is no folder
 * of the image: so it is mounted, read-only, on one that belongs to the engines' user as well.
 */
function mountArgs(cluster: string, mounts: MountArgs[]): docker.types.input.ContainerMount[] {
  const volumes = [...new Set(mounts.map(({ volume }) => volume))].filter(
    (one) => one !== undefined,
  );
  const asVolume = (volume: string, target: string, readOnly: boolean) => ({
    type: "volume",
    source: dockerName(cluster, "volume", volume),
    target,
    readOnly,
  });
  return [
    ...mounts.map(({ source, volume, target, readOnly = false }) =>
      volume === undefined
        ? { type: "bind", source, target, readOnly }
        : asVolume(volume, target, readOnly),
    ),
    ...volumes.map((volume, index) =>
      asVolume(volume, `/var/lib/ipp/volumes/${String(index + 1)}`, true),
    ),
  ];
}
