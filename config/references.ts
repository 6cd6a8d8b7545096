import { isIP } from "node:net";
import { join, normalize } from "node:path";

import { MOST_VOLUMES } from "../components/lib/container";
import { isLoopback, resolveHost } from "../components/lib/hosts";
import { CONTROLLER } from "../components/lib/names";
import { DEFAULT_HOSTS, DEFAULT_IMAGE, defaultControllerHost } from "../components/lib/plan";
import { CONTROLLER_PORT_COUNT } from "../components/lib/ports";
import { mebibytes, SIZE_PATTERN } from "../components/lib/sizes";
import { isInteger, isRecord, list, record, show, suggestion } from "./words";

/** Least memory of a container, in MiB: an engine alone has about 60. */
const LEAST_MEMORY = 64;

/** Least memory of the controller, in MiB: at rest it has about 100, more with many engines. */
const MIN_CONTROLLER_MEMORY = 256;

/** Most memory that can be asked for, in MiB: more than Docker can count is surely a typing mistake. */
const MOST_MEMORY = 1024 ** 3;

/** Highest number of a CPU that Linux has names for. */
const HIGHEST_CPU = 8191;

/** Longest name of a worker in a group: with the group's name and a number it still is a name. */
const LONGEST_NAME = 40;

/**
 * What a schema alone cannot say of the value of `ipyparallel:cluster`: names that are used twice
 * or stand for nothing, keys that exclude each other.
 *
 * Parts that the schema refuses are passed over, since they are named already.
 *
 * @param exists whether there is a file, as seen from the program's folder.
 * @returns the mistakes.
 */
export function checkReferences(value: unknown, exists: (path: string) => boolean): string[] {
  const mistakes: string[] = [];
  const cluster = record(value);
  const hosts = record(cluster.hosts ?? DEFAULT_HOSTS);
  const hostNames = Object.keys(hosts);
  const imageNames = [...new Set([DEFAULT_IMAGE, ...Object.keys(record(cluster.images))])];

  function known(path: string, name: unknown, kind: string, names: string[]) {
    if (typeof name === "string" && !names.includes(name)) {
      const near = suggestion(name, names);
      mistakes.push(
        `${path}: ${show(name)} is not one of the ${kind}s${near}; allowed are ${names.join(", ")}`,
      );
    }
  }

  function checkSize(path: string, size: unknown, least: number) {
    if (typeof size !== "string" || !SIZE_PATTERN.test(size)) {
      return;
    }
    try {
      if (mebibytes(size) < least) {
        mistakes.push(
          `${path}: ${show(size)} is too little; at least ${String(least)}MiB is needed`,
        );
      } else if (mebibytes(size) > MOST_MEMORY) {
        mistakes.push(`${path}: ${show(size)} is too much; at most 1048576GiB is allowed`);
      }
    } catch {
      mistakes.push(`${path}: ${show(size)} is not a whole number of MiB`);
    }
  }

  function checkOptions(path: string, given: unknown) {
    const options = record(given);
    known(`${path}.host`, options.host, "host", hostNames);
    known(`${path}.image`, options.image, "image", imageNames);
    checkSize(`${path}.memory`, options.memory, LEAST_MEMORY);
    checkSize(`${path}.shmSize`, options.shmSize, 1);
    checkSize(`${path}.tmpSize`, options.tmpSize, 1);
    if (typeof options.cpuset === "string") {
      for (const [range, from, to = from] of options.cpuset.matchAll(/(\d+)(?:-(\d+))?/g)) {
        if (Number(to) < Number(from)) {
          mistakes.push(
            `${path}.cpuset: ${show(options.cpuset)} has a range that ends before it begins, ${range}`,
          );
        } else if (Number(to) > HIGHEST_CPU) {
          mistakes.push(
            `${path}.cpuset: ${show(options.cpuset)} names a CPU above ${String(HIGHEST_CPU)}`,
          );
        }
      }
    }
    for (const label of Object.keys(record(options.labels))) {
      if (label.startsWith("ipyparallel.")) {
        mistakes.push(`${path}.labels.${label}: is set by the cluster itself; choose another name`);
      }
    }
    for (const name of Object.keys(record(options.env))) {
      if (name === "IPP_ROLE" || name === "IPP_NAME") {
        mistakes.push(`${path}.env.${name}: is set by the cluster itself; choose another name`);
      }
    }
    for (const [name, limit] of Object.entries(record(options.ulimits))) {
      const { soft, hard } = record(limit);
      if (isInteger(soft) && isInteger(hard) && hard !== -1) {
        if (soft === -1 || soft > hard) {
          mistakes.push(
            `${path}.ulimits.${name}: soft is above hard; at most ${String(hard)} is allowed`,
          );
        }
      }
    }
    const targets = new Set<unknown>();
    const volumes = new Set(list(options.mounts).map((mount) => record(mount).volume));
    volumes.delete(undefined);
    if (volumes.size > MOST_VOLUMES) {
      mistakes.push(
        `${path}.mounts: names ${String(volumes.size)} volumes; at most ${String(MOST_VOLUMES)} are allowed`,
      );
    }
    list(options.mounts).forEach((mount, index) => {
      const { source, volume, target } = record(mount);
      const at = `${path}.mounts[${String(index)}]`;
      if (isRecord(mount) && (source === undefined) === (volume === undefined)) {
        mistakes.push(`${at}: either source, a folder of the host, or volume is needed, not both`);
      }
      if (typeof target === "string" && isOwn(target)) {
        mistakes.push(
          `${at}.target: ${show(target)} is used by the cluster itself; choose another path, ` +
            "such as /data",
        );
      }
      const place = typeof target === "string" ? normalize(`${target}/`) : target;
      if (targets.has(place)) {
        mistakes.push(`${at}.target: ${show(target)} is mounted twice`);
      }
      targets.add(place);
    });
  }

  const machines = new Map<string, string>();
  for (const [name, settings] of Object.entries(record(cluster.hosts))) {
    const { docker, ...others } = record(settings);
    if (typeof docker === "string" && others.abandoned !== true) {
      // Behind another bastion the same address is another machine.
      const { host: bastion, port = 22 } = record(others.bastion);
      const machine = JSON.stringify([docker, bastion, port]);
      const other = machines.get(machine);
      if (other !== undefined) {
        mistakes.push(
          `hosts.${name}.docker: ${show(docker)} is already that of host ${other}; a machine has one name`,
        );
      }
      machines.set(machine, name);
    }
    if (typeof docker === "string" && docker.startsWith("unix:")) {
      for (const key of ["bastion", "hostKey", "identityFile"].filter((one) => one in others)) {
        mistakes.push(`hosts.${name}.${key}: is for ssh:// endpoints; leave it out for ${docker}`);
      }
    }
  }
  if (isRecord(cluster.hosts ?? {}) && hostNames.length === 0) {
    mistakes.push("hosts: is empty; leave it out for this machine's Docker, or name a host");
  }
  const { heartbeatPeriod: period, heartbeatTimeout: timeout = 10 } = record(cluster.controller);
  if (isInteger(period) && isInteger(timeout)) {
    const inRange = period >= 50 && period <= 10_000 && timeout >= 2;
    if (inRange && timeout * 1000 < 2 * period) {
      mistakes.push(
        `controller.heartbeatTimeout: ${String(timeout)} s is shorter than two heartbeats of ` +
          `${String(period)} ms; at least ${String((2 * period) / 1000)} is needed`,
      );
    }
  }
  checkSize("controller.memory", record(cluster.controller).memory, MIN_CONTROLLER_MEMORY);
  known("controller.host", record(cluster.controller).host, "host", hostNames);
  const controllerHost = record(cluster.controller).host ?? defaultControllerHost(hostNames);
  if (typeof controllerHost === "string" && record(hosts[controllerHost]).abandoned === true) {
    mistakes.push(
      `hosts.${controllerHost}.abandoned: the controller runs there; give it another host first`,
    );
  }
  for (const [name, image] of Object.entries(record(cluster.images))) {
    const { reference, python: _, ...built } = record(image);
    const { context } = built;
    if (typeof context === "string" && context !== "" && !exists(join(context, "Dockerfile"))) {
      mistakes.push(`images.${name}.context: ${show(context)} has no Dockerfile`);
    }
    if (reference !== undefined && Object.keys(built).length > 0) {
      mistakes.push(
        `images.${name}: reference stands for a ready image, which can't have ` +
          Object.keys(built).join(", "),
      );
    }
  }
  checkOptions("defaults", cluster.defaults);

  const away: { path: string; worker: string; host: string }[] = [];
  const owners = new Map<string, string>();
  const ports = new Map<string, string>();
  list(cluster.workers).forEach((item, index) => {
    const path = `workers[${String(index)}]`;
    const { name, count, overrides, sshPort, ...options } = record(item);
    checkOptions(path, options);
    if (typeof name !== "string") {
      return;
    }
    const size = isInteger(count) && count >= 1 && count <= 10000 ? count : undefined;
    if (size !== undefined && `${name}-${String(size)}`.length > LONGEST_NAME) {
      mistakes.push(
        `${path}.name: ${show(`${name}-${String(size)}`)} is longer than ${String(LONGEST_NAME)}`,
      );
    }
    if (size !== undefined && size > 1 && sshPort !== undefined) {
      mistakes.push(
        `${path}.sshPort: is one port for ${String(size)} workers; set it in overrides`,
      );
    }
    const names =
      size === undefined
        ? [name]
        : Array.from({ length: size }, (_, n) => `${name}-${String(n + 1)}`);
    for (const worker of names) {
      const owner = owners.get(worker);
      if (owner !== undefined) {
        mistakes.push(`${path}.name: ${show(worker)} is already the name of a worker in ${owner}`);
      }
      owners.set(worker, owner ?? path);
      if (worker === CONTROLLER) {
        mistakes.push(`${path}.name: ${show(CONTROLLER)} is the controller's own name`);
      }
      const own = record(record(overrides)[worker]);
      const port = own.sshPort ?? (size === undefined ? sshPort : undefined);
      const host = own.host ?? options.host ?? record(cluster.defaults).host ?? controllerHost;
      if (isInteger(port) && typeof host === "string") {
        const other = ports.get(`${host} ${String(port)}`);
        if (other !== undefined) {
          mistakes.push(
            `${path}: sshPort ${String(port)} of ${worker} is already that of ${other} on host ${host}`,
          );
        }
        ports.set(`${host} ${String(port)}`, worker);
        const { basePort } = record(cluster.controller);
        if (isInteger(basePort) && host === controllerHost) {
          const last = basePort + CONTROLLER_PORT_COUNT - 1;
          if (port >= basePort && port <= last) {
            mistakes.push(
              `${path}: sshPort ${String(port)} of ${worker} is one of the controller's, ` +
                `${String(basePort)} to ${String(last)}, on host ${host}`,
            );
          }
        }
      }
      if (typeof host === "string" && host !== controllerHost && hostNames.includes(host)) {
        away.push({ path, worker, host });
      }
    }
    for (const [worker, own] of Object.entries(record(overrides))) {
      if (size === undefined) {
        mistakes.push(`${path}.overrides: is for a group; set the keys beside name, or set count`);
        break;
      }
      known(`${path}.overrides.${worker}`, worker, "worker", names.slice(0, 20));
      checkOptions(`${path}.overrides.${worker}`, own);
    }
  });
  const { minReady } = cluster;
  const engines = declaredEngines(cluster);
  if (isInteger(minReady) && engines > 0 && minReady > engines) {
    mistakes.push(
      `minReady: ${String(minReady)} is given; at most ${String(engines)}, the number of engines, ` +
        "is allowed",
    );
  }
  const [first, ...more] = away;
  const dialled = typeof controllerHost === "string" ? addressOf(hosts[controllerHost]) : undefined;
  for (const [name, settings] of Object.entries(hosts)) {
    const { bind, docker } = record(settings);
    const reached = addressOf(settings);
    if (typeof bind !== "string" || isIP(bind) === 0 || reached === undefined) {
      continue;
    }
    // A name may have addresses of both kinds; clients dial that of the controller's host by IPv4.
    const family = isIP(reached) || (name === controllerHost ? 4 : 0);
    if (family !== 0 && isIP(bind) !== family) {
      mistakes.push(
        `hosts.${name}.bind: ${show(bind)} is given, and ports there are reached at ` +
          `${show(reached)}; an IPv${String(family)} address of that host is needed`,
      );
    } else if (isLoopback(bind) && !isLoopback(reached)) {
      // A name of this machine may stand for a loopback address, though not on other machines.
      const forOthers = name === controllerHost && first !== undefined;
      if (isIP(reached) !== 0 || !String(docker).startsWith("unix:") || forOthers) {
        mistakes.push(
          `hosts.${name}.bind: ${show(bind)} is reached on that host alone, and ports there are ` +
            `dialled at ${show(reached)}; leave it out, or set one that other machines reach`,
        );
      }
    }
  }
  if (first !== undefined && dialled !== undefined && staysNear(dialled)) {
    const others = more.length === 0 ? "" : `, nor can ${String(more.length)} others`;
    mistakes.push(
      `${first.path}.host: ${first.worker} on host ${first.host} can't reach the controller at ` +
        `${dialled}${others}; set hosts.${controllerHost as string}.address to one that other ` +
        "machines reach",
    );
  }
  return mistakes;
}

/**
 * Number of engines that a cluster declares; NaN where it can't be told yet, since the cores of a
 * host, or what the schema refuses, stand in place of a number.
 */
function declaredEngines({ defaults, workers }: Record<string, unknown>): number {
  const number = (given: unknown) => (isInteger(given) && given >= 1 ? given : NaN);
  const shared = record(defaults).engines ?? 1;
  const counts = list(workers).map((item) => {
    const { count = 1, engines = shared, overrides } = record(item);
    const own = Object.values(record(overrides)).flatMap((worker) => record(worker).engines ?? []);
    const others = (number(count) - own.length) * number(engines);
    return own.reduce<number>((sum, one) => sum + number(one), others);
  });
  return counts.reduce((sum, one) => sum + one, 0);
}

/** Whether no container on another machine can dial an address: a loopback or a link-local one. */
function staysNear(address: string): boolean {
  return isLoopback(address) || /^fe[89ab].:/i.test(address);
}

/** The address of a host, where it is plain to see. */
function addressOf(host: unknown): string | undefined {
  const { docker, address } = record(host);
  if (typeof address === "string" || typeof docker !== "string") {
    return typeof address === "string" ? address : undefined;
  }
  try {
    return resolveHost({ docker }).address;
  } catch {
    return undefined;
  }
}

/** Folders of a container that the cluster needs as they are. */
const OWN_FOLDERS = ["/etc/ipp", "/opt/ipp", "/opt/venv", "/proc", "/sys", "/var/lib/ipp"];
/** Folders of a container that nothing can be mounted over, though below them. */
const SYSTEM_FOLDERS = [
  "/bin",
  "/dev",
  "/etc",
  "/home/ipp",
  "/lib",
  "/run",
  "/sbin",
  "/tmp",
  "/usr",
];

/** Whether a mount there would hide what the cluster needs. */
function isOwn(target: string): boolean {
  const path = normalize(`${target}/`);
  return (
    [...OWN_FOLDERS, ...SYSTEM_FOLDERS].some((folder) => `${folder}/`.startsWith(path)) ||
    OWN_FOLDERS.some((folder) => path.startsWith(`${folder}/`))
  );
}
