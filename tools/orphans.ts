// `node -r ./config/translate.cjs tools/orphans.ts STACK [--down]`: removes the containers and networks
// of a stack's cluster that its state does not have, because Pulumi was killed between making one and
// recording it, say. They are found by the cluster's fingerprint; what others have is not touched.
//
// With --down, the cluster is about to be taken down. A first line `ready` says that the state was read,
// and may change. Then lines on stdin say what to remove: `containers`, which may keep a network in use,
// and `all`, volumes included, when the rest is gone.
import { createInterface } from "node:readline";

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
  if (down) {
    console.log("ready");
  }
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
  let untracked = found.flat().filter((object) => !state.tracks(object.host, object));
  const remove = async (...kinds: DockerObject["kind"][]) => {
    const removed = untracked.filter(({ kind }) => kinds.includes(kind));
    const others = untracked.filter(({ kind }) => !kinds.includes(kind));
    untracked = [...others, ...(await removeObjects(plan, removed, console.log))];
  };
  if (!down) {
    await remove("container", "network");
  } else if (untracked.length > 0) {
    for await (const line of createInterface({ input: process.stdin })) {
      await (line === "all" ? remove("container", "network", "volume") : remove("container"));
      for (const { kind, name, host } of line === "all" ? untracked : []) {
        console.error(`${kind} ${name} on host ${host} could not be removed`);
      }
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
