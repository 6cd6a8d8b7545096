// `node -r ./config/translate.cjs config/failures.ts STACK < EVENTS`: what an `up` could not bring up,
// and why, as JSON. EVENTS are lines of Pulumi's log of events.
import { readFileSync } from "node:fs";

import type { ClusterPlan } from "../components/lib/plan";
import { partsOfController, partsOfWorker } from "./leftAlone";
import { OPEN_PORTS } from "./reach";
import { planFromStackFile } from "./stackFile";
import { clonesBackend, readState } from "./stackState";

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
  metadata: { op: string; urn: string };
  /** Whether it was only planned, in a preview. */
  planning?: boolean;
}

/** What an `up` could not do. */
export interface Failures {
  /** A line for each worker, or controller, that is not up: its host, the step and the reason. */
  lines: string[];
  /** Whether that is all that failed, and the other workers are ready. */
  othersReady: boolean;
}

/** Steps after which a resource is as it is declared; after a refresh or a deletion it need not be. */
const MAKING = ["same", "create", "update", "create-replacement"];

/** What an `up` could not do, by its events. */
export function failuresOf(plan: ClusterPlan, events: EngineEvent[]): Failures {
  const failures = events.flatMap(({ resOpFailedEvent: step }) => step ?? []);
  const failed = new Set(failures.map(resourceName));
  // What could not be removed keeps nobody from being up.
  const unmade = new Set(
    failures.filter(({ metadata }) => !metadata.op.startsWith("delete")).map(resourceName),
  );
  const reasons = new Map(
    events.flatMap(({ diagnosticEvent: told }) =>
      told?.severity === "error" && told.urn !== undefined
        ? [[nameIn(told.urn), inOneLine(told.message)] as const]
        : [],
    ),
  );
  const checked = events.some(
    ({ resOutputsEvent: step }) =>
      step !== undefined &&
      step.planning !== true &&
      MAKING.includes(step.metadata.op) &&
      resourceName(step) === `${plan.name}-readiness-check`,
  );
  const explained = new Set<string>();
  const lineOf = (who: string, host: string, parts: [part: string, resources: string[]][]) => {
    const culprits = parts.flatMap(([part, names]) =>
      names.filter((name) => unmade.has(name)).map((name) => ({ part, name })),
    );
    culprits.forEach(({ name }) => explained.add(name));
    return culprits
      .slice(0, 1)
      .map(({ part, name }) => `${who} on host ${host}: ${part}: ${reasons.get(name) ?? "failed"}`);
  };
  const controller = lineOf("controller", plan.controllerHost, partsOfController(plan));
  const workers = plan.workers.flatMap((worker) =>
    lineOf(`worker ${worker.name}`, worker.host, partsOfWorker(plan.name, worker)),
  );
  return {
    lines: [...controller, ...workers],
    othersReady:
      checked && controller.length === 0 && workers.length > 0 && explained.size === failed.size,
  };
}

function resourceName({ metadata }: Step): string {
  return nameIn(metadata.urn);
}

function nameIn(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

/** What is to be done where Pulumi can't connect to a container, by the end of what it says. */
const ADVICE: [end: RegExp, advice: string][] = [
  [
    /SSH handshake: .*$/,
    "what listens there says nothing: is it the container, and is nothing in between?",
  ],
  [
    /failed attempts: .*(i\/o timeout|timed out|deadline exceeded|no route to host|unreachable)$/i,
    `nothing comes back from there: ${OPEN_PORTS}`,
  ],
  [
    /administratively prohibited.*$/,
    "the bastion may not forward there: AllowTcpForwarding and PermitOpen of its sshd decide",
  ],
  [/no such host$/, "this machine can't resolve the name: set address of the host"],
];

/** How a message of the command plugin begins; what the command printed follows. */
const FAILED_COMMAND = /^exit status \d+: running ".*":$/;

/** The beginning of a message and its end, or the last line that a failed command printed. */
function inOneLine(message: string): string {
  const lines = message
    .replace(/<\{%[^%]*%\}>/g, "") // where colours begin and end, if Pulumi writes to a terminal
    .split("\n")
    .map((line) => line.replace(/^\s*\* /, "").trim())
    .filter((line) => line !== "" && !/^\d+ errors? occurred:$/.test(line));
  const ends = FAILED_COMMAND.test(lines[0] ?? "") ? [lines.at(-1)] : [lines[0], lines.at(-1)];
  const text = [...new Set(ends)].join(" ");
  const [, advice] = ADVICE.find(([end]) => end.test(text)) ?? [];
  return advice === undefined ? text : `${text}; ${advice}`;
}

if (require.main === module) {
  const lines = readFileSync(0, "utf8").split("\n").filter(Boolean);
  const events = lines.map((line) => JSON.parse(line) as EngineEvent);
  const stack = process.argv[2] ?? "";
  void readState(stack, clonesBackend()).then(({ cluster }) => {
    console.log(JSON.stringify(failuresOf(planFromStackFile(stack, cluster), events)));
  });
}
