import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { environment, REGISTRY, run, script } from "./run";

// In a run's folder there, `owner` tells whose it is, `folder` where its files are.

/** The folder with each run's files. They are large; in /tmp they might be held in memory. */
export const FILES = process.env.TMPDIR ?? "/var/tmp";

/** The owner of a run that stays until it is taken down by hand. */
export const KEPT = "kept";

/** A run as the registry knows it. */
export interface Run {
  /** The run's number, which is also the third number of its addresses. */
  number: number;
  /** {@link KEPT}, or the process that made it. */
  owner: string;
  /** Where its files are. */
  folder: string;
}

// What this process made and has not removed yet goes when it exits.
const mine = new Set<Run>();
process.once("exit", () => mine.forEach(removeNow));

// This process, told apart from a later one of the same number by when it started.
function thisProcess(): string {
  return `${process.pid} ${startOf(process.pid)}`;
}

/**
 * Takes a number that no other run has and makes a folder for the run's files. The run is this
 * process's, and removed when it exits.
 */
export function claim(): Run {
  mkdirSync(REGISTRY, { recursive: true });
  const fresh = mkdtempSync(join(REGISTRY, ".new-"));
  const owner = thisProcess();
  writeFileSync(join(fresh, "owner"), owner);
  for (let number = 1; number < 255; number++) {
    if (isForeign(number)) continue;
    try {
      // A folder with something in it is not replaced: whoever comes second fails here.
      renameSync(fresh, join(REGISTRY, String(number)));
    } catch {
      continue;
    }
    const folder = mkdtempSync(join(FILES, `iph${number}-`));
    writeFileSync(join(REGISTRY, String(number), "folder"), folder);
    const run = { number, owner, folder };
    mine.add(run);
    return run;
  }
  rmSync(fresh, { recursive: true });
  throw new Error(
    "no network is free for test hosts: all of 10.77.1.0/24 to 10.77.254.0/24 are in use",
  );
}

/** Lets a run outlive this process. */
export function keep(run: Run): void {
  run.owner = KEPT;
  writeFileSync(join(REGISTRY, String(run.number), "owner"), KEPT);
  mine.delete(run);
}

/** All runs on this machine. */
export function runs(): Run[] {
  if (!existsSync(REGISTRY)) return [];
  return readdirSync(REGISTRY)
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      number: Number(name),
      owner: read(join(REGISTRY, name, "owner")),
      folder: read(join(REGISTRY, name, "folder")),
    }))
    .filter((run) => run.owner !== "");
}

/** Whether somebody still wants the run: it is kept, or the process that made it lives. */
export function isWanted(run: Run): boolean {
  if (run.owner === KEPT) return true;
  const [pid, start] = run.owner.split(" ");
  return startOf(Number(pid)) === start;
}

/** Removes all that a run made; nothing if that was done before. */
export async function remove(removed: Run): Promise<void> {
  await run(script("remove.sh"), [String(removed.number), removed.owner]);
  mine.delete(removed);
}

function removeNow(run: Run): void {
  const args = [String(run.number), run.owner];
  spawnSync(script("remove.sh"), args, { env: environment(), stdio: "inherit" });
}

/** Removes what runs left behind whose process is gone. */
export async function sweep(): Promise<void> {
  for (const run of runs()) if (!isWanted(run)) await remove(run);
}

// A number is foreign if something else here has such an address or link.
function isForeign(number: number): boolean {
  const interfaces = networkInterfaces();
  const addresses = Object.values(interfaces).flatMap((entries) => entries ?? []);
  return (
    existsSync(`/sys/class/net/iph${number}`) ||
    addresses.some(({ address }) => address.startsWith(`10.77.${number}.`))
  );
}

// When a process started, in ticks since the machine did; empty if there is no such process, or it
// has ended and its parent just has not taken note.
function startOf(pid: number): string {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields[0] === "Z" ? "" : (fields[19] ?? "");
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}
