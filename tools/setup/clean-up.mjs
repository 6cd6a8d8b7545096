// What is a cluster's own on its hosts and not in its state, so that Pulumi does not take it down.
import { spawn } from "node:child_process";

/**
 * Begins to remove it, while Pulumi takes the cluster down.
 *
 * @returns what ends that: it is told whether Pulumi was successful, and prints what was removed.
 */
export function beginCleanUp(stack) {
  const program = ["-r", "./config/translate.cjs", "tools/orphans.ts", stack, "--down"];
  const child = spawn(process.execPath, program, { stdio: "pipe" });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (data) => (output += data));
  }
  child.stdin.on("error", () => {}); // it has ended already
  const ended = new Promise((resolve) => child.on("close", resolve));
  return async (isDown) => {
    child.stdin.end(isDown ? "down\n" : "");
    await ended;
    process.stdout.write(output);
  };
}
