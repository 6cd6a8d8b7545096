// Runs the program that a wrapper stands for.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { constants } from "node:os";

/**
 * Runs Pulumi to its end in this process's place; resolves to its exit status.
 *
 * It must see one interrupt for each Ctrl-C, since the second makes it give up. At a terminal the
 * kernel sends it to every process of the group. Elsewhere Pulumi gets a group of its own, and only
 * what is passed on: npm and the group's sender may both interrupt this process for the same cause.
 */
export function runForeground(command, args, env) {
  const terminal = hasTerminal();
  let child;
  let last = 0;
  const passOn = (signal) => {
    if (Date.now() - last > 500) child?.kill(signal);
    last = Date.now();
  };
  process.on("SIGINT", terminal ? () => {} : () => passOn("SIGINT"));
  process.on("SIGTERM", () => passOn("SIGTERM"));
  process.on("SIGHUP", () => passOn("SIGTERM"));
  child = spawn(command, args, { env, stdio: "inherit", detached: !terminal });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (status, signal) => resolve(status ?? 128 + constants.signals[signal]));
  });
}

function hasTerminal() {
  try {
    closeSync(openSync("/dev/tty", "r"));
    return true;
  } catch {
    return false;
  }
}
