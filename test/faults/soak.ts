import { readFileSync } from "node:fs";
import { join } from "node:path";

import { CONTAINER_FAULTS, cutLink, type Fault, HOST_FAULTS, recovery, timing } from "./faults";
import { type Ends, type HostCluster, type WorkerName } from "./hostCluster";
import { random } from "../random";

/** What supervises a container, or makes up its controller, and what that uses. */
interface Footprint {
  processes: number;
  descriptors: number;
  mebibytes: number;
}

const PARTS: (WorkerName | "controller")[] = ["controller", "a", "b", "c"];
const FOOTPRINT = readFileSync(join(__dirname, "footprint.sh"), "utf8");

/**
 * Descriptors and MiB by which a part may be above what it was at first. The controller's processes
 * inherit some ten descriptors more or less each, by how far it was when it forked them.
 */
const MORE_DESCRIPTORS = 80;
const MORE_MEBIBYTES = 40;

async function footprint(
  cluster: HostCluster,
  part: WorkerName | "controller",
): Promise<Footprint> {
  const command = `docker exec -i ${cluster.container(part)} bash -s`;
  const printed = await cluster.hostOf(part).exec(command, { input: FOOTPRINT });
  const [processes = NaN, descriptors = NaN, kibibytes = NaN] = printed.split(" ").map(Number);
  return { processes, descriptors, mebibytes: Math.round(kibibytes / 1024) };
}

/** Faults drawn at random: ten, or fewer where there is less than a minute for each. */
export function drawFaults(seconds: number, seed: number): Fault[] {
  const all = [...CONTAINER_FAULTS, ...HOST_FAULTS, ...(seconds < 600 ? [] : [cutLink(60)])];
  const next = random(seed);
  const count = Math.min(10, Math.max(3, Math.floor(seconds / 25)));
  return Array.from({ length: count }, () => all[Math.floor(next() * all.length)] as Fault);
}

/**
 * One fault after the other, while load-balanced tasks go on: every task must end, done or with
 * EngineError, all engines must be back, and nothing may have grown. What a client sends to a
 * controller whose host has just lost its power reaches nobody who could tell: it is counted apart.
 *
 * @param print takes each line of what happens, figures included.
 * @returns what was not as it should be.
 */
export async function soak(
  cluster: HostCluster,
  seconds: number,
  seed: number,
  print: (line: string) => void,
): Promise<string[]> {
  const wrong: string[] = [];
  const faults = drawFaults(seconds, seed);
  print(`${String(faults.length)} faults in ${String(seconds)} s, seed ${String(seed)}`);
  await cluster.fullStrength(30);
  await cluster.ask("stream");
  const before = await Promise.all(PARTS.map((part) => footprint(cluster, part)));
  const started = Date.now();
  const powerCuts: { from: number; to: number }[] = [];
  for (const [index, fault] of faults.entries()) {
    const begin = started + (index * seconds * 1000) / faults.length;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, begin - Date.now())));
    const from = Date.now() / 1000;
    await recovery(cluster, fault).then(
      (taken) => print(timing(fault.name, taken, fault.allowed)),
      (error: unknown) => wrong.push(`${fault.name}: ${String(error)}`),
    );
    if (fault.takesQueue === true) powerCuts.push({ from: from - 1, to: Date.now() / 1000 + 1 });
  }
  await new Promise((resolve) =>
    setTimeout(resolve, Math.max(0, started + seconds * 1000 - Date.now())),
  );
  const { sent, ends, hung } = await cluster.ask<{ sent: number; ends: Ends; hung: number[] }>(
    "end_stream",
  );
  print(`${String(sent)} tasks: ${JSON.stringify(ends)}`);
  const { done = 0, EngineError: failed = 0, hangs = 0 } = ends;
  const lost = hung.filter((time) => !powerCuts.some(({ from, to }) => from < time && time < to));
  if (done + failed + hangs !== sent) wrong.push("tasks ended in another way");
  if (lost.length > 0) wrong.push(`${String(lost.length)} tasks were lost without an error`);
  if (hangs > lost.length) print(`${String(hangs)} tasks were sent to a host without power`);
  if (done < sent / 2) wrong.push("most tasks failed");
  await cluster.fullStrength(30).catch((error: unknown) => wrong.push(String(error)));
  const after = await Promise.all(PARTS.map((part) => footprint(cluster, part)));
  for (const [index, part] of PARTS.entries()) {
    const [first, last] = [before[index] as Footprint, after[index] as Footprint];
    print(`${part.padEnd(10)} ${describe(first)}  ->  ${describe(last)}`);
    if (
      !(last.processes <= first.processes) ||
      !(last.descriptors <= first.descriptors + MORE_DESCRIPTORS) ||
      !(last.mebibytes <= first.mebibytes + MORE_MEBIBYTES)
    ) {
      wrong.push(`${part} has grown`);
    }
  }
  return wrong;
}

function describe({ processes, descriptors, mebibytes }: Footprint): string {
  return `${String(processes)} processes, ${String(descriptors)} descriptors, ${String(mebibytes)} MiB`;
}
