import type { ImageArgs, WorkerSpec } from "../components";
import { Mistake } from "../components/lib/mistake";
import { type ClusterPlan, planCluster } from "../components/lib/plan";
import { mebibytes } from "../components/lib/sizes";
import { declaredHosts } from "./localHost";
import { clusterPython } from "./python";
import type { ClusterConfig, WorkerOptions } from "./schema";

/** A worker, its group expanded and its defaults merged, still in the words of the stack file. */
export type NamedOptions = WorkerOptions & { name: string; sshPort?: number };

/**
 * The workers one by one: groups expanded, and what holds for the cluster overridden by what holds
 * for the group, and that by what holds for the worker. Maps are merged key by key, lists replaced.
 */
export function expandWorkers({ defaults = {}, workers }: ClusterConfig): NamedOptions[] {
  return workers.flatMap(({ name, count, overrides = {}, ...group }) => {
    const shared = merge(defaults, group);
    const names =
      count === undefined
        ? [name]
        : Array.from({ length: count }, (_, index) => `${name}-${String(index + 1)}`);
    return names.map((worker) => ({ ...merge(shared, overrides[worker] ?? {}), name: worker }));
  });
}

function merge<T extends WorkerOptions>(base: WorkerOptions, over: T): T {
  const maps = ["env", "labels", "ulimits"] as const;
  const merged = maps
    .filter((key) => base[key] !== undefined && over[key] !== undefined)
    .map((key) => [key, { ...base[key], ...over[key] }]);
  return { ...base, ...over, ...Object.fromEntries(merged) } as T;
}

/** The number of CPUs in a set such as `0-3,8`. */
export function cpusInSet(set: string): number {
  const cpus = set.split(",").flatMap((range) => {
    const [from, to = from] = range.split("-").map(Number) as [number, number | undefined];
    return Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => from + index);
  });
  return new Set(cpus).size;
}

/**
 * The number of engines that are enough.
 *
 * @param minReady a number, or a share such as `80%`, which is rounded up.
 * @param engines all engines that are declared.
 */
export function enoughEngines(
  minReady: number | string | undefined,
  engines: number,
): number | undefined {
  return typeof minReady === "string"
    ? Math.max(1, Math.ceil((engines * Number.parseFloat(minReady)) / 100))
    : minReady;
}

/**
 * The number of engines of a worker.
 *
 * @param cores cores of the worker's host, where they are known.
 * @throws if engines are to be as many as cores and nothing tells how many those are.
 */
export function engineCount(worker: NamedOptions, cores: number | undefined): number | undefined {
  if (worker.engines !== "cores") {
    return worker.engines;
  }
  const limits = [
    worker.cpuset === undefined ? cores : cpusInSet(worker.cpuset),
    worker.cpus === undefined ? undefined : Math.max(1, Math.floor(worker.cpus)),
  ].filter((limit) => limit !== undefined);
  if (limits.length === 0) {
    throw new Mistake(
      `worker ${worker.name}: engines: cores needs its host to answer, or cpuset or cpus beside it`,
    );
  }
  return Math.min(...limits);
}

/**
 * A worker as the cluster takes it.
 *
 * @param cores cores of the worker's host, where they are known.
 */
export function toWorkerSpec(worker: NamedOptions, cores: number | undefined): WorkerSpec {
  const { engines: _, memory, shmSize, tmpSize, cpuset, ulimits, env, ...same } = worker;
  const spec: WorkerSpec = {
    ...same,
    engines: engineCount(worker, cores),
    memoryMiB: memory === undefined ? undefined : mebibytes(memory),
    shmSizeMiB: shmSize === undefined ? undefined : mebibytes(shmSize),
    tmpSizeMiB: tmpSize === undefined ? undefined : mebibytes(tmpSize),
    cpuSet: cpuset,
    ulimits:
      ulimits === undefined
        ? undefined
        : Object.entries(ulimits)
            .sort(([a], [b]) => (a < b ? -1 : 1))
            .map(([name, limit]) => ({
              name,
              ...(typeof limit === "number" ? { soft: limit, hard: limit } : limit),
            })),
    env:
      env === undefined
        ? undefined
        : Object.fromEntries(Object.entries(env).map(([key, value]) => [key, String(value)])),
  };
  return Object.fromEntries(
    Object.entries(spec).filter(([, value]) => value !== undefined),
  ) as unknown as WorkerSpec;
}

/** Images as the cluster takes them: a version of Python is a text, with or without quotes. */
export function toImageArgs(images: ClusterConfig["images"] = {}): Record<string, ImageArgs> {
  return Object.fromEntries(
    Object.entries(images).map(([name, { python, ...same }]) => [
      name,
      python === undefined ? same : { ...same, python: String(python) },
    ]),
  );
}

/**
 * What a cluster declares of its hosts, before one of them was asked.
 *
 * Workers with as many engines as cores count as having one.
 *
 * @param cluster name of the cluster.
 */
export function planDeclared(cluster: string, config: ClusterConfig): ClusterPlan {
  const { controller, registry: _, minReady: __, ...same } = config;
  return planCluster(cluster, {
    ...same,
    hosts: declaredHosts(config),
    images: toImageArgs(same.images),
    python: clusterPython(same.images).version,
    controllerHost: controller?.host,
    basePort: controller?.basePort,
    imageContext: "",
    workers: expandWorkers(config).map((worker) => toWorkerSpec(worker, 1)),
  });
}
