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

/**
 * The minor versions of Python that engines can have, and the one of a cluster that names none: as
 * components/lib/python.ts has them, which can't be loaded before the npm packages are there.
 */
export const pythons = ["3.11", "3.12", "3.13", "3.14"];
export const defaultPython = "3.11";

/** The releases of Debian that base images are made of where none can be pulled, by their Python. */
export const suites = { 3.11: "bookworm", 3.13: "trixie" };

/**
 * The base image of a Python: the official one; the one that is made here where that can't be
 * pulled, if Debian has that Python; and the file that names the latter where it is used. The name
 * of the first Python's file has no version.
 */
export const baseOf = (python) => ({
  python,
  official: `python:${python}-slim-bookworm`,
  suite: suites[python],
  own: suites[python] && `ipyparallel-base:${python}-${suites[python]}`,
  file: join(local, python === defaultPython ? "base-image" : `base-image-${python}`),
});

export const passphraseFile = join(local, "passphrase");
export const stateFolder = join(local, "state");
export const venv = join(local, "venv");
export const pythonFile = join(local, "python.json");
export const testVenv = join(local, "venv-test");

function userCache() {
  const given = process.env.XDG_CACHE_HOME;
  return given && isAbsolute(given) ? given : join(homedir(), ".cache");
}

function packageVersion(name) {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  return dependencies[`@pulumi/${name}`];
}
