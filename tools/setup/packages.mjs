// The npm packages: installed from the lock file whenever they are not what it says.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./context.mjs";
import { run } from "./shell.mjs";

/**
 * The first package that is not installed as the lock file says, or undefined.
 *
 * @param lock       package-lock.json
 * @param installed  node_modules/.package-lock.json, which npm writes
 */
export function firstDifference(lock, installed) {
  for (const [path, wanted] of Object.entries(lock.packages)) {
    if (path === "" || wanted.link) continue;
    const found = installed.packages[path];
    if (found ? found.version !== wanted.version : !wanted.optional && !wanted.peerOptional) {
      return path.replace(/^.*node_modules\//, "");
    }
  }
  return undefined;
}

const read = (...path) => JSON.parse(readFileSync(join(root, ...path), "utf8"));

export const packages = {
  name: "npm packages",

  async needed() {
    let installed;
    try {
      installed = read("node_modules", ".package-lock.json");
    } catch {
      return "installing the npm packages";
    }
    const different = firstDifference(read("package-lock.json"), installed);
    return different && `installing the npm packages (${different} differs from the lock file)`;
  },

  run: (log) => run("npm", ["ci", "--no-audit", "--no-fund"], { cwd: root, log }),
};
