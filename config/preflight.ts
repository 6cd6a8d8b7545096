import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { isIPv6, SocketAddress } from "node:net";
import { join } from "node:path";

import { beforePort } from "../components/lib/connectionFiles";
import { hostCommand } from "../components/lib/hosts";
import { CONTAINER_UID, CONTROLLER, dockerName } from "../components/lib/names";
import type { ClusterPlan } from "../components/lib/plan";
import { quote } from "../components/lib/quote";
import { OPEN_PORTS, portList, type UnreachedPorts, unreachedPorts } from "./reach";
import { sshFailure } from "./sshFailure";
import type { DockerObject, StackState } from "./stackState";

/** What a look at a host told. */
export interface Probe {
  /** Why the host can't be used at all. */
  failure?: string;
  /** Version of Docker Engine. */
  docker?: string;
  /** Cores that Docker may use. */
  cores?: number;
  /** Memory in bytes. */
  memory?: number;
  /** Free bytes where Docker keeps images and containers. */
  disk?: number;
  /** Names of the images that were built here, or for here. */
  images?: string[];
  /** As `uname -m` names it. */
  architecture?: string;
  /** Seconds by which the host's clock is ahead of this machine's. */
  clockOffset?: number;
  /** Whether Docker's settings say that it translates the IPv6 addresses of containers. */
  ip6tables?: boolean;
  /** Whether containers can be given GPUs, as far as can be seen. */
  gpus?: boolean;
  /** Whether users of containers are other users of the host (rootless Docker, `userns-remap`). */
  remapped?: boolean;
  /** The folders of mounts, by their paths, as far as they can be seen. */
  folders?: Map<string, Folder>;
  /** Ports in use by others than this cluster. */
  taken: TakenPort[];
  /** A port of the controller that can't be reached from there, and why. */
  controllerFailure?: { port: number; reason: string };
  /** What containers there learn of the controller's name by DNS, if not its address. */
  nameFailure?: { answer: "unknown" | "silent"; servers: string };
  /** Ports there that can't be reached from this machine. */
  unreached?: UnreachedPorts[];
  /** What the cluster has there, by the names of its parts. */
  parts: Map<string, Part>;
  /** What others have there that carries a label or a name as clusters give them. */
  foreign?: DockerObject[];
  /** What is this cluster's there, but not in its state. */
  untracked?: DockerObject[];
}

/** A folder, or file, of a host that is to be mounted: none, or what `stat` says of it. */
export interface Folder {
  exists: boolean;
  /** Number of the user whose it is. */
  uid: number;
  /** Number of its group. */
  gid: number;
  /** Its permissions, such as 0o755. */
  mode: number;
}

/** A container of the cluster. */
export interface Part {
  /** Docker's word for what the container is doing, such as `running` or `exited`. */
  state: string;
  /** When it ended, if it does not run. */
  ended?: string;
  /** The container's id, if it does not run. */
  id?: string;
  /** What `ippctl status` says in it, if it runs. */
  status?: PartStatus;
  /** Why it says nothing though it runs. */
  silence?: string;
}

/** What `ippctl status` says in a container, as far as it is used here. */
export interface PartStatus {
  /** What is not as it was set up, in words. */
  drift?: string[];
  /** A text that is new each time that it is set up. */
  applied?: string | null;
  /** Version of the container's Python, such as `3.11.2`. */
  python?: string;
  /** The controller's state: `answering` if all is well. */
  state?: string;
  /** Why the controller was last restarted. */
  reason?: string;
  /** Whether a worker was set up in another container since, so that its engines here ended. */
  superseded?: boolean;
  /** A worker's engines, or those that the controller knows. */
  engines?: EngineStatus[];
  /** At the controller: what the workers say that answer it, by name. */
  workers?: Record<string, PartStatus>;
  /** Free space, by folder. */
  disks?: Record<string, { full: boolean }>;
  /** A worker's clock against the controller's. */
  clock?: { off: boolean; ahead_seconds?: number | null };
}

/** What `ippctl status` says of one engine; a worker and the controller each know a part. */
export interface EngineStatus {
  slot: number;
  ident: string;
  /** At a worker: `registered`, `answering` or `busy` if all is well. */
  state?: string;
  /** At a worker: whether it answers its agent. */
  answers?: boolean;
  /** At a worker: when it was last restarted, in seconds since 1970, and why. */
  last_restart?: number | null;
  reason?: string;
  /** At a worker: how often it ended in the last two minutes. */
  recent_ends?: number;
  /** At a worker: why it was started without what is in its home folder; "" if it was not. */
  without_home?: string;
  /** At the controller: the worker that it belongs to, and the tasks that it has. */
  worker?: string;
  tasks?: number;
}

/** A port in use; no address means every one. */
export interface TakenPort {
  address?: string;
  port: number;
}

/** Something about a host that will not do. */
export interface Problem {
  host: string;
  message: string;
  /**
   * Whether the host does not answer, can't do what is declared, or is just worth a warning.
   */
  kind: "unreachable" | "unfit" | "warning";
}

/** Milliseconds that the look at all hosts may take. */
const DEADLINE = 9_000;

const PROBE_SCRIPT = join(__dirname, "probe.sh");

/** Looks that were begun and not asked for yet, by what is run. */
const begun = new Map<string, Promise<Probe>>();

/** Begins to look at all hosts of a cluster; `probeHosts` takes what is found. */
export function beginProbes(cluster: string, plan: ClusterPlan, state?: StackState): void {
  for (const [host, command] of probeCommands(cluster, plan, state)) {
    begun.set(command.join("\0"), probeFrom(plan, host, command, state));
  }
}

/**
 * Looks at all hosts of a cluster, side by side.
 *
 * @param state what the stack's state says: by it the cluster's own is told from that of others.
 */
export async function probeHosts(
  cluster: string,
  plan: ClusterPlan,
  state?: StackState,
): Promise<Map<string, Probe>> {
  const probes = [...probeCommands(cluster, plan, state)].map(async ([host, command]) => {
    const key = command.join("\0");
    const looking = begun.get(key) ?? probeFrom(plan, host, command, state);
    begun.delete(key);
    return [host, await looking] as const;
  });
  return new Map(await Promise.all(probes));
}

/** What is found on one host, and on the way to it. */
async function probeFrom(
  plan: ClusterPlan,
  host: string,
  command: string[],
  state?: StackState,
): Promise<Probe> {
  const [found, unreached] = await Promise.all([
    probe(command, ownership(host, state)),
    unreachedPorts(plan, host),
  ]);
  return { ...found, unreached };
}

/** What looks at each host. */
function probeCommands(
  cluster: string,
  plan: ClusterPlan,
  state?: StackState,
): Map<string, string[]> {
  const controller = plan.host(plan.controllerHost);
  const present = plan.hostsInUse.filter((host) => !plan.leftAlone(host));
  const commands = present.map((name): [string, string[]] => {
    const host = plan.host(name);
    const words = ["sh", "-s", "--", host.docker, cluster, state?.owner ?? ""];
    if (name !== plan.controllerHost) {
      words.push(controller.address, ...plan.ports.engine.map(String));
    }
    words.push(...mountedFolders(plan, name).map(({ source }) => `mount=${source}`));
    return [name, hostCommand(host, quote(...words))];
  });
  return new Map(commands);
}

/** Tells what is a cluster's own on a host, and what of it is in its state. */
interface Ownership {
  cluster?: string;
  owns: (object: DockerObject) => boolean;
  tracks: (object: DockerObject) => boolean;
}

/** Without a state everything counts as the cluster's own. */
function ownership(host: string, state?: StackState): Ownership {
  return {
    cluster: state?.cluster,
    owns: (object) => state?.owns(host, object) ?? true,
    tracks: (object) => state?.tracks(host, object) ?? true,
  };
}

/** The folders of a host that its workers mount, each with the worker and the mount. */
function mountedFolders({ workers }: ClusterPlan, host: string) {
  return workers
    .filter((worker) => worker.host === host)
    .flatMap(({ name, options }) =>
      (options.mounts ?? []).flatMap(({ source, target, readOnly = false }) =>
        source === undefined ? [] : [{ worker: name, source, target, readOnly }],
      ),
    )
    .filter(({ source }, index, all) => all.findIndex((one) => one.source === source) === index);
}

/** Runs the probe on one host; it never fails, but tells why there is nothing to tell. */
function probe([program, ...args]: string[], own: Ownership): Promise<Probe> {
  return new Promise((resolve) => {
    const child = spawn(program as string, args, {
      stdio: ["pipe", "pipe", "pipe"],
      detached: true,
    });
    let output = "";
    let errors = "";
    const fail = (failure: string) => {
      resolve({ failure, taken: [], parts: new Map() });
    };
    const timer = setTimeout(() => {
      fail(`no answer within ${String(DEADLINE / 1000)} s`);
      if (child.pid !== undefined) {
        process.kill(-child.pid, "SIGKILL");
      }
    }, DEADLINE);
    child.stdout.on("data", (data: Buffer) => (output += data.toString()));
    child.stderr.on("data", (data: Buffer) => (errors += data.toString()));
    child.stdin.on("error", () => undefined); // the command ended early: its status tells
    child.on("error", (error) => {
      clearTimeout(timer);
      fail(`${String(program)} can't be run: ${error.message}`);
    });
    child.on("close", (status) => {
      clearTimeout(timer);
      if (status === 0) {
        resolve(parseProbe(output, Date.now() / 1000, own));
      } else {
        fail(sshFailure(errors || output) ?? `exit status ${String(status)}`);
      }
    });
    child.stdin.end(readFileSync(PROBE_SCRIPT));
  });
}

/**
 * What the probe's lines say.
 *
 * @param now this machine's clock, in seconds.
 * @param ownership tells the cluster's own from what others have there.
 */
export function parseProbe(
  output: string,
  now: number,
  { cluster, owns, tracks }: Ownership = ownership(""),
): Probe {
  const lines = output
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), line.slice(space + 1)] as const;
    });
  const values = (word: string) =>
    lines.filter(([first]) => first === word).map(([, rest]) => rest);
  const number = (word: string, scale = 1) => {
    const value = Number(values(word)[0] || NaN);
    return Number.isNaN(value) ? undefined : value * scale;
  };
  const own = new Set(
    values("own")
      .flatMap(publishedPorts)
      .map(({ port }) => port),
  );
  const [controller] = values("controller")
    .map((line) => {
      const [, port, reason = ""] = /^(\d+) (.*)$/.exec(line) ?? [];
      return { port: Number(port), reason };
    })
    .sort((a, b) => a.port - b.port);
  const [dns] = values("dns").map((line) => {
    const [, answer, servers = ""] = /^(\S+) (.*)$/.exec(line) ?? [];
    return { answer: answer === "silent" ? ("silent" as const) : ("unknown" as const), servers };
  });
  const [setting] = values("ip6tables");
  const time = number("time");
  const statuses = new Map(
    values("status").map((line): [string, PartStatus] => {
      const space = line.indexOf(" ");
      return [line.slice(0, space), JSON.parse(line.slice(space + 1)) as PartStatus];
    }),
  );
  for (const part of values("told").filter((one) => !statuses.has(one))) {
    statuses.set(part, statuses.get(CONTROLLER)?.workers?.[part] ?? {});
  }
  const objects = values("object").map(dockerObject);
  const foreign = objects.filter((object) => !owns(object));
  // The host itself only knows labels, so that it tells of parts that older versions gave no owner.
  const unowned = new Set(
    foreign.flatMap((one) => (one.cluster === cluster && one.owner === "" ? [one.part] : [])),
  );
  const parts: [string, Part][] = [
    ...values("runs").map((part): [string, Part] => [
      part,
      { state: "running", silence: "no answer in time" },
    ]),
    ...values("ended").map((line): [string, Part] => {
      const [part = "", state = "", ended, id] = line.split(" ");
      return [part, { state, ended, id }];
    }),
    ...values("silent").map((line): [string, Part] => {
      const [part = "", ...words] = line.split(" ");
      return [part, { state: "running", silence: words.join(" ") }];
    }),
    ...[...statuses].map(([part, status]): [string, Part] => [part, { state: "running", status }]),
  ];
  return {
    failure: values("docker-error")[0] ?? values("docker-missing")[0],
    docker: values("docker")[0],
    cores: number("cores"),
    memory: number("memory"),
    disk: number("disk", 1024),
    images: values("images")[0]?.split(" ").filter(Boolean),
    architecture: values("architecture")[0],
    clockOffset: time === undefined ? undefined : time - now,
    taken: [
      ...values("published").flatMap(publishedPorts),
      ...values("listens").map(listeningPort),
    ].filter(({ port }) => !own.has(port)),
    controllerFailure: controller,
    nameFailure: dns,
    ip6tables: setting === undefined ? undefined : setting === "true",
    gpus: values("gpus").length > 0,
    remapped: values("remapped").length > 0,
    folders: new Map(
      values("mount").map((line): [string, Folder] => {
        const [uid = "", gid = "", mode = "", ...path] = line.split(" ");
        const exists = uid !== "missing";
        const numbers = { uid: Number(uid), gid: Number(gid), mode: Number.parseInt(mode, 8) };
        return [
          path.join(" "),
          exists ? { exists, ...numbers } : { exists, uid: 0, gid: 0, mode: 0 },
        ];
      }),
    ),
    parts: new Map(parts.filter(([part]) => !unowned.has(part))),
    foreign,
    untracked: objects.filter((object) => owns(object) && !tracks(object)),
  };
}

/** A line such as `network|ID|NAME|CLUSTER|OWNER|PART`. */
function dockerObject(line: string): DockerObject {
  const [kind, id = "", name = "", cluster = "", owner = "", part = ""] = line.split("|");
  return { kind: kind as DockerObject["kind"], id, name, cluster, owner, part };
}

/** The ports in a line such as `127.0.0.1:30001-30003->30001-30003/tcp, 80/tcp`. */
function publishedPorts(line: string): TakenPort[] {
  return line.split(", ").flatMap((part) => {
    const [, address, first, last] = /^(.+):(\d+)(?:-(\d+))?->/.exec(part) ?? [];
    if (address === undefined) {
      return [];
    }
    const from = Number(first);
    const to = last === undefined ? from : Number(last);
    return Array.from({ length: to - from + 1 }, (_, index) =>
      takenPort(from + index, address.replace(/^\[|\]$/g, "")),
    );
  });
}

/**
 * A line of /proc/net/tcp or tcp6: address and port in hexadecimal. The address comes in words of 4
 * bytes, each in the kernel's order.
 */
function listeningPort(line: string): TakenPort {
  const [words = "", port = ""] = line.split(":");
  const bytes = Buffer.from(words, "hex").swap32();
  const address =
    bytes.length === 4 ? bytes.join(".") : (bytes.toString("hex").match(/.{4}/g) ?? []).join(":");
  return takenPort(Number.parseInt(port, 16), address);
}

/** A port at an address, or at all of them. */
function takenPort(port: number, address: string): TakenPort {
  const found = canonical(address);
  return found === "0.0.0.0" || found === "::" ? { port } : { port, address: found };
}

/** The one way to write an address; an IPv4 address in IPv6's clothes is the IPv4 address. */
function canonical(address: string): string {
  if (!isIPv6(address)) {
    return address;
  }
  const [unscoped = ""] = address.split("%");
  const { address: written } = new SocketAddress({ address: unscoped, family: "ipv6" });
  return written.replace(/^::ffff:(?=\d+\.)/, "");
}

/** The names by which Docker and `uname` know an architecture. */
const ARCHITECTURES: Record<string, string> = { x86_64: "amd64", aarch64: "arm64" };

/** Bytes that an image and its containers need at least. */
const LEAST_DISK = 2 * 1024 ** 3;

/** Oldest Docker Engine that everything here is tried with. */
const OLDEST_DOCKER = [20, 10];

/** What will not do, in the order of the hosts. */
export function problems(plan: ClusterPlan, probes: Map<string, Probe>): Problem[] {
  return [...probes].flatMap(([host, found]) => {
    const settings = plan.host(host);
    const unfit = (message: string): Problem => ({ host, message, kind: "unfit" });
    const warning = (message: string): Problem => ({ host, message, kind: "warning" });
    if (found.failure !== undefined) {
      const message =
        `no Docker Engine answers at ${settings.docker} (${found.failure}): start it, or ` +
        `correct hosts.${host}`;
      return [{ host, message, kind: "unreachable" }];
    }
    const taken = takenNames(plan, host, found);
    if (taken !== undefined) {
      return [unfit(taken)];
    }
    const result: Problem[] = [];
    const architecture = ARCHITECTURES[found.architecture ?? ""] ?? found.architecture;
    if (settings.architecture !== undefined && architecture !== settings.architecture) {
      result.push(
        unfit(`its architecture is ${String(architecture)}, not ${settings.architecture}`),
      );
    }
    if (found.docker !== undefined && isOlder(found.docker, OLDEST_DOCKER)) {
      result.push(unfit(`its Docker Engine is ${found.docker}; 20.10 or newer is needed`));
    }
    for (const rule of plan.portRules.filter((one) => one.host === host)) {
      const bound = takenPort(rule.from, rule.address).address;
      const clash = found.taken.find(
        ({ port, address }) =>
          port >= rule.from &&
          port <= rule.to &&
          (address === undefined || bound === undefined || address === bound),
      );
      if (clash !== undefined) {
        const key = rule.part === "controller" ? "controller.basePort" : `sshPort of ${rule.part}`;
        result.push(
          unfit(
            `port ${String(clash.port)} of ${rule.part} (${rule.purpose}) is already in use ` +
              `there: end what uses it, or set ${key}`,
          ),
        );
      }
    }
    const lost = controllerProblem(plan, found);
    if (lost !== undefined) {
      result.push(found.nameFailure?.answer === "silent" ? warning(lost) : unfit(lost));
    }
    const dropped = portProblem(plan, host, found);
    if (dropped !== undefined) {
      result.push(dropped.stops ? unfit(dropped.message) : warning(dropped.message));
    }
    const translates =
      found.ip6tables ?? (found.docker === undefined || !isOlder(found.docker, [27]));
    if (plan.dialsIpv6 && host !== plan.controllerHost && !translates) {
      result.push(
        warning(
          "containers there may not reach the controller by IPv6: Docker before 27 needs " +
            '"ip6tables" and a pool of addresses, as docs/several-machines.md tells',
        ),
      );
    }
    if (found.disk !== undefined && found.disk < LEAST_DISK) {
      result.push(warning(`only ${gibibytes(found.disk)} of disk are free for Docker`));
    }
    const wanted = plan.workers
      .filter((worker) => worker.host === host)
      .reduce((sum, { options }) => sum + (options.memoryMiB ?? 0), 0);
    if (found.memory !== undefined && wanted * 1024 ** 2 > found.memory) {
      result.push(
        warning(
          `its workers may use ${gibibytes(wanted * 1024 ** 2)} of memory; it has ` +
            gibibytes(found.memory),
        ),
      );
    }
    const [gpuWorker] = plan.workers.filter(
      (worker) => worker.host === host && worker.options.gpus !== undefined,
    );
    if (found.gpus === false && gpuWorker !== undefined) {
      result.push(
        warning(
          `worker ${gpuWorker.name} wants GPUs, and the NVIDIA Container Toolkit is not found ` +
            "there: install it, or leave gpus out",
        ),
      );
    }
    for (const mount of mountedFolders(plan, host)) {
      const folder = found.folders?.get(mount.source);
      const which = `mounts of worker ${mount.worker}: source ${mount.source}`;
      if (folder?.exists === false) {
        result.push(
          unfit(
            `${which} must exist there; make it (\`mkdir -p\`, \`chown ${CONTAINER_UID}\`), or ` +
              "correct source",
          ),
        );
      } else if (folder !== undefined && found.remapped !== true) {
        const lacks = !allows(folder, 4)
          ? "read"
          : !mount.readOnly && !allows(folder, 2)
            ? "write to"
            : "";
        if (lacks !== "") {
          const owner = `${String(folder.uid)}:${String(folder.gid)}`;
          const mode = folder.mode.toString(8);
          const or = lacks === "read" ? "" : ", or set readOnly: true";
          result.push(
            warning(
              `${which}: engines, which run as user ${CONTAINER_UID}, can't ${lacks} it (it is of ` +
                `${owner}, mode ${mode}); \`chown ${CONTAINER_UID} ${mount.source}\` there${or}`,
            ),
          );
        }
      }
    }
    if (found.clockOffset !== undefined && Math.abs(found.clockOffset) > 30) {
      const direction = found.clockOffset > 0 ? "ahead of" : "behind";
      const seconds = String(Math.round(Math.abs(found.clockOffset)));
      result.push(warning(`its clock is ${seconds} s ${direction} this machine's`));
    }
    return result;
  });
}

/** Why engines on a host can't reach the controller, if that is so. */
export function controllerProblem(plan: ClusterPlan, found: Probe): string | undefined {
  const { controllerFailure, nameFailure } = found;
  const { address } = plan.host(plan.controllerHost);
  if (nameFailure !== undefined) {
    const what = nameFailure.answer === "unknown" ? "does not know it" : "does not answer";
    return (
      `containers there can't resolve the controller's name ${address}: DNS ` +
      `(${nameFailure.servers}) ${what}, and they do not see the host's /etc/hosts; set ` +
      `hosts.${plan.controllerHost}.address to an IP address`
    );
  }
  return controllerFailure === undefined
    ? undefined
    : `the controller at ${beforePort(address)}:${String(controllerFailure.port)} can't be ` +
        `reached from there (${controllerFailure.reason}): ${OPEN_PORTS}`;
}

/**
 * Ports of a host that can't be reached from this machine. Without the controller's SSH port
 * nothing can be done, once its container is there. Before, Docker may still open what it publishes.
 */
function portProblem(
  { controllerHost }: ClusterPlan,
  host: string,
  { unreached = [], parts }: Probe,
): { message: string; stops: boolean } | undefined {
  const [first] = unreached;
  if (first === undefined) {
    return undefined;
  }
  const runs = ({ part }: UnreachedPorts) => parts.get(part)?.state === "running";
  return {
    message:
      `ports ${portList(unreached)} can't be reached from this machine (${first.reason}): ` +
      OPEN_PORTS,
    stops: unreached.some(
      (one) =>
        one.part === CONTROLLER && one.purpose === "SSH" && host === controllerHost && runs(one),
    ),
  };
}

/** Who else has the names on a host that this cluster needs there; undefined if nobody has. */
export function takenNames(
  plan: ClusterPlan,
  host: string,
  { foreign = [] }: Probe,
): string | undefined {
  const workers = plan.workers.filter((worker) => worker.host === host);
  const parts = [
    ...(host === plan.controllerHost ? [CONTROLLER] : []),
    ...workers.map(({ name }) => name),
  ];
  const volumes = workers
    .flatMap(({ options }) => options.mounts ?? [])
    .flatMap(({ volume }) => volume ?? []);
  const needed = new Set([
    ...parts.map((part) => `container ${dockerName(plan.name, part)}`),
    `network ${dockerName(plan.name)}`,
    `network ${dockerName(plan.name, "ipv6")}`,
    ...volumes.map((volume) => `volume ${dockerName(plan.name, "volume", volume)}`),
  ]);
  const taken = foreign.filter(({ kind, name }) => needed.has(`${kind} ${name}`));
  const first = taken.find(({ owner }) => owner !== "") ?? taken[0];
  if (first === undefined) {
    return undefined;
  }
  const names = taken.slice(0, MOST_NAMES).map(({ kind, name }) => `${kind} ${name}`);
  const more = taken.length - names.length;
  const list = [...names, ...(more > 0 ? [`${String(more)} more`] : [])].join(", ");
  const remedy = "docs/troubleshooting.md has more";
  if (first.cluster === "") {
    return `something else has the name of ${list} there: remove it, or rename this stack`;
  }
  const owner = first.owner === "" ? "without an owner" : `owner ${first.owner}`;
  return (
    `another cluster, ${first.cluster} (${owner}), has ${list} there: rename this stack, or take ` +
    `the other one down where it was brought up; ${remedy}`
  );
}

/** Names that a message lists at most. */
const MOST_NAMES = 4;

/** Whether the containers' user may read (4) or write to (2) a folder, by its owner and mode. */
function allows({ uid, gid, mode }: Folder, bit: number): boolean {
  const [user, group] = CONTAINER_UID.split(":").map(Number);
  const shift = uid === user ? 6 : gid === group ? 3 : 0;
  return ((mode >> shift) & bit) === bit;
}

/** Whether a version is before another one, which is given by its first numbers. */
function isOlder(version: string, [oldestMajor = 0, oldestMinor = 0]: number[]): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major < oldestMajor || (major === oldestMajor && minor < oldestMinor);
}

function gibibytes(bytes: number): string {
  return `${(bytes / 1024 ** 3).toFixed(1)} GiB`;
}
