// Runs uv, set up before, with the arguments as they are: `node tools/uv/run.mjs ARGUMENTS`.
import { spawnSync } from "node:child_process";
import { uvEnvironment, uvPath } from "../setup/uv.mjs";

const { error, status } = spawnSync(uvPath, process.argv.slice(2), {
  stdio: "inherit",
  env: uvEnvironment(),
});
if (error) console.error(`error: ${error.message}`);
process.exitCode = status ?? 1;
