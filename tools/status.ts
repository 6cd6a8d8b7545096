// `npm run status`: what of a cluster runs, and what is missing.
//
// It asks the hosts of the stack file, side by side, and looks at the profile on this machine. What
// belongs to the cluster the stack's state says, which is read as a file where it is one.
import { clientVersion, clientWarning } from "../config/clientWarning";
import { probeHosts } from "../config/preflight";
import { checkProfile } from "../config/profileFiles";
import { planFromStackFile } from "../config/stackFile";
import { clonesBackend, readState } from "../config/stackState";
import { clusterStatus, statusTable } from "../config/status";
import { findUntracked, untrackedNotes } from "../config/untracked";

/** A cluster as its stack file and its state declare it, and as it is found. */
export async function findCluster(stack: string) {
  planFromStackFile(stack); // first of all, there must be such a file
  const state = await readState(stack, clonesBackend());
  const plan = planFromStackFile(stack, state.cluster);
  const probes = await probeHosts(state.cluster, plan, state);
  const { conflict, drift } = checkProfile(plan.profile, state);
  const status = clusterStatus(plan, probes, [
    ...untrackedNotes(findUntracked(plan, probes, state)),
    ...(conflict === undefined ? [] : [conflict]),
    ...(drift === undefined ? [] : [`${drift}; \`npm run up\` writes it again`]),
  ]);
  return { plan, probes, status };
}

/** Prints a cluster's status; resolves to 0 if all is well, 1 if something is missing, else 2. */
export async function status(stack: string, json: boolean): Promise<number> {
  try {
    const { probes, status } = await findCluster(stack);
    console.log(json ? JSON.stringify(status, undefined, 2) : statusTable(status));
    const warning = clientWarning(clientVersion(), [...probes.values()]);
    if (warning !== undefined) {
      console.error(`warning: ${warning}`);
    }
    return status.missing.length === 0 ? 0 : 1;
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
    return 2;
  }
}
