import { createHash } from "node:crypto";

import { Mistake } from "./mistake";

/** Ports that ipcontroller listens on; see `ipyparallel/controller/app.py`, `init_hub`. */
export interface ControllerPorts {
  /** registration, control, mux, task, iopub, heartbeat ping and pong, two broadcast leaves. */
  engine: number[];
  /** control, mux, task, iopub, notification, broadcast. */
  client: number[];
  /** Two internal broadcast links and the monitor: never published. */
  internal: number[];
  /** The SSH server in the controller's container, as published on its host. */
  ssh: number;
}

const ENGINE_PORTS = 9;
const CLIENT_PORTS = 6;
const INTERNAL_PORTS = 3;

/** Ports in a row that one controller takes, its SSH port being the last. */
export const CONTROLLER_PORT_COUNT = ENGINE_PORTS + CLIENT_PORTS + INTERNAL_PORTS + 1;

/** Port of the SSH server inside every container. */
export const SSH_PORT_IN_CONTAINER = 2222;

/** Highest first port that leaves room for all of a controller's ports. */
export const MAX_BASE_PORT = 65535 - CONTROLLER_PORT_COUNT + 1;

// All derived ports lie under 32768, where Linux begins to hand out ephemeral ports.
const WORKER_RANGE = { first: 20000, count: 10000 };
const CONTROLLER_RANGE = { first: 30000, count: 2700 };

function hash(...parts: string[]): number {
  return createHash("sha256").update(parts.join("\0")).digest().readUInt32BE(0);
}

/**
 * First port of a cluster's controller where the stack names none. It derives from the cluster's
 * name, so that clusters side by side on one host do not meet (within a chance of about 1 in 142).
 */
export function defaultBasePort(cluster: string): number {
  const slots = Math.floor(CONTROLLER_RANGE.count / CONTROLLER_PORT_COUNT);
  return CONTROLLER_RANGE.first + (hash("controller", cluster) % slots) * CONTROLLER_PORT_COUNT;
}

/** A controller's ports: {@link CONTROLLER_PORT_COUNT} in a row from `base`. */
export function controllerPorts(base: number): ControllerPorts {
  const row = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
  return {
    engine: row(base, ENGINE_PORTS),
    client: row(base + ENGINE_PORTS, CLIENT_PORTS),
    internal: row(base + ENGINE_PORTS + CLIENT_PORTS, INTERNAL_PORTS),
    ssh: base + CONTROLLER_PORT_COUNT - 1,
  };
}

/** What the SSH port of a worker is chosen from. */
export interface PortRequest {
  /** The worker's name. */
  name: string;
  /** The host that the port is published on. */
  host: string;
  /** The port that the stack asks for; without one it is derived from the names. */
  sshPort?: number;
}

/**
 * The SSH port of each worker as published on its host.
 *
 * A port derives from the names of cluster and worker, so that neither adding nor removing a
 * worker moves another; where two workers of one host derive the same port, the later one in the
 * list takes the next that is free.
 *
 * @param taken ports of a host that are not to be had, by the host's name.
 * @throws if two workers of one host ask for the same port, or for a taken one.
 */
export function workerSshPorts(
  cluster: string,
  workers: PortRequest[],
  taken: Record<string, number[]> = {},
): Map<string, number> {
  const used = new Map<string, Map<number, string>>();
  const usedOn = (host: string) => {
    let ports = used.get(host);
    if (ports === undefined) {
      ports = new Map((taken[host] ?? []).map((port) => [port, "the controller"]));
      used.set(host, ports);
    }
    return ports;
  };
  const result = new Map<string, number>();
  for (const { name, host, sshPort } of workers) {
    if (sshPort !== undefined) {
      const owner = usedOn(host).get(sshPort);
      if (owner !== undefined) {
        throw new Mistake(
          `worker ${name}: sshPort ${String(sshPort)} on host ${host} is already that of ${owner}`,
        );
      }
      usedOn(host).set(sshPort, `worker ${name}`);
      result.set(name, sshPort);
    }
  }
  for (const { name, host, sshPort } of workers) {
    if (sshPort === undefined) {
      if (usedOn(host).size >= WORKER_RANGE.count) {
        throw new Mistake(
          `worker ${name}: host ${host} has no SSH port left for it; at most ` +
            `${String(WORKER_RANGE.count)} ports are there`,
        );
      }
      let offset = hash("worker", cluster, name) % WORKER_RANGE.count;
      while (usedOn(host).has(WORKER_RANGE.first + offset)) {
        offset = (offset + 1) % WORKER_RANGE.count;
      }
      usedOn(host).set(WORKER_RANGE.first + offset, `worker ${name}`);
      result.set(name, WORKER_RANGE.first + offset);
    }
  }
  return result;
}
