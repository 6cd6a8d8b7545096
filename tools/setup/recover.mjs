// After Pulumi was killed: its lock, what it made without noting it, and what it noted as begun.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { stateFolder } from "./context.mjs";

/** Whether the process that holds a lock has ended; one of another machine can't be looked at. */
export function isStale(lock) {
  if (lock.hostname !== hostname()) return false;
  try {
    return !readFileSync(`/proc/${String(lock.pid)}/cmdline`, "utf8").includes("pulumi");
  } catch {
    return true;
  }
}

/** The locks on a stack of the local backend. */
function locks(project, stack) {
  const folder = join(stateFolder, ".pulumi", "locks", "organization", project, stack);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
}

/**
 * Mends what a killed run of Pulumi has left, if there was one; does nothing otherwise.
 *
 * @param pulumi runs Pulumi with the arguments given and returns its result.
 */
export function recover(project, stack, pulumi) {
  const held = locks(project, stack);
  const killed = held.length > 0 && held.every(isStale);
  if (killed) pulumi("cancel", "--yes", "--stack", stack);
  else if (held.length > 0) return; // somebody is at work: Pulumi says who

  const state = pulumi("stack", "export", "--stack", stack).stdout ?? "";
  if (!killed && !state.includes('"pending_operations"')) return;
  console.log(`The last run on stack ${stack} was cut short; mending what it left.`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["-r", "./config/translate.cjs", "tools/orphans.ts", stack],
    { input: state, encoding: "utf8" },
  );
  process.stdout.write(stdout);
  if (status !== 0) process.stderr.write(stderr);
  pulumi("refresh", "--yes", "--skip-preview", "--clear-pending-creates", "--stack", stack);
}
