// `npm run soak`: sets up what is missing, then brings up a cluster on test hosts and breaks it.
import { spawnSync } from "node:child_process";
import { setUp } from "./setup.mjs";
import { pulumiEnvironment } from "./setup/engine.mjs";

export async function main(args) {
  await setUp("test");
  const words = ["-r", "ts-node/register/transpile-only", "test/faults/runSoak.ts"];
  const { status } = spawnSync(process.execPath, [...words, ...args], {
    env: { ...process.env, ...pulumiEnvironment() },
    stdio: "inherit",
  });
  return status ?? 1;
}
