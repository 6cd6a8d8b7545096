// Which Python the cluster and its client get: the one that a stack file names, else the user's.
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { homedir } from "node:os";
import { basename, delimiter, dirname, join } from "node:path";
import { defaultPython, local, pythonFile, pythons, root } from "./context.mjs";
import { ask, isExecutable, which } from "./shell.mjs";

/**
 * A Python that was chosen.
 *
 * @typedef {object} Choice
 * @property {string} version    minor version, such as "3.13"
 * @property {string} source     where that comes from, in words
 * @property {boolean} pinned    whether the stack file names it
 * @property {string} [path]     an interpreter of that version, if there is one
 * @property {string[]} bases    the versions that base images are needed for
 * @property {string[]} notes    what to say about it
 */

/** The minor version of an interpreter, or undefined. Its name is asked first: that costs nothing. */
export function versionOfPython(path) {
  try {
    const named = /^python(3\.\d+)$/.exec(basename(realpathSync(path)));
    if (named) return named[1];
  } catch {
    return undefined;
  }
  const code = "import sys; print('%d.%d' % sys.version_info[:2])";
  return ask(path, ["-S", "-E", "-c", code]);
}

/** The PATH without the environments that setup made, which may be active. */
const folders = (env) =>
  (env.PATH ?? "").split(delimiter).filter((folder) => !folder.startsWith(local));

/** The version that `.python-version` names, in a folder or above it, and the file. */
function versionFile(folder) {
  const file = join(folder, ".python-version");
  if (existsSync(file)) {
    const lines = readFileSync(file, "utf8").split("\n");
    const version = lines.map((line) => /^[^#]*?\b(3\.\d+)/.exec(line)?.[1]).find(Boolean);
    return version && { version, source: file };
  }
  return dirname(folder) === folder ? undefined : versionFile(dirname(folder));
}

/** What says which Python the user runs, the strongest first. */
function* candidates(env, folder) {
  for (const [name, what] of [
    ["VIRTUAL_ENV", "virtual environment"],
    ["CONDA_PREFIX", "conda environment"],
  ]) {
    const active = env[name];
    const path = active && !active.startsWith(local) && join(active, "bin", "python");
    if (path && isExecutable(path)) {
      yield { path, version: versionOfPython(path), source: `the active ${what} ${active}` };
    }
  }
  const file = versionFile(folder);
  if (file) yield file;
  const path = which("python3", folders(env));
  if (path) yield { path, version: versionOfPython(path), source: `python3 on the PATH, ${path}` };
}

/** Interpreters of a version on this machine, the likeliest first; one that doesn't run is none. */
export function findInterpreter(version, env = process.env) {
  const pyenv = join(env.PYENV_ROOT || join(homedir(), ".pyenv"), "versions");
  const inPyenv = existsSync(pyenv)
    ? readdirSync(pyenv)
        .filter((name) => name.startsWith(`${version}.`))
        .map((name) => join(pyenv, name, "bin", "python3"))
    : [];
  const system = [...folders(env), "/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"];
  const named = system.flatMap((folder) =>
    [`python${version}`, "python3"].map((n) => join(folder, n)),
  );
  return [...named, ...inPyenv]
    .filter(isExecutable)
    .find((path) => versionOfPython(path) === version && ask(path, ["-S", "-E", "-c", ""]) === "");
}

/** The Python that the user runs: one that engines can have. */
export function userPython(env = process.env, folder = root) {
  const notes = [];
  for (const { version, source, path } of candidates(env, folder)) {
    if (pythons.includes(version)) return { version, source, path, notes };
    if (version) {
      notes.push(`${source} is Python ${version}, and engines can have ${pythons.join(", ")}`);
    }
  }
  const other = pythons.toReversed().find((version) => findInterpreter(version, env));
  return other
    ? { version: other, source: `the newest that is on this machine`, notes }
    : { version: defaultPython, source: "none that fits is on this machine", notes };
}

/** The images that a stack file declares; none where it can't be read, which the program reports. */
function declaredImages(stack) {
  const { safeLoad } = createRequire(join(root, "package.json"))("js-yaml");
  try {
    const file = readFileSync(join(root, "stacks", `Pulumi.${stack}.yaml`), "utf8");
    return safeLoad(file)?.config?.["ipyparallel:cluster"]?.images ?? {};
  } catch {
    return {};
  }
}

/**
 * The Python for a stack.
 *
 * @returns {Choice | undefined} undefined before the npm packages are there, which read the file.
 */
export function choosePython(stack, env = process.env) {
  let images;
  try {
    images = declaredImages(stack);
  } catch {
    return undefined;
  }
  const pinned = String(images.default?.python ?? "");
  const chosen = pythons.includes(pinned)
    ? { version: pinned, source: `images.default.python of ${stack}`, pinned: true, notes: [] }
    : { ...userPython(env), pinned: false };
  const built = Object.values({ default: {}, ...images }).filter(
    (image) => image?.base === undefined && image?.reference === undefined,
  );
  const bases = new Set(built.map((image) => String(image?.python ?? chosen.version)));
  return { ...chosen, bases: pythons.filter((version) => bases.has(version)) };
}

const readNote = () => {
  try {
    return JSON.parse(readFileSync(pythonFile, "utf8"));
  } catch {
    return {};
  }
};

function writeNote(changes) {
  const [before, now] = [readNote(), { ...readNote(), ...changes }];
  if (JSON.stringify(before) === JSON.stringify(now)) return;
  mkdirSync(local, { recursive: true });
  writeFileSync(pythonFile, `${JSON.stringify(now, null, 2)}\n`);
}

/** Notes the user's Python for the program; see config/python.ts. */
export function notePython({ version, source }) {
  writeNote({ version, source });
}

/** Notes that a cluster was brought up from this clone, and with which Python. */
export function noteCluster(stack, version) {
  writeNote({ clusters: { ...readNote().clusters, [stack]: version } });
}
