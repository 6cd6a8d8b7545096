// Writes components/schema.json: what programs in other languages know of the components.
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "../setup.mjs";
import { root } from "../setup/context.mjs";
import { pulumiEnvironment } from "../setup/engine.mjs";

export async function main() {
  await setUp("cluster");
  const plugin = join(root, "components", "pulumi-resource-ipyparallel");
  const { status, stdout } = spawnSync("pulumi", ["package", "get-schema", plugin], {
    env: { ...process.env, ...pulumiEnvironment() },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  if (status === 0) {
    const { format, resolveConfig } = await import("prettier"); // there only after set-up
    const file = join(root, "components", "schema.json");
    const options = { ...(await resolveConfig(file)), filepath: file };
    writeFileSync(file, await format(JSON.stringify(JSON.parse(stdout), undefined, 2), options));
  }
  return status ?? 1;
}
