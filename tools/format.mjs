#!/usr/bin/env node
// Formats the project's files in place, and mends what the linters can mend by themselves.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { root, testVenv } from "./setup/context.mjs";
import { filesEndingIn } from "./test/suites.mjs";

await setUp("checks");
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
  if (status !== 0) process.exitCode = 1;
}
