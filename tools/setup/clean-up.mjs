// What is a cluster's own on its hosts and not in its state, so that Pulumi does not take it down.
import { spawn } from "node:child_process";

/** The first line of the program's output. */
const READY = "ready\n";

/**
 * Begins to look for it, before Pulumi takes the cluster down.
 *
 * @returns `ready`, which resolves when the state was read and may change; `removeContainers`, for
 *     when nobody else is making some; and `end`, which takes whether the cluster is down, removes the
 *     rest if it is, and prints what was removed.
 */
export function beginCleanUp(stack) {
  const program = ["-r", "./config/translate.cjs", "tools/orphans.ts", stack, "--down"];
  const child = spawn(process.execPath, program, { stdio: "pipe" });
  let output = "";
  child.stderr.on("data", (data) => (output += data));
  child.stdin.on("error", () => {}); // it has ended already
  const ended = new Promise((resolve) => child.on("close", resolve));
  const read = new Promise((resolve) => {
    child.stdout.on("data", (data) => {
      output += data;
      if (output.includes(READY)) resolve();
    });
  });
  return {
    ready: Promise.race([read, ended]),
    removeContainers() {
      child.stdin.write("containers\n");
    },
    async end(isDown) {
      child.stdin.end(isDown ? "all\n" : "");
      await ended;
      process.stdout.write(output.replace(READY, ""));
    },
  };
}
