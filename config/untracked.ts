// What is a cluster's own on its hosts, as its labels say, and not in its state: Pulumi was killed
// between making it and recording it, or a refresh did not reach the host's Docker.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { hostCommand } from "../components/lib/hosts";
import { dockerName } from "../components/lib/names";
import type { ClusterPlan } from "../components/lib/plan";
import { quote } from "../components/lib/quote";
import type { Probe } from "./preflight";
import type { DockerObject, StackState } from "./stackState";

/** Something on a host. */
export type HostObject = DockerObject & { host: string };

/** What is done with it at the next `up`: it is removed, or taken over into the state. */
export interface Untracked {
  /** Containers, which are made again, and networks of a name that is there twice. */
  remove: HostObject[];
  /** Networks, in which containers run. */
  import: HostObject[];
  /** Volumes, which keep what is in them: making one that exists takes it over. */
  keep: HostObject[];
}

/** What is on the hosts of a cluster and not in its state. */
export function findUntracked(
  plan: ClusterPlan,
  probes: Map<string, Probe>,
  state: StackState,
): Untracked {
  const found: Untracked = { remove: [], import: [], keep: [] };
  for (const [host, { untracked = [] }] of probes) {
    const ipv6 = plan.dialsIpv6 && host !== plan.controllerHost;
    const network = dockerName(plan.name, ...(ipv6 ? ["ipv6"] : []));
    for (const object of untracked) {
      const missing =
        object.kind === "network" &&
        object.name === network &&
        !state.networks.has(host) &&
        found.import.every((other) => other.host !== host);
      const what = object.kind === "volume" ? "keep" : missing ? "import" : "remove";
      found[what].push({ ...object, host });
    }
  }
  return found;
}

/** What `up` does with it, a line each. */
export function untrackedNotes({ remove, import: imported, keep }: Untracked): string[] {
  const lines = (objects: HostObject[], then: string) =>
    objects.map((object) => `${described(object)} is not in the state; \`npm run up\` ${then}`);
  return [
    ...lines(remove, "removes it, and makes what is declared"),
    ...lines(imported, "takes it over"),
    ...lines(keep, "takes it over if a worker mounts it, and `npm run down` removes it"),
  ];
}

function described({ kind, name, host }: HostObject): string {
  return `${kind} ${name} on host ${host}`;
}

/** Runs docker on a host; resolves to the lines that it prints. */
export async function dockerOn(
  plan: ClusterPlan,
  host: string,
  ...words: string[]
): Promise<string[]> {
  const [program = "", ...args] = hostCommand(plan.host(host), quote("docker", ...words));
  const { stdout } = await promisify(execFile)(program, args, { timeout: TIMEOUT });
  return stdout.split("\n").filter(Boolean);
}

/** Milliseconds that a command on a host may take. */
const TIMEOUT = 30_000;

/**
 * Removes things from their hosts, containers first.
 *
 * @returns those that could not be removed: what is in use, mostly.
 */
export async function removeObjects(
  plan: ClusterPlan,
  objects: HostObject[],
  report: (line: string) => void,
): Promise<HostObject[]> {
  const remove = async (object: HostObject): Promise<HostObject[]> => {
    const words =
      object.kind === "container" ? ["rm", "--force", "--volumes"] : [object.kind, "rm"];
    try {
      await dockerOn(plan, object.host, ...words, object.id);
      report(`removed ${described(object)}, which was not in the state`);
      return [];
    } catch {
      return [object];
    }
  };
  const all = async (of: (object: HostObject) => boolean) =>
    (await Promise.all(objects.filter(of).map(remove))).flat();
  const containers = await all(({ kind }) => kind === "container");
  return [...containers, ...(await all(({ kind }) => kind !== "container"))];
}
