// Writes the documents that are generated: `npm run docs`.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { setUp } from "../setup.mjs";
import { root } from "../setup/context.mjs";

export async function main() {
  await setUp("checks");
  const run = (command, ...args) =>
    spawnSync(command, args, { cwd: root, stdio: "inherit" }).status ?? 1;
  const typescript = ["-r", "ts-node/register/transpile-only"];
  return (
    run(process.execPath, ...typescript, "tools/docs/stackFile.ts") ||
    run(join("node_modules", ".bin", "typedoc"), "--options", "tools/docs/typedoc.json")
  );
}
