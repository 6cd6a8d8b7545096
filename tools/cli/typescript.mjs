// Loads modules in TypeScript from those that run before the npm packages are there.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** A module of this project; `path` as from this folder. */
export function typescript(path) {
  require("../../config/translate.cjs");
  return require(path);
}
