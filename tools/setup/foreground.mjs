// Runs Pulumi, and sees to its end, whatever is killed.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import { CANCEL_MS, removeLeftovers, runVariable } from "./runs.mjs";

/** How long Pulumi may take to end at a second interrupt, in milliseconds. */
const GIVE_UP_MS = 10_000;

/** How often a run looks whether npm, which started it, is still there. */
const PARENT_MS = 500;

const parent = process.ppid;

/** Whether npm, which started this process, has been killed. A shell may end before its commands. */
const isOrphan = () => process.env.npm_lifecycle_event !== undefined && process.ppid !== parent;

let interrupted = false;
/** Whether a run was to end early: by Ctrl-C, a signal, or the end of npm or the terminal. */
export const wasInterrupted = () => interrupted;

let child;
let last = 0;
let onInterrupt = () => {};
const terminal = hasTerminal();

/** Sends Pulumi a signal; the same cause may reach this process more than once. */
function pass(name) {
  if (Date.now() - last > 500) child?.kill(name);
  last = Date.now();
}

function interrupt(name) {
  interrupted = true;
  if (name !== undefined) pass(name);
  onInterrupt();
}

/** As `interrupt`, for what does not ask to hurry when it comes second. */
function interruptOnce() {
  if (!interrupted) interrupt("SIGTERM");
}

let prepared = false;
function prepare() {
  if (prepared) return;
  prepared = true;
  process.on("SIGINT", () => interrupt(terminal ? undefined : "SIGINT"));
  process.on("SIGTERM", () => interrupt("SIGTERM"));
  process.on("SIGHUP", interruptOnce);
  setInterval(() => isOrphan() && interruptOnce(), PARENT_MS).unref();
  // The terminal, or what reads a pipe, may be gone; what is left to do is done all the same.
  for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}

/**
 * Runs Pulumi to its end in this process's place; resolves to its exit status.
 *
 * It must see one interrupt for each Ctrl-C, since the second makes it give up. At a terminal the
 * kernel sends it to every process of the group. Elsewhere Pulumi gets a group of its own, and only
 * what is passed on: npm and the group's sender may both interrupt this process for the same cause.
 * An interrupted Pulumi ends within `CANCEL_MS` and `GIVE_UP_MS`, and leaves no plugin and no lock.
 *
 * @param options `events`: the log of events, of which the guard has to know; `quiet`: prints nothing.
 */
export async function runForeground(command, args, env, { events, quiet = false } = {}) {
  prepare();
  if (isOrphan()) interrupted = true;
  if (interrupted) return 128 + constants.signals.SIGTERM;
  // A terminal that is closed sends Pulumi a signal, too, at which it would end in disorder.
  child = spawn("sh", ["-c", 'trap "" HUP; exec "$@"', "sh", command, ...args], {
    env: { ...env, ...runVariable },
    stdio: quiet ? "ignore" : "inherit",
    detached: !terminal,
  });
  const end = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(status ?? 128 + constants.signals[signal]));
  });
  const { pid } = child;
  const dismiss = guard(pid, events);
  const timers = [];
  onInterrupt = () => {
    if (timers.length > 0) return;
    timers.push(
      setTimeout(() => {
        console.error(`Not everything has ended within ${String(CANCEL_MS / 1000)} s: giving up.`);
        child?.kill("SIGTERM");
      }, CANCEL_MS),
      setTimeout(() => child?.kill("SIGKILL"), CANCEL_MS + GIVE_UP_MS),
    );
  };
  const status = await end;
  child = undefined;
  onInterrupt = () => {};
  timers.forEach(clearTimeout);
  if (status !== 0) await removeLeftovers(process.pid, pid);
  dismiss();
  return status;
}

/**
 * A process that ends Pulumi should this one be killed; returns what sends it away. It is a shell
 * that waits for a line, since Node.js takes a while to start and is mostly not needed.
 */
function guard(pulumi, events) {
  const program = [process.execPath, fileURLToPath(new URL("guard.mjs", import.meta.url))];
  const args = [process.pid, pulumi, ...(events === undefined ? [] : [events])].map(String);
  const watch = 'trap "" INT HUP; read -r line || exec "$@"';
  const watcher = spawn("sh", ["-c", watch, "sh", ...program, ...args], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  watcher.on("error", () => {});
  watcher.stdin.on("error", () => {});
  watcher.unref();
  watcher.stdin.unref?.();
  return () => watcher.stdin.end("\n");
}

function hasTerminal() {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
