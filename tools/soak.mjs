#!/usr/bin/env node
// `npm run soak`: sets up what is missing, then brings up a cluster on test hosts and breaks it.
import { spawnSync } from "node:child_process";
import { setUp } from "./setup.mjs";
import { root } from "./setup/context.mjs";
import { pulumiEnvironment } from "./setup/engine.mjs";

process.chdir(root);
await setUp("test");
const words = ["-r", "ts-node/register/transpile-only", "test/faults/runSoak.ts"];
const { status } = spawnSync(process.execPath, [...words, ...process.argv.slice(2)], {
  env: { ...process.env, ...pulumiEnvironment() },
  stdio: "inherit",
});
process.exitCode = status ?? 1;
