// Hosts that do not answer, or are gone for good: Pulumi is told what to leave alone there.
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { declaresHosts } from "./stack.mjs";

/** Patterns of the URNs of what is on such hosts: `{ abandoned, silent }`, and notes for people. */
export async function lookAtHosts(stack) {
  const none = { abandoned: [], silent: [], notes: [] };
  // Without other hosts there is nothing to ask.
  const text = readFileSync(join("stacks", `Pulumi.${stack}.yaml`), "utf8");
  if (!(await declaresHosts(text))) return none;
  return answer("config/leftAlone.ts", stack) ?? none;
}

/** What an `up` could not bring up, by lines of its log of events; see `Failures`. */
export function failures(stack, events) {
  const none = { lines: [], othersReady: false };
  return answer("config/failures.ts", stack, events.join("\n")) ?? none;
}

/** What a program of `config/` prints; nothing where the stack file has a mistake. */
function answer(program, stack, input = "") {
  const { status, stdout } = spawnSync(
    process.execPath,
    ["-r", "./config/translate.cjs", program, stack],
    { encoding: "utf8", input },
  );
  return status === 0 ? JSON.parse(stdout) : undefined;
}

/**
 * Takes resources out of the state, and with them what was made by their means. They stay where
 * they are.
 *
 * @param pulumi runs Pulumi with the arguments given and returns its result.
 */
export function forget(patterns, stack, pulumi) {
  if (patterns.length === 0) return;
  const names = new Set(patterns.map((pattern) => pattern.replace("**", "")));
  const known = () =>
    (
      JSON.parse(pulumi("stack", "export", "--stack", stack).stdout || "{}").deployment
        ?.resources ?? []
    )
      .map(({ urn }) => urn)
      .filter((urn) => names.has(urn.slice(urn.lastIndexOf("::"))));
  const all = known();
  for (const urn of all) {
    pulumi("state", "delete", urn, "--yes", "--force", "--target-dependents", "--stack", stack);
  }
  if (all.length > 0) {
    console.log(`Forgot ${String(all.length)} resources on hosts that are abandoned.`);
  }
}
