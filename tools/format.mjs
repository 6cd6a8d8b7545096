#!/usr/bin/env node
// Formats every file of the project in place: TypeScript, JavaScript, JSON, YAML, Python and Go.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { root, testVenv } from "./setup/context.mjs";
import { filesEndingIn } from "./test/suites.mjs";

await setUp("checks");
const ruff = join(testVenv, "bin", "ruff");
const commands = [
  [join(root, "node_modules", ".bin", "prettier"), "--write", "--log-level", "warn", "."],
  [ruff, "check", "--fix", "."],
  [ruff, "format", "."],
  ["gofmt", "-w", ...filesEndingIn(".go")],
];
for (const [command, ...args] of commands) {
  const { status } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
