// The processes of a run of Pulumi, and its locks: how they are found, and how they are ended.
//
// Plugins are in process groups of their own, and stay for minutes when Pulumi is killed. A variable
// in their environment says which run they belong to, whatever process has started them.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync } from "node:fs";
import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { local, root, stateFolder } from "./context.mjs";

const VARIABLE = "IPYPARALLEL_RUN";
const folderId = createHash("sha256").update(root).digest("hex").slice(0, 16);

/** The variable for what this process runs: who owns the run, and in which clone. */
export const runVariable = { [VARIABLE]: `${String(process.pid)}@${folderId}` };

/** How long an interrupted run may take to end what is under way, in milliseconds. */
export const CANCEL_MS = 30_000;

/** Whether a process exists; one that has ended and that nobody has waited for exists too. */
export function exists(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/**
 * The command line of a process, "" if it has ended, undefined where this machine does not say.
 *
 * @param ps runs `ps` with arguments; returns what it prints, undefined if it fails.
 */
export function commandOf(pid, ps = runPs) {
  if (!exists(pid)) return "";
  const line = ps(["-p", String(pid), "-o", "stat=", "-o", "args="])?.trim();
  if (line) return line.startsWith("Z") ? "" : line.replace(/^\S+\s+/, "");
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, "utf8")
      .replaceAll("\0", " ")
      .trim();
  } catch {
    return undefined;
  }
}

function runPs(args) {
  const env = { ...process.env, LC_ALL: "C" };
  const { status, stdout } = spawnSync("ps", args, { encoding: "utf8", env, maxBuffer: 1 << 28 });
  return status === 0 ? stdout : undefined;
}

/** The processes that runs of this clone have started: `{ pid, owner }`, the owner's a PID too. */
export function runProcesses(platform = process.platform, ps = runPs) {
  const found = platform === "linux" ? environments() : environmentsByPs(ps);
  return found.flatMap(([pid, text]) => {
    const owner = new RegExp(`(?:^|[\\0 ])${VARIABLE}=(\\d+)@${folderId}(?:[\\0 ]|$)`).exec(text);
    return owner ? [{ pid: Number(pid), owner: Number(owner[1]) }] : [];
  });
}

function environments() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [[pid, readFileSync(`/proc/${pid}/environ`, "latin1")]];
      } catch {
        return []; // It has ended, or is another user's.
      }
    });
}

/** As macOS has it: `-E` shows the environment behind the command. */
function environmentsByPs(ps) {
  const lines = (ps(["-A", "-E", "-ww", "-o", "pid=", "-o", "command="]) ?? "").split("\n");
  return lines.flatMap((line) => {
    const [, pid, text] = /^\s*(\d+)\s(.*)$/.exec(line) ?? [];
    return pid === undefined ? [] : [[pid, text]];
  });
}

/** Waits until `done()` is true, at most so long; resolves to whether it is. */
export async function waitUntil(done, milliseconds) {
  const deadline = Date.now() + milliseconds;
  while (!done()) {
    if (Date.now() > deadline) return false;
    await sleep(100);
  }
  return true;
}

/** Kills what is left of a run, and takes away its locks. */
export async function removeLeftovers(owner, pulumi) {
  const left = () => runProcesses().filter((one) => one.owner === owner);
  await waitUntil(() => {
    for (const { pid } of left()) signal(pid, "SIGKILL");
    return left().length === 0;
  }, 5000);
  for (const { file, lock } of stateLocks()) {
    if (lock.hostname === hostname() && lock.pid === pulumi) releaseLock(file);
  }
}

/** Sends a signal to a process, unless it has ended. */
export function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended meanwhile.
  }
}

const interruptedMark = (stack) => join(local, "interrupted", `${stack}.json`);

/** Takes a lock away whose holder has ended, and remembers that it was interrupted. */
export function releaseLock(file) {
  const mark = interruptedMark(basename(dirname(file)));
  mkdirSync(dirname(mark), { recursive: true });
  renameSync(file, mark);
}

/** The file that says that the last run on a stack was interrupted and could not release its lock. */
export const interruptedRun = (stack) => {
  const mark = interruptedMark(stack);
  return existsSync(mark) ? mark : undefined;
};

/** The locks of the local backend, of one stack or of all: `{ file, lock }`. */
export function stateLocks(stack) {
  const folder = join(stateFolder, ".pulumi", "locks");
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true })
    .filter((name) => name.endsWith(".json"))
    .map((name) => join(folder, name))
    .filter((file) => stack === undefined || basename(dirname(file)) === stack)
    .flatMap((file) => {
      try {
        return [{ file, lock: JSON.parse(readFileSync(file, "utf8")) }];
      } catch {
        return []; // It is gone, or is being written.
      }
    });
}

/** Whether the process that holds a lock has ended; of another machine, it is not known. */
export function isStale(lock, command = commandOf) {
  if (lock.hostname !== hostname()) return false;
  const line = command(lock.pid);
  return line !== undefined && !line.includes("pulumi");
}
