// Makes the packages of the component library: `npm run package` prints the path of the npm tarball.
//
// The npm package has this project's layout: components/ compiled to JavaScript with type
// declarations, and docker/ beside it. For programs in other languages, .local/package/plugin has the
// same as sources, from which Pulumi reads the schema. It is a copy, since Pulumi installs npm
// packages into the folder that it is given: in the project's own components/ the program would then
// load a second SDK.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { local, root } from "./setup/context.mjs";

const folder = join(local, "package");
const build = join(folder, "build");
const compiler = join(root, "node_modules", ".bin", "tsc");

export function main() {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(build, { recursive: true });
  const emit = ["--noEmit", "false", "--declaration", "--outDir", join(build, "components")];
  makePluginFolder();
  run(compiler, ["--project", join(root, "components"), ...emit]);
  copy("components/scripts");
  copy("docker");
  copy("LICENSE");
  cpSync(join(root, "docs", "library.md"), join(build, "README.md"));
  const manifest = JSON.parse(readFileSync(join(root, "components", "package.json"), "utf8"));
  const entries = { main: "components/index.js", types: "components/index.d.ts" };
  writeFileSync(
    join(build, "package.json"),
    `${JSON.stringify({ ...manifest, ...entries }, undefined, 2)}\n`,
  );
  const [tarball] = run("npm", ["pack", "--silent", "--pack-destination", folder], build)
    .trim()
    .split("\n")
    .slice(-1);
  console.log(join(folder, tarball));
  return 0;
}

function makePluginFolder() {
  const plugin = join(folder, "plugin");
  cpSync(join(root, "components"), join(plugin, "components"), {
    recursive: true,
    filter: (source) => basename(source) !== "node_modules",
  });
  cpSync(join(root, "docker"), join(plugin, "docker"), { recursive: true, filter: isSource });
  cpSync(join(root, "tsconfig.json"), join(plugin, "tsconfig.json"));
}

/** Whether a file is none of those that tools leave in folders of Python. */
function isSource(path) {
  return !["__pycache__", ".ruff_cache", ".pytest_cache"].includes(basename(path));
}

/** Copies a file or folder into the npm package. */
function copy(path) {
  cpSync(join(root, path), join(build, path), { recursive: true, filter: isSource });
}

function run(command, args, cwd = root) {
  const options = { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] };
  const { status, stdout, error } = spawnSync(command, args, options);
  if (status !== 0) {
    console.error(stdout ?? "");
    console.error(`error: ${basename(command)} failed (${String(error?.message ?? status)})`);
    process.exit(1);
  }
  return stdout;
}
