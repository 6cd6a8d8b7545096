// First, since it also speeds up loading the others.
import "./config/stackTraces";
import "./config/debugLog";

import * as pulumi from "@pulumi/pulumi";

import { Cluster, type ClusterArgs, type ImageArgs, type WorkerSpec } from "./components";
import { Mistake } from "./components/lib/mistake";
import { CONTROLLER } from "./components/lib/names";
import { type ClusterPlan, planCluster } from "./components/lib/plan";
import { officialBase } from "./components/lib/python";
import { mebibytes } from "./components/lib/sizes";
import { bastionMistakes } from "./components/lib/ssh";
import { abandonedNotes, findDrift } from "./config/drift";
import { declaredHosts, dockerHere } from "./config/localHost";
import { locks } from "./config/lock";
import { ConfigError, parseCluster } from "./config/parse";
import { type Probe, probeHosts, type Problem, problems } from "./config/preflight";
import { checkProfile } from "./config/profileFiles";
import {
  broughtUpWith,
  type ClusterPython,
  clusterPython,
  lacksRegistry,
  madeBaseImage,
  pythonChange,
} from "./config/python";
import { enoughEngines, expandWorkers, toImageArgs, toWorkerSpec } from "./config/resolve";
import type { ClusterConfig } from "./config/schema";
import { secretTexts } from "./config/secrets";
import { rawCluster } from "./config/stackFile";
import { programBackend, readState, type StackState } from "./config/stackState";
import { findUntracked, removeObjects, untrackedNotes } from "./config/untracked";

type Images = Record<string, ImageArgs>;

/** What a key of the configuration holds: a map or a list comes as JSON, anything else as text. */
function readValue(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as unknown);
  } catch {
    return text === "" ? null : text;
  }
}

/** Reads the stack's configuration; everything that it does not say about hosts stays open. */
function readConfiguration() {
  const config = new pulumi.Config();
  const given = Object.keys(pulumi.runtime.allConfig()).filter((key) =>
    key.startsWith(`${config.name}:`),
  );
  const value = readValue(config.get("cluster"));
  const secrets = secretTexts(rawCluster(pulumi.getStack()), value);
  const cluster = parseCluster(
    value,
    given.map((key) => key.slice(config.name.length + 1)),
  );
  const { controller, registry, preflight, minReady, workers: _, defaults: __, ...same } = cluster;
  const password = config.getSecret("registryPassword");
  if (registry !== undefined && password === undefined) {
    throw new ConfigError([
      "registry: its password is missing; set it with " +
        `\`npm run pulumi -- -s ${pulumi.getStack()} config set --secret ipyparallel:registryPassword\``,
    ]);
  }
  const python = clusterPython(cluster.images);
  const images = withLocks(pulumi.getStack(), cluster.images);
  const args: Omit<ClusterArgs, "workers"> = {
    ...same,
    hosts: declaredHosts(cluster),
    profile: same.profile ?? pulumi.getStack(),
    images: withBases(images, python.version),
    python: python.version,
    baseImage: madeBaseImage(python.version),
    copyBaseImageFrom: lacksRegistry() ? dockerHere().endpoint : undefined,
    controllerHost: controller?.host,
    basePort: controller?.basePort,
    heartbeatPeriod: controller?.heartbeatPeriod,
    heartbeatTimeout: controller?.heartbeatTimeout,
    controllerMemoryMiB:
      controller?.memory === undefined ? undefined : mebibytes(controller.memory),
    imageContext: "docker",
    ...(registry === undefined || password === undefined
      ? {}
      : { registry: { ...registry, password } }),
  };
  return {
    args,
    python,
    workers: expandWorkers(cluster),
    minReady,
    preflight: preflight ?? true,
    secrets,
  };
}

/** A worker whose variables that were given as secrets stay so. */
function withSecrets(worker: WorkerSpec, secrets: Set<string>): WorkerSpec {
  const env = Object.entries(worker.env ?? {}).map(
    ([key, value]): [string, pulumi.Input<string>] => [
      key,
      typeof value === "string" && secrets.has(value) ? pulumi.secret(value) : value,
    ],
  );
  return worker.env === undefined ? worker : { ...worker, env: Object.fromEntries(env) };
}

/**
 * Images with the bases that setup made, where it could pull none.
 *
 * @param usual Python of images that name none.
 * @throws ConfigError if an image has no base.
 */
function withBases(images: Images, usual: string): Images {
  const mistakes: string[] = [];
  const based = Object.entries(images).map(([name, image]): [string, ImageArgs] => {
    const { python = usual, base, reference } = image;
    if (base !== undefined || reference !== undefined) {
      return [name, image];
    }
    const found = madeBaseImage(python);
    if (found === undefined && lacksRegistry()) {
      mistakes.push(noBase(name, python));
    }
    return [name, found === undefined ? image : { ...image, base: found }];
  });
  if (mistakes.length > 0) {
    throw new ConfigError(mistakes);
  }
  return Object.fromEntries(based);
}

function noBase(image: string, python: string): string {
  const official = officialBase(python);
  const how = ["3.11", "3.13"].includes(python)
    ? `run \`npm run setup -- python${python}\` once, which makes one, or `
    : "";
  return (
    `images.${image}.python: ${python} needs ${official}, and set-up could pull none here; ${how}` +
    `bring that image here (docker save, docker load) and name it as images.${image}.base`
  );
}

/**
 * Images with the locks of their packages.
 *
 * @throws ConfigError if a lock was made from other packages.
 */
function withLocks(stack: string, declared: ClusterConfig["images"]): Images {
  const images = toImageArgs(declared);
  const known = locks(stack, declared);
  const how = `run \`npm run lock -- -s ${stack}\``;
  const outdated = known.filter(({ text, upToDate }) => text !== undefined && !upToDate);
  if (outdated.length > 0) {
    throw new ConfigError(
      outdated.map(({ image, file }) => `images.${image}.packages: ${file} locks others; ${how}`),
    );
  }
  for (const { image } of known.filter(({ text }) => text === undefined)) {
    const message = `images.${image}.packages: are not locked, so that hosts may differ; ${how}`;
    void pulumi.log.warn(message);
  }
  const locked = known.map(({ image, text }): [string, ImageArgs] => [
    image,
    { ...images[image], lock: text },
  ]);
  return { ...images, ...Object.fromEntries(locked) };
}

/** The cluster as declared, with what only the hosts can tell. */
async function readArguments(state: StackState): Promise<ClusterArgs> {
  const { args, python, workers, minReady, preflight, secrets } = readConfiguration();
  // Before the hosts are asked, a worker has as many engines as cores could be: one.
  const withCores = (cores: (host: string | undefined) => number | undefined) => {
    const specs = workers.map((worker) =>
      withSecrets(toWorkerSpec(worker, cores(worker.host)), secrets),
    );
    const engines = specs.reduce((sum, worker) => sum + (worker.engines ?? 1), 0);
    return { ...args, workers: specs, minReady: enoughEngines(minReady, engines) };
  };
  const plan = planCluster(state.cluster, { ...withCores(() => 1), minReady: undefined });
  const mistakes = bastionMistakes(plan);
  if (mistakes.length > 0) {
    throw new ConfigError(mistakes);
  }
  const needsCores = workers.some((worker) => worker.engines === "cores");
  if (!preflight && !needsCores) {
    return withCores(() => undefined);
  }
  const probes = await probeHosts(state.cluster, plan, state);
  // Nothing is changed on a host that does not answer, so that any number of cores will do.
  const found = withCores((host = plan.controllerHost) => {
    const untouched = preflight || pulumi.runtime.isDryRun();
    const silent = plan.leftAlone(host) || probes.get(host)?.failure !== undefined;
    return probes.get(host)?.cores ?? (untouched && silent ? 1 : undefined);
  });
  if (!preflight) {
    return found;
  }
  const profile = checkProfile(plan.profile, state);
  const untracked = findUntracked(plan, probes, state);
  const drift = findDrift(plan, probes, profile.drift);
  const unreachableHosts = [...probes].flatMap(([host, { failure }]) =>
    failure === undefined || host === plan.controllerHost ? [] : [host],
  );
  const reachable = planCluster(state.cluster, found)
    .workers.filter(({ host }) => !plan.leftAlone(host) && !unreachableHosts.includes(host))
    .reduce((sum, { engines }) => sum + engines, 0);
  const enough = reachable >= (found.minReady ?? Infinity);
  report(plan, problems(plan, probes), enough, profile.conflict);
  reportPythonChange(python, plan, probes);
  for (const message of [
    ...drift.messages,
    ...untrackedNotes(untracked),
    ...abandonedNotes(plan, state.owner),
  ]) {
    void pulumi.log.warn(message);
  }
  if (!pulumi.runtime.isDryRun()) {
    await removeObjects(plan, untracked.remove, (line) => void pulumi.log.warn(line));
  }
  return {
    ...found,
    containerRepairs: drift.containers,
    repairs: drift.engines,
    profileRepair: drift.profile,
    networkIds: Object.fromEntries(untracked.import.map(({ host, id }) => [host, id])),
    unreachableHosts,
    imagesPresent: Object.fromEntries(
      [...probes].flatMap(([host, { images }]) => (images === undefined ? [] : [[host, images]])),
    ),
  };
}

/**
 * Tells of problems with hosts. A preview goes on all the same. An update begins only if whatever
 * it would change can be changed; a worker's host that does not answer is left to its own error,
 * so that the other workers come up.
 *
 * @param enough whether the engines on hosts that answer are as many as have to be.
 * @param conflict why the profile on this machine can't be had.
 */
function report(
  { controllerHost, workers }: ClusterPlan,
  found: Problem[],
  enough: boolean,
  conflict?: string,
) {
  const text = ({ host, message }: Problem) => `host ${host}: ${message}`;
  const preview = pulumi.runtime.isDryRun();
  const stops = found.filter(
    ({ kind, host }) => kind === "unfit" || (kind === "unreachable" && host === controllerHost),
  );
  const lines = [...stops.map(text), ...(conflict === undefined ? [] : [conflict])];
  if (lines.length > 0 && !preview) {
    throw messageOnly([...lines, "Nothing was changed."].join("\n"));
  }
  if (conflict !== undefined) {
    void pulumi.log.warn(conflict);
  }
  for (const problem of found) {
    const warns = preview || problem.kind === "warning" || enough;
    const log = warns ? pulumi.log.warn : pulumi.log.error;
    void log(text(problem));
    if (problem.kind === "unreachable") {
      for (const { name } of workers.filter(({ host }) => host === problem.host)) {
        void log(`worker ${name} on host ${problem.host} is left as it is: ${problem.message}`);
      }
    }
  }
}

/**
 * Reports that a cluster that runs would get another Python though the stack file names none. An
 * update goes on only where this clone brought the cluster up: somebody else's is not to be replaced
 * for the Python of who looks at it.
 */
function reportPythonChange(
  python: ClusterPython,
  { controllerHost }: ClusterPlan,
  probes: Map<string, Probe>,
) {
  const running = probes.get(controllerHost)?.parts.get(CONTROLLER)?.status?.python;
  const change = pythonChange(python, running, broughtUpWith(pulumi.getStack()));
  if (change?.stops === true && !pulumi.runtime.isDryRun()) {
    throw messageOnly(`${change.message}. Nothing was changed.`);
  }
  if (change !== undefined) {
    void pulumi.log.warn(change.message);
  }
}

/**
 * An error that Pulumi shows by its message, without a stack.
 *
 * Pulumi formats the stack all the same, and Node's `util.inspect` takes half a minute to fail on
 * one of its lines (a path that ends behind `node_modules/@scope/file`): so there is none.
 */
function messageOnly(message: string): pulumi.RunError {
  const error = new pulumi.RunError(message);
  error.stack = message;
  return error;
}

/**
 * Pulumi would take a state that was forced into a stack of another name for another cluster's: it
 * would make everything again, and remove what is there.
 *
 * @throws Mistake if the state is such a one.
 */
function requireOwnNames({ urn }: StackState): void {
  const [stack, project] = [pulumi.getStack(), pulumi.getProject()];
  const [, , name, of] = urn?.split(/::?/) ?? [];
  if (urn !== undefined && (name !== stack || of !== project)) {
    throw new Mistake(
      `the state of stack ${stack} must have its name (got urn:pulumi:${String(name)}::${String(of)}, ` +
        "after an import with --force); nothing was changed. Import it with " +
        `urn:pulumi:${stack}::${project} in its place`,
    );
  }
}

async function main() {
  try {
    const state = await readState(pulumi.getStack(), programBackend());
    requireOwnNames(state);
    const cluster = new Cluster(state.cluster, await readArguments(state));
    return {
      owner: cluster.owner,
      engines: cluster.engines,
      // Though empty, mostly: where a run fails, Pulumi keeps what an earlier one left.
      beforeConnect: cluster.beforeConnect,
      connect: pulumi.interpolate`ipyparallel.Client(profile="${cluster.profile}")`,
      ports: cluster.ports,
      firewall: cluster.firewall,
      // Errors that a program tells are none to Pulumi's exit status; set-up's script asks for these.
      missing: cluster.missing,
    };
  } catch (error) {
    // Only the message is of use to who wrote the stack file.
    throw error instanceof Mistake ? messageOnly(error.message) : error;
  }
}

export = main;
