// After Pulumi was killed: its processes and lock, what it made without noting it, and what it noted
// as begun.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import {
  CANCEL_MS,
  commandOf,
  interruptedRun,
  isStale,
  releaseLock,
  removeLeftovers,
  runProcesses,
  stateLocks,
  waitUntil,
} from "./runs.mjs";

/**
 * Ends what is left of runs of this clone whose owner was killed. Mostly their guard is at it, and
 * gives them some time.
 */
async function endOrphanedRuns() {
  const orphans = () => runProcesses().filter(({ owner }) => commandOf(owner) === "");
  if (orphans().length === 0) return;
  console.log("A run that was killed is still ending; waiting for it.");
  await waitUntil(() => orphans().length === 0, CANCEL_MS + 5000);
  for (const { owner, pid } of orphans()) await removeLeftovers(owner, pid);
}

/**
 * Repairs what a killed run of Pulumi has left, if there was one; does nothing otherwise. Resolves to
 * whether nobody else is at work on the stack.
 *
 * @param pulumi runs Pulumi with the arguments given, and returns what it printed.
 * @param refresh refreshes the state, with further options.
 */
export async function recover(stack, pulumi, refresh) {
  await endOrphanedRuns();
  const held = stateLocks(stack);
  if (!held.every(({ lock }) => isStale(lock))) return false; // somebody is at work: Pulumi says who
  held.forEach(({ file }) => releaseLock(file));
  const mark = interruptedRun(stack);

  const state = pulumi("stack", "export", "--stack", stack);
  if (mark === undefined && !hasPendingOperations(state)) return true;
  console.log(`The previous run on stack ${stack} was interrupted; cleaning up.`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["-r", "./config/translate.cjs", "tools/orphans.ts", stack],
    { input: state, encoding: "utf8" },
  );
  process.stdout.write(stdout);
  if (status !== 0) process.stderr.write(stderr);
  const options = ["--yes", "--skip-preview", "--clear-pending-creates", "--stack", stack];
  const refreshed = await refresh(...options);
  if (mark !== undefined && refreshed === 0) rmSync(mark, { force: true });
  return true;
}

function hasPendingOperations(state) {
  const { deployment } = JSON.parse(state || "{}");
  return (deployment?.pending_operations?.length ?? 0) > 0;
}
