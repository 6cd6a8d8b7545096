import { CONTROLLER, dockerName } from "../components/lib/names";
import type { ClusterPlan } from "../components/lib/plan";
import {
  controllerProblem,
  type EngineStatus,
  type Part,
  type Probe,
  takenNames,
} from "./preflight";
import { OPEN_PORTS, portList } from "./reach";

/** One worker, as declared and as found. */
export interface WorkerStatus {
  worker: string;
  host: string;
  /**
   * State of the container: Docker's word, `missing`, `unknown` where nothing answers, or `foreign`
   * where another cluster has one of that name.
   */
  container: string;
  /** Number of engines in the stack file. */
  declared: number;
  /** Engines that the controller knows. */
  registered: number;
  /** Engines that answer the controller's heartbeat. */
  answering: number;
  /** Engines with a task. */
  busy: number;
  /** When an engine was last restarted, and why; none where none was. */
  lastRestart?: string;
  reason?: string;
}

/** A whole cluster, as declared and as found. */
export interface ClusterStatus {
  cluster: string;
  controller: { host: string; container: string; state: string; reason?: string };
  workers: WorkerStatus[];
  /** What is not as it should be, in words; empty if all is well. */
  missing: string[];
}

/** Free bytes below which a host's disk counts as full. */
const FULL_BELOW = 16 * 1024 ** 2;

/** Ends of an engine in two minutes from which on it counts as restarted again and again. */
const CRASH_LOOP_ENDS = 3;

/** Whether an engine does what it should. */
function works({ state = "", answers = true }: EngineStatus): boolean {
  return answers && ["registered", "answering", "busy"].includes(state);
}

/**
 * What a cluster's hosts say of it.
 *
 * @param notes what is wrong besides: on this machine, or with the stack's state.
 */
export function clusterStatus(
  plan: ClusterPlan,
  probes: Map<string, Probe>,
  notes: string[] = [],
): ClusterStatus {
  const missing = [...probes].flatMap(([host, probe]) => {
    const taken = takenNames(plan, host, probe);
    return taken === undefined ? [] : [`host ${host}: ${taken}`];
  });
  const look = (part: string, host: string): Part => {
    const probe = probes.get(host);
    if (plan.leftAlone(host)) {
      return { state: "abandoned" };
    }
    if (probe === undefined || probe.failure !== undefined) {
      missing.push(`${part}: host ${host} does not answer (${probe?.failure ?? "not asked"})`);
      return { state: "unknown" };
    }
    const foreign = probe.foreign?.some(
      ({ kind, name }) => kind === "container" && name === dockerName(plan.name, part),
    );
    const found = probe.parts.get(part) ?? { state: foreign === true ? "foreign" : "missing" };
    if (found.state !== "running" && found.state !== "foreign") {
      missing.push(
        `${part}: its container on host ${host} is ${found.state}${remedy(plan, part, found.state)}`,
      );
    }
    if (found.silence !== undefined) {
      missing.push(`${part}: its container runs, but can't be asked${because(found.silence)}`);
    }
    if ((probe.disk ?? Infinity) < FULL_BELOW) {
      missing.push(`${part}: the disk of host ${host} is full`);
    }
    return found;
  };

  const controller = look(CONTROLLER, plan.controllerHost);
  const known = controller.status?.engines ?? [];
  const state = controller.status?.state ?? "unknown";
  if (controller.state === "running" && state !== "answering") {
    missing.push(`${CONTROLLER}: ${state}${because(controller.status?.reason)}`);
  }

  const workers = plan.workers.map(({ name, host, engines: declared }): WorkerStatus => {
    const { state: container, status } = look(name, host);
    const engines = status?.engines ?? [];
    const atHub = known.filter(({ worker }) => worker === name);
    for (const engine of engines.filter((one) => !works(one))) {
      const { slot, reason } = engine;
      const how = works({ ...engine, answers: true })
        ? "does not answer"
        : `is ${engine.state ?? "unknown"}${because(reason)}`;
      missing.push(`${name}: engine ${String(slot)} ${how}`);
    }
    for (const { slot, reason, recent_ends: ends = 0, without_home: cause } of engines) {
      if (ends >= CRASH_LOOP_ENDS) {
        missing.push(
          `${name}: engine ${String(slot)} ended ${String(ends)} times in the last 2 minutes` +
            because(reason),
        );
      }
      if (cause) {
        missing.push(
          `${name}: engine ${String(slot)} runs without the profile and modules in /home/ipp, ` +
            `since it could not start with them (${cause}); remove what a task left there, then ` +
            `\`docker restart ${dockerName(plan.name, name)}\``,
        );
      }
    }
    if (status?.superseded === true) {
      missing.push(
        `${name}: was set up in another container since; \`npm run up\` sets it up in this one again`,
      );
    } else if (status !== undefined && engines.length < declared) {
      missing.push(
        `${name}: ${String(engines.length)} of ${String(declared)} engines are declared there`,
      );
    }
    for (const [folder, disk] of Object.entries(status?.disks ?? {})) {
      if (disk.full) {
        missing.push(`${name}: the disk of ${folder} is full`);
      }
    }
    if (status?.clock?.off === true) {
      const seconds = Math.round(status.clock.ahead_seconds ?? 0);
      missing.push(`${name}: its clock is ${String(seconds)} s ahead of the controller's`);
    }
    for (const change of status?.drift ?? []) {
      missing.push(`${name}: ${change}; \`npm run up\` repairs it`);
    }
    const last = engines
      .filter(({ last_restart }) => last_restart != null)
      .sort((a, b) => (b.last_restart ?? 0) - (a.last_restart ?? 0))[0];
    return {
      worker: name,
      host,
      container,
      declared,
      registered: atHub.length,
      answering: engines.filter(works).length,
      busy: atHub.filter(({ tasks = 0 }) => tasks > 0).length,
      ...(last?.last_restart == null
        ? {}
        : { lastRestart: new Date(last.last_restart * 1000).toISOString(), reason: last.reason }),
    };
  });
  for (const [host, probe] of probes) {
    if (probe.failure !== undefined || plan.leftAlone(host)) {
      continue;
    }
    const lost = controllerProblem(plan, probe);
    if (lost !== undefined) {
      missing.push(`host ${host}: ${lost}`);
    }
    const running = (probe.unreached ?? []).filter(
      ({ part }) => probe.parts.get(part)?.state === "running",
    );
    if (running[0] !== undefined) {
      missing.push(
        `host ${host}: ports ${portList(running)} can't be reached from this machine ` +
          `(${running[0].reason}): ${OPEN_PORTS}`,
      );
    }
  }
  for (const [host, { parts }] of probes) {
    const moved = [...parts].filter(
      ([part, { status }]) =>
        status?.superseded === true &&
        !plan.workers.some((worker) => worker.name === part && worker.host === host),
    );
    for (const [part] of moved) {
      missing.push(
        `${part}: an old container of it is left on host ${host}, without engines; remove it there: ` +
          `\`docker rm -fv ${dockerName(plan.name, part)}\``,
      );
    }
  }
  missing.push(...notes);
  return {
    cluster: plan.name,
    controller: {
      host: plan.controllerHost,
      container: controller.state,
      state,
      ...(controller.status?.reason ? { reason: controller.status.reason } : {}),
    },
    workers,
    missing,
  };
}

/** What brings a container back that does not come back without help. */
function remedy({ name }: ClusterPlan, part: string, state: string): string {
  if (state === "paused") {
    return `; \`docker unpause ${dockerName(name, part)}\` there lets it go on`;
  }
  // Docker restarts no container that was stopped or killed on purpose.
  return ["created", "dead", "exited", "missing"].includes(state)
    ? "; `npm run up` brings it back"
    : "";
}

function because(reason: string | undefined): string {
  return reason === undefined || reason === "" ? "" : `: ${reason}`;
}

/** A cluster's status as a table, and below it what is missing. */
export function statusTable({ controller, workers, missing }: ClusterStatus): string {
  const head = ["worker", "host", "container", "engines", "registered", "answering", "busy"];
  const rows = [
    [...head, "last restart"],
    [
      "controller",
      controller.host,
      controller.container,
      "",
      "",
      controller.state,
      "",
      controller.reason ?? "",
    ],
    ...workers.map((worker) => [
      worker.worker,
      worker.host,
      worker.container,
      ...[worker.declared, worker.registered, worker.answering, worker.busy].map(String),
      worker.lastRestart === undefined
        ? ""
        : `${worker.lastRestart.slice(0, 19)}Z ${worker.reason ?? ""}`,
    ]),
  ];
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => (row[column] ?? "").length)),
  );
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths?.[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  const verdict = missing.length === 0 ? ["all is well"] : missing.map((line) => `! ${line}`);
  return [...lines, "", ...verdict].join("\n");
}
