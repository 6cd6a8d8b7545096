// What Pulumi tells programs of its steps (`--event-log`), besides what it prints for people.
import { spawnSync } from "node:child_process";
import { constants, mkdtempSync, openSync, rmSync } from "node:fs";
import { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** The last line of a log, which is this process's own. */
const END = "end";

/**
 * A log of events that is read while Pulumi writes it. As it holds secrets, it is a pipe and no
 * file, and only lines that match are kept.
 */
export function eventLog(wanted) {
  const folder = mkdtempSync(join(tmpdir(), "ipyparallel-events-"));
  const path = join(folder, "log");
  spawnSync("mkfifo", ["-m", "600", path]);
  // Being its writer as well, this process neither waits for Pulumi's end of it nor sees its close.
  const fd = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  const pipe = new Socket({ fd });
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.once("exit", remove);
  const kept = [];
  const read = new Promise((resolve) => {
    createInterface({ input: pipe }).on("line", (line) => {
      if (line === END) resolve(kept);
      else if (wanted.test(line)) kept.push(line);
    });
  });
  return {
    /** The pipe. */
    path,
    /** For Pulumi, so that it writes the log. */
    options: ["--event-log", path],
    /** The environment in which it has that option. */
    env: { PULUMI_DEBUG_COMMANDS: "true" },
    /** Ends the log; resolves to the lines that were kept. */
    async close() {
      pipe.write(`\n${END}\n`);
      const lines = await read;
      pipe.destroy();
      remove();
      return lines;
    },
  };
}
