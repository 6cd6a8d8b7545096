import { type HostCluster, type HostName, SLOTS, type WorkerName } from "./hostCluster";

/** Something that goes wrong. */
export interface Fault {
  name: string;
  /** Makes it happen; returns when it is over, where it has an end (a link that is back). */
  inject: (cluster: HostCluster) => Promise<unknown>;
  /** Seconds until full strength, from the end of the fault where it has one. */
  allowed: number;
  /** Whether that counts from the fault's end. */
  hasEnd?: boolean;
  /** Whether tasks may be lost that a client sends meanwhile, without anybody who could tell. */
  takesQueue?: boolean;
}

/** Something that happens to a host, and what it may cost. */
export interface HostFault extends Fault {
  /** The slots whose running tasks are lost. */
  lost: string[];
  /** Whether tasks that no engine has yet may be lost too. */
  queueLost?: boolean;
}

const slotsOf = (...workers: WorkerName[]) =>
  SLOTS.filter((slot) => workers.some((worker) => slot.startsWith(`${worker}-`)));

const seconds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * 1000));

/** A signal to the first engine of a worker. */
const engine = (name: string) => (cluster: HostCluster) =>
  cluster.inside("a", `kill -${name} $(pgrep -o -x ipengine)`);

/** Restarts dockerd, and its containers with it. */
const restartDocker = (name: HostName) => async (cluster: HostCluster) => {
  await cluster.host(name).stopDockerd();
  await cluster.host(name).startDockerd();
};

/** A worker's link is cut for a while, and tasks are done elsewhere meanwhile. */
export function cutLink(duration: number): HostFault {
  return {
    name: `a worker's link is cut for ${String(duration)} s`,
    inject: async (cluster) => {
      await cluster.host("alpha").cutLink();
      try {
        await seconds(duration);
      } finally {
        await cluster.host("alpha").restoreLink();
      }
    },
    allowed: 30,
    hasEnd: true,
    lost: duration < 8 ? [] : slotsOf("a"),
  };
}

/** Faults of hosts. */
export const HOST_FAULTS: HostFault[] = [
  {
    name: "dockerd of a worker's host is restarted",
    inject: restartDocker("alpha"),
    allowed: 60,
    hasEnd: true,
    lost: slotsOf("a"),
  },
  {
    name: "dockerd of the controller's host is restarted",
    inject: restartDocker("head"),
    allowed: 60,
    hasEnd: true,
    lost: [],
    queueLost: true,
  },
  {
    name: "a worker's host reboots",
    inject: (cluster) => cluster.host("beta").reboot(),
    allowed: 60,
    hasEnd: true,
    lost: slotsOf("b", "c"),
  },
  {
    name: "the controller's host reboots",
    // Long enough for tasks to end meanwhile.
    inject: (cluster) => cluster.host("head").reboot(12),
    takesQueue: true,
    allowed: 60,
    hasEnd: true,
    lost: [],
    queueLost: true,
  },
  cutLink(5),
];

/** Faults within a container. */
export const CONTAINER_FAULTS: Fault[] = [
  { name: "an engine is killed", inject: engine("KILL"), allowed: 22 },
  { name: "an engine freezes", inject: engine("STOP"), allowed: 22 },
  {
    name: "all processes of a worker die",
    inject: (cluster) => cluster.inside("b", "kill -9 -1").catch(() => undefined),
    allowed: 20,
  },
  {
    name: "a worker's container is restarted",
    inject: (cluster) => cluster.hostOf("b").docker("restart", cluster.container("b")),
    allowed: 20,
  },
  {
    name: "ipcontroller is killed",
    inject: (cluster) => cluster.inside("controller", "kill -9 $(pgrep -o -x ipcontroller)"),
    allowed: 15,
  },
  {
    name: "the controller's container is restarted",
    inject: (cluster) => cluster.host("head").docker("restart", cluster.container("controller")),
    allowed: 15,
  },
  {
    name: "a scheduler is killed",
    inject: (cluster) =>
      cluster.inside("controller", "kill -9 $(pgrep -x ipcontroller | sed -n 5p)"),
    allowed: 30,
  },
  {
    name: "a task hits the memory limit",
    inject: (cluster) => cluster.ask("bytes", { slot: "a-1", count: 1e9 }),
    allowed: 20,
  },
];

/** Fills the disk of a worker's host until the function that it gives is called. */
export async function fillDisk(cluster: HostCluster, name: HostName): Promise<() => Promise<void>> {
  const host = cluster.host(name);
  const file = "/var/lib/docker/filling";
  await host.exec(`for part in 1 2 3; do
    free=$(df --block-size=1 --output=avail /var/lib/docker | tail -n 1)
    [ "$free" -eq 0 ] || fallocate -l "$free" ${file}$part || cat /dev/zero >>${file}$part || true
  done 2>/dev/null`);
  return async () => {
    await host.exec(`rm -f ${file}?`);
  };
}

/** Sets the clock of worker c, as seconds ahead of what it should be. */
export function setClock(cluster: HostCluster, ahead: number): Promise<string> {
  const sign = ahead < 0 ? "-" : "+";
  return cluster.host("beta").exec(`echo '${sign}${String(Math.abs(ahead))}s' >/srv/clock/now`);
}

/** Seconds to full strength after a fault. */
export async function recovery(cluster: HostCluster, fault: Fault): Promise<number> {
  const started = Date.now();
  await fault.inject(cluster);
  const spent = fault.hasEnd === true ? 0 : (Date.now() - started) / 1000;
  return spent + (await cluster.fullStrength(fault.allowed - spent));
}

/** A line about a measured time and its limit. */
export function timing(what: string, taken: number, allowed: number): string {
  return `${what.padEnd(50)} ${taken.toFixed(1).padStart(5)} s  (allowed ${String(allowed)})`;
}
