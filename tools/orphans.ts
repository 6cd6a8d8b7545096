// `node -r ./config/translate.cjs tools/orphans.ts STACK [--down]`: removes the containers and networks
// of a stack's cluster that its state does not have, because Pulumi was killed between making one and
// recording it, say. They are found by the cluster's fingerprint; what others have is not touched.
//
// With --down, the cluster is being taken down meanwhile: when that is done, a line on stdin says so,
// and what could not be removed until then goes too, volumes included.
import { text } from "node:stream/consumers";

import { CLUSTER_LABEL, OWNER_LABEL, PART_LABEL } from "../components/lib/names";
import type { ClusterPlan } from "../components/lib/plan";
import { planFromStackFile } from "../config/stackFile";
import { clonesBackend, type DockerObject, readState } from "../config/stackState";
import { dockerOn, type HostObject, removeObjects } from "../config/untracked";

const LABELS = [CLUSTER_LABEL, OWNER_LABEL, PART_LABEL].map((label) => `{{.Label "${label}"}}`);

/** How docker lists each kind of thing. */
const LISTS: [DockerObject["kind"], string[], string][] = [
  ["container", ["ps", "--all", "--no-trunc"], "{{.ID}}|{{.Names}}"],
  ["network", ["network", "ls", "--no-trunc"], "{{.ID}}|{{.Name}}"],
  ["volume", ["volume", "ls"], "{{.Name}}|{{.Name}}"],
];

/** All that a cluster has on a host by its fingerprint. */
async function objectsOf(owner: string, plan: ClusterPlan, host: string): Promise<HostObject[]> {
  const lists = LISTS.map(async ([kind, words, names]) => {
    const format = [names, ...LABELS].join("|");
    const filter = ["--filter", `label=${OWNER_LABEL}=${owner}`, "--format", format];
    const lines = await dockerOn(plan, host, ...words, ...filter);
    return lines.map((line): HostObject => {
      const [id = "", name = "", cluster = "", by = "", part = ""] = line.split("|");
      return { kind, id, name, cluster, owner: by, part, host };
    });
  });
  return (await Promise.all(lists)).flat();
}

async function main(stack: string, down: boolean): Promise<void> {
  const state = await readState(stack, clonesBackend());
  const { owner } = state;
  if (owner === undefined) {
    return;
  }
  const plan = planFromStackFile(stack, state.cluster);
  const hosts = plan.hosts.filter((host) => !plan.leftAlone(host));
  const found = await Promise.all(
    hosts.map((host) =>
      objectsOf(owner, plan, host).catch((error: unknown) => {
        console.error(`host ${host}: ${error instanceof Error ? error.message : String(error)}`);
        return [];
      }),
    ),
  );
  const untracked = found.flat().filter((object) => !state.tracks(object.host, object));
  const volumes = untracked.filter(({ kind }) => kind === "volume");
  const others = untracked.filter(({ kind }) => kind !== "volume");
  const left = [...(await removeObjects(plan, others, console.log)), ...volumes];
  if (down && left.length > 0 && (await text(process.stdin)) !== "") {
    for (const { kind, name, host } of await removeObjects(plan, left, console.log)) {
      console.error(`${kind} ${name} on host ${host} could not be removed`);
    }
  }
}

const [stack = "dev", option] = process.argv.slice(2);
main(stack, option === "--down").then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  },
);
