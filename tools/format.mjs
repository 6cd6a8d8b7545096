// Formats the project's files in place, and fixes what the linters can fix.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { root, testVenv } from "./setup/context.mjs";
import { filesEndingIn } from "./test/suites.mjs";

export async function main() {
  await setUp("checks");
  let failed = false;
  const ruff = join(testVenv, "bin", "ruff");
  const commands = [
    [join(root, "node_modules", ".bin", "eslint"), "--fix", "."],
    [join(root, "node_modules", ".bin", "prettier"), "--write", "--log-level", "warn", "."],
    [ruff, "check", "--fix", "."],
    [ruff, "format", "."],
    ["gofmt", "-w", ...filesEndingIn(".go")],
  ];
  for (const [command, ...args] of commands) {
    const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
    if (status !== 0) failed = true;
  }
  return failed ? 1 : 0;
}
