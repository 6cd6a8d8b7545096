/** The effect of changing each key of a stack file on a running cluster, for its reference. */

const IN_PLACE = "in place";
const CONTAINER = "container replaced";
const NOTHING = "nothing restarts";
const BELOW = "see below";
const ENGINES = "ipcontroller and engines restart";
const IMAGE = "containers that have the image replaced";

const WORKER = {
  host: "container moves",
  engines: "the difference starts or ends",
  image: CONTAINER,
  memory: `${IN_PLACE}; left out: ${CONTAINER}`,
  cpus: CONTAINER,
  cpuset: `${IN_PLACE}; left out: ${CONTAINER}`,
  gpus: CONTAINER,
  shmSize: CONTAINER,
  tmpSize: CONTAINER,
  ulimits: CONTAINER,
  env: CONTAINER,
  mounts: CONTAINER,
  threads: CONTAINER,
  restart: IN_PLACE,
  labels: CONTAINER,
};

/**
 * By the path of a map, without the names that users give, and the key in it. A test compares it with
 * the schema, and `test/real/everyKey.test.ts` with what happens to a worker.
 */
export const CHANGES: Record<string, Record<string, string>> = {
  cluster: {
    profile: `${NOTHING}; the client's file moves`,
    hosts: BELOW,
    controller: BELOW,
    images: BELOW,
    registry: `${NOTHING}; the next pull uses it`,
    defaults: "as for each worker",
    workers: BELOW,
    imports: "engines restart when a module is added",
    keyGeneration: "all containers replaced",
    timeout: NOTHING,
    minReady: NOTHING,
    preflight: NOTHING,
  },
  "cluster.hosts": {
    docker: "everything on the host is replaced",
    address: "engines that dial it restart",
    bind: "containers on the host replaced",
    bastion: NOTHING,
    hostKey: NOTHING,
    identityFile: NOTHING,
    architecture: NOTHING,
    abandoned: `${NOTHING}; its workers count as not declared`,
  },
  "cluster.hosts.bastion": {
    host: NOTHING,
    port: NOTHING,
    user: NOTHING,
    hostKey: NOTHING,
  },
  "cluster.controller": {
    host: "container moves, engines restart",
    basePort: `${CONTAINER}, engines restart`,
    heartbeatPeriod: ENGINES,
    heartbeatTimeout: ENGINES,
    memory: "ipcontroller restarts",
  },
  "cluster.images": {
    python: IMAGE,
    base: IMAGE,
    packages: IMAGE,
    aptPackages: IMAGE,
    context: IMAGE,
    reference: IMAGE,
  },
  "cluster.registry": { address: NOTHING, username: NOTHING },
  "cluster.defaults": WORKER,
  "cluster.defaults.mounts": {
    target: CONTAINER,
    source: CONTAINER,
    volume: CONTAINER,
    readOnly: CONTAINER,
  },
  "cluster.workers": {
    name: "worker replaced",
    count: "workers are added or removed",
    sshPort: CONTAINER,
    ...WORKER,
    overrides: "as for the key itself",
  },
  "cluster.workers.overrides": { sshPort: CONTAINER, ...WORKER },
};
