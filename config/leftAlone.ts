// `node -r ./config/translate.cjs config/leftAlone.ts STACK`: the resources on hosts that Pulumi is to
// leave alone, as JSON.
//
// Pulumi asks the host of each resource in its state before the program runs, and gives up where
// one does not answer. So these resources are named to it beforehand (`--exclude`).
import { type ClusterPlan, DEFAULT_IMAGE, type PlannedWorker } from "../components/lib/plan";
import { abandonedNotes } from "./drift";
import { probeHosts } from "./preflight";
import { planFromStackFile } from "./stackFile";
import { clonesBackend, readState } from "./stackState";

/** Patterns of URNs, by why their host is left alone. */
export interface LeftAlone {
  /** On hosts that are gone for good. */
  abandoned: string[];
  /** On hosts that do not answer at the moment. */
  silent: string[];
  /** What to clean up on hosts that are gone for good, should they return; lines for people. */
  notes: string[];
}

/** What something consists of, in the order in which it is made, and the names of its resources. */
type Parts = [part: string, resources: string[]][];

/** What a worker consists of. */
export function partsOfWorker(
  cluster: string,
  { name, host, image, options }: PlannedWorker,
): Parts {
  const volumes = (options.mounts ?? []).flatMap(({ volume }) => volume ?? []);
  return [
    [`image ${image}`, imageResources(cluster, image, host)],
    ["network", networkResources(cluster, host)],
    ["volumes", volumes.map((volume) => `${cluster}-volume-${volume}-${host}`)],
    ["container", [`${cluster}-${name}-container`]],
    ["engines", [`${cluster}-${name}-engines-start`]],
  ];
}

/** What the controller consists of. */
export function partsOfController({ name, controllerHost }: ClusterPlan): Parts {
  return [
    [`image ${DEFAULT_IMAGE}`, imageResources(name, DEFAULT_IMAGE, controllerHost)],
    ["network", networkResources(name, controllerHost)],
    ["container", [`${name}-controller-container`]],
    ["ipcontroller", [`${name}-controller-setup`]],
    ["profile", [`${name}-controller-client`]],
  ];
}

function imageResources(cluster: string, image: string, host: string): string[] {
  return ["build", "own", "image", "pull"].map(
    (kind) => `${cluster}-image-${image}-${host}-${kind}`,
  );
}

function networkResources(cluster: string, host: string): string[] {
  return ["network", "ipv6-network"].map((kind) => `${cluster}-${kind}-${host}`);
}

/** Patterns of the URNs of all that a cluster has on a host. */
export function resourcesOn(host: string, { name, workers }: ClusterPlan): string[] {
  const there = workers.filter((worker) => worker.host === host);
  const resources = new Set([
    ...there.flatMap((worker) => partsOfWorker(name, worker)).flatMap(([, names]) => names),
    ...imageResources(name, DEFAULT_IMAGE, host),
    ...networkResources(name, host),
  ]);
  return [...resources].map((resource) => `**::${resource}`);
}

async function main(stack: string): Promise<LeftAlone> {
  const state = await readState(stack, clonesBackend());
  const plan = planFromStackFile(stack, state.cluster);
  const probes = await probeHosts(state.cluster, plan, state);
  const others = plan.hosts.filter((host) => host !== plan.controllerHost);
  const all = (choose: (host: string) => boolean) =>
    others.filter(choose).flatMap((host) => resourcesOn(host, plan));
  return {
    abandoned: all((host) => plan.host(host).abandoned === true),
    notes: abandonedNotes(plan, state.owner),
    silent: all((host) => probes.get(host)?.failure !== undefined),
  };
}

if (require.main === module) {
  main(process.argv[2] ?? "").then(
    (found) => {
      console.log(JSON.stringify(found));
    },
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    },
  );
}
