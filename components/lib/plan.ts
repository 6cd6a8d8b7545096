import { isIPv6 } from "node:net";

import type { ClusterArgs } from "../cluster";
import type { ImageArgs } from "../workerImage";
import type { ContainerOptions } from "./container";
import { type Host, type HostArgs, isLoopback, resolveHost } from "./hosts";
import { Mistake } from "./mistake";
import { CONTROLLER } from "./names";
import { type PortRule, portRules } from "./portPlan";
import { DEFAULT_PYTHON, isSupportedPython, PYTHONS } from "./python";
import { type ControllerPorts, controllerPorts, defaultBasePort, workerSshPorts } from "./ports";

/** The host that is there when a cluster names none. */
export const DEFAULT_HOSTS: Record<string, HostArgs> = {
  local: { docker: "unix:///var/run/docker.sock" },
};

/** Name of the image of workers that name none, and of the controller. */
export const DEFAULT_IMAGE = "default";

/**
 * The host that the controller runs on where a cluster names none: the first by name.
 *
 * The order in which hosts are written says nothing, since Pulumi hands maps on sorted by name.
 */
export function defaultControllerHost(hosts: string[]): string | undefined {
  return [...hosts].sort()[0];
}

/** A worker with everything decided. */
export interface PlannedWorker {
  name: string;
  host: string;
  engines: number;
  image: string;
  sshPort: number;
  /** The controller's address, as the engines of this worker dial it. */
  controllerAddress: string;
  options: ContainerOptions;
}

/** A cluster with everything decided. */
export interface ClusterPlan {
  name: string;
  profile: string;
  keyGeneration: number;
  heartbeatPeriod: number;
  heartbeatTimeout: number;
  controllerMemoryMiB: number;
  timeout: number;
  controllerHost: string;
  ports: ControllerPorts;
  /** Whether there are engines on other hosts than the controller's. */
  spread: boolean;
  /** Whether clients and engines on other hosts dial the controller by IPv6. */
  dialsIpv6: boolean;
  workers: PlannedWorker[];
  /** Python of images that name none. */
  python: string;
  /** Images by name, each with its Python, and the base that the cluster has for it. */
  images: Record<string, ImageArgs & { python: string }>;
  portRules: PortRule[];
  /** Names of all hosts. */
  hosts: string[];
  /** Names of the hosts that something runs on, the controller's first. */
  hostsInUse: string[];
  /** A host by its name. */
  host: (name: string) => Host;
  /** Whether a host is abandoned or can't be reached, so that nothing on it is touched. */
  leftAlone: (host: string) => boolean;
}

/**
 * Decides everything that a cluster's arguments leave open.
 *
 * @throws if a name stands for nothing, or if workers can't reach the controller.
 */
export function planCluster(name: string, args: ClusterArgs): ClusterPlan {
  const hosts = new Map(
    Object.entries(args.hosts ?? DEFAULT_HOSTS).map(([key, host]) => [key, resolveHost(host)]),
  );
  const host = (key: string) => lookUp(hosts, key, "host");
  const controllerHost = args.controllerHost ?? defaultControllerHost([...hosts.keys()]);
  if (controllerHost === undefined) {
    throw new Mistake("hosts: is empty; at least one is needed");
  }
  const controllerAddress = host(controllerHost).address;
  const usual = args.python ?? DEFAULT_PYTHON;
  const images = new Map(
    Object.entries<ImageArgs>({ [DEFAULT_IMAGE]: {}, ...args.images }).map(([image, given]) => {
      const { python = usual, base = python === usual ? args.baseImage : undefined } = given;
      return [image, { ...given, python, base }];
    }),
  );
  for (const [image, { python }] of images) {
    if (!isSupportedPython(python)) {
      throw new Mistake(`image ${image}: python ${python} is not one of ${PYTHONS.join(", ")}`);
    }
  }
  const ports = controllerPorts(args.basePort ?? defaultBasePort(name));

  const declared = args.workers.map((worker) => ({
    ...worker,
    host: worker.host ?? controllerHost,
  }));
  const sshPorts = workerSshPorts(name, declared, {
    [controllerHost]: [...ports.engine, ...ports.client, ...ports.internal, ports.ssh],
  });
  const workers = declared.map((worker): PlannedWorker => {
    const { name: workerName, host: workerHost, engines, image, sshPort: _, ...options } = worker;
    const imageName = image ?? DEFAULT_IMAGE;
    lookUp(images, imageName, "image");
    const { memoryMiB, tmpSizeMiB } = options;
    if (memoryMiB !== undefined && tmpSizeMiB !== undefined && tmpSizeMiB >= memoryMiB) {
      throw new Mistake(
        `worker ${workerName}: tmpSize must be less than memory, of which it is a part (got ` +
          `${String(tmpSizeMiB)}MiB of ${String(memoryMiB)}MiB); lower it, or raise memory`,
      );
    }
    const near = workerHost === controllerHost;
    if (!near && isLoopback(controllerAddress)) {
      throw new Mistake(
        `worker ${workerName} on host ${workerHost} can't reach the controller at ` +
          `${controllerAddress}: give host ${controllerHost} an address that other machines reach`,
      );
    }
    return {
      name: workerName,
      host: workerHost,
      engines: engines ?? 1,
      image: imageName,
      sshPort: sshPorts.get(workerName) as number,
      controllerAddress: near ? CONTROLLER : controllerAddress,
      options,
    };
  });

  const engines = workers.reduce((sum, worker) => sum + worker.engines, 0);
  if ((args.minReady ?? 0) > engines) {
    throw new Mistake(
      `minReady: ${String(args.minReady)} is given; at most ${String(engines)}, the number of ` +
        "engines, is allowed",
    );
  }

  const spread = workers.some((worker) => worker.host !== controllerHost);
  return {
    name,
    profile: args.profile ?? name,
    keyGeneration: args.keyGeneration ?? 0,
    heartbeatPeriod: args.heartbeatPeriod ?? 250,
    heartbeatTimeout: args.heartbeatTimeout ?? 10,
    controllerMemoryMiB: args.controllerMemoryMiB ?? 2048,
    timeout: args.timeout ?? 60,
    controllerHost,
    ports,
    spread,
    dialsIpv6: isIPv6(controllerAddress),
    workers,
    python: usual,
    images: Object.fromEntries(images),
    portRules: portRules({ controllerHost, ports, workers, host }),
    hosts: [...hosts.keys()],
    hostsInUse: [...new Set([controllerHost, ...workers.map((worker) => worker.host)])],
    host,
    leftAlone: (key) =>
      host(key).abandoned === true || args.unreachableHosts?.includes(key) === true,
  };
}

function lookUp<T>(map: Map<string, T>, key: string, kind: string): T {
  const found = map.get(key);
  if (found === undefined) {
    throw new Mistake(`${kind} ${key} is not one of ${[...map.keys()].join(", ")}`);
  }
  return found;
}
