// Where things are, and which versions this project works with. Nothing here touches the machine.
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { isAbsolute, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The project's folder. */
export const root = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** What set-up makes for this clone: state, passphrase, Python environments, logs. */
export const local = join(root, ".local");

/** What set-up makes once per user: Pulumi and its plugins. May be removed at any time. */
export const cache = join(userCache(), "ipyparallel-cluster");

/** The Pulumi CLI that set-up fetches where none, or only one older than `oldestPulumi`, is there. */
export const pulumiVersion = "3.259.0";
export const oldestPulumi = "3.200.0";

/** The Pulumi plugins; each has the version of its npm package. */
export const plugins = ["docker", "command"].map((name) => ({
  name,
  version: packageVersion(name),
}));

/** The Python minor version of the images, and so of the client: pickled functions need the same. */
export const pythonMinor = "3.11";

/**
 * The base images: the official one; the one made here of a release of Debian where no registry can
 * be reached; and the file that names which of the two there is, but for the default base as long
 * as it can be pulled.
 */
export const defaultBase = {
  official: "python:3.11-slim-bookworm",
  own: "ipyparallel-base:3.11-bookworm",
  suite: "bookworm",
  file: join(local, "base-image"),
  command: "npm run setup",
};
export const laterBase = {
  official: "python:3.13-slim-bookworm",
  own: "ipyparallel-base:3.13-trixie",
  suite: "trixie",
  file: join(local, "base-image-3.13"),
  command: "npm run setup -- python3.13",
};

export const passphraseFile = join(local, "passphrase");
export const stateFolder = join(local, "state");
export const venv = join(local, "venv");
export const lockVenv = join(local, "venv-lock");
export const testVenv = join(local, "venv-test");

function userCache() {
  const given = process.env.XDG_CACHE_HOME;
  return given && isAbsolute(given) ? given : join(homedir(), ".cache");
}

function packageVersion(name) {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return dependencies[`@pulumi/${name}`];
}
