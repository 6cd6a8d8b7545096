// `node -r ./config/translate.cjs config/failures.ts STACK < EVENTS`: which workers an `up` could not
// bring up, and why, as JSON. EVENTS are lines of Pulumi's log of events.
import { readFileSync } from "node:fs";

import type { ClusterPlan } from "../components/lib/plan";
import { partsOf } from "./leftAlone";
import { planFromStackFile } from "./stackFile";

/** An event of Pulumi's engine, as far as it is used here. */
export interface EngineEvent {
  /** Something that is told, mostly of a resource. */
  diagnosticEvent?: { urn?: string; severity: string; message: string };
  /** A step that failed. */
  resOpFailedEvent?: Step;
  /** A step that was done. */
  resOutputsEvent?: Step;
}

interface Step {
  metadata: { urn: string };
}

/** What an `up` could not do. */
export interface Failures {
  /** A line for each worker that could not be brought up: its host, the step and the reason. */
  workers: string[];
  /** Whether that is all that failed, and the other workers are ready. */
  othersReady: boolean;
}

/** What an `up` could not do, by its events. */
export function failuresOf(plan: ClusterPlan, events: EngineEvent[]): Failures {
  const resources = (steps: (Step | undefined)[]) =>
    new Set(steps.flatMap((step) => (step === undefined ? [] : resourceName(step.metadata.urn))));
  const failed = resources(events.map(({ resOpFailedEvent }) => resOpFailedEvent));
  const done = resources(events.map(({ resOutputsEvent }) => resOutputsEvent));
  const reasons = new Map(
    events.flatMap(({ diagnosticEvent: told }) =>
      told?.severity === "error" && told.urn !== undefined
        ? [[resourceName(told.urn), inOneLine(told.message)] as const]
        : [],
    ),
  );
  const workers: string[] = [];
  const explained = new Set<string>();
  for (const worker of plan.workers) {
    const culprits = partsOf(plan.name, worker).flatMap(([part, names]) =>
      names.filter((name) => failed.has(name)).map((name) => ({ part, name })),
    );
    const [first] = culprits;
    if (first !== undefined) {
      const reason = reasons.get(first.name) ?? "failed";
      workers.push(`worker ${worker.name} on host ${worker.host}: ${first.part}: ${reason}`);
    }
    culprits.forEach(({ name }) => explained.add(name));
  }
  return {
    workers,
    othersReady:
      workers.length > 0 &&
      explained.size === failed.size &&
      done.has(`${plan.name}-readiness-check`),
  };
}

function resourceName(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** What a message begins with, and its end: the last that a command or a build printed. */
function inOneLine(message: string): string {
  const lines = message
    .split("\n")
    .map((line) => line.replace(/^\s*\* /, "").trim())
    .filter((line) => line !== "" && !/^\d+ errors? occurred:$/.test(line));
  return [...new Set([lines[0], lines.at(-1)])].join(" ");
}

if (require.main === module) {
  const lines = readFileSync(0, "utf8").split("\n").filter(Boolean);
  const events = lines.map((line) => JSON.parse(line) as EngineEvent);
  console.log(JSON.stringify(failuresOf(planFromStackFile(process.argv[2] ?? ""), events)));
}
