// The processes of a machine, as `ps` has them, and of Linux the environment of each.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

export interface Process {
  pid: number;
  command: string;
}

/** A process and all that it has started, itself first. */
export function family(pid: number): Process[] {
  const all = execFileSync("ps", ["-eo", "pid=,ppid=,comm="], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .map(([own, parent, command]) => ({ pid: Number(own), parent: Number(parent), command }));
  const found = all.filter((process) => process.pid === pid);
  for (const { pid: parent } of found) {
    found.push(...all.filter((process) => process.parent === parent));
  }
  return found.map(({ pid: own, command = "" }) => ({ pid: own, command }));
}

/** The processes in whose environment a text is. */
export function withEnvironment(text: string): Process[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        return readFileSync(`/proc/${name}/environ`, "utf8").includes(text)
          ? [
              {
                pid: Number(name),
                command: readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " ").trim(),
              },
            ]
          : [];
      } catch {
        return []; // it has ended
      }
    });
}

/** Sends a signal, unless the process, or the group of a negative number, has ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // it has ended meanwhile
  }
}
