// `npm run client -- PYTHON`: makes an environment of the user's own a client.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";

import { Mistake } from "../components/lib/mistake";
import { clientTable, compareClient, type Environment } from "../config/clientCheck";
import { clusterPython } from "../config/python";
import { clusterOfStackFile } from "../config/stackFile";

const ROOT = join(__dirname, "..");
/** Where npm was called; without npm, here. */
const CALLED_IN = process.env.INIT_CWD ?? process.cwd();
const OWN_CLIENT = ".local/venv/bin/python";

/** What is done besides comparing. */
export interface ClientOptions {
  /** Only compares: installs nothing. */
  check?: boolean;
  /** Only compares, and prints nothing but what is known to break. */
  warn?: boolean;
}

/**
 * Installs ipyparallel in an environment where it is missing or another version, and prints what
 * differs between that environment and the engines, with what to do.
 *
 * @param given a Python, or the folder of an environment.
 * @returns the exit status: 1 if something that differs is known to break, else 0.
 * @throws Mistake if there is no such Python, or if it can't be made a client.
 */
export function client(stack: string, given?: string, options: ClientOptions = {}): number {
  process.chdir(ROOT);
  const { check = false, warn: warns = false } = options;
  const python = interpreter(given);
  const before = describe(python);
  const { profile = stack, images } = clusterOfStackFile(stack);
  const locked = lockedEnvironment(clusterPython(images).version);
  const running = askEngines(profile);
  if (running === undefined && warns) {
    return 0;
  }
  if (running === undefined) {
    console.log(
      `The engines of ${stack} do not answer: compared is what their image has at least.`,
    );
  }
  const engines = running ?? { image: locked };
  const wanted = locked.packages.ipyparallel ?? "";
  if (
    !warns &&
    !check &&
    before.packages.ipyparallel !== wanted &&
    !compareClient(before, engines).some(({ name, breaks }) => name === "Python" && breaks)
  ) {
    install(python, `ipyparallel==${wanted}`);
  }
  const rows = compareClient(describe(python), engines);
  if (!warns) {
    console.log(clientTable(rows));
  }
  for (const { name, client, engines: theirs, advice } of rows.filter(
    ({ breaks }) => warns && breaks,
  )) {
    console.error(`warning: ${name} is ${client} here and ${theirs} on engines: ${advice}`);
  }
  return rows.some(({ breaks }) => breaks) ? 1 : 0;
}

/** The interpreter that is meant: a program, or the folder of an environment. */
function interpreter(given: string | undefined): string {
  if (given === undefined) {
    throw new Mistake(
      "PYTHON is missing: `npm run client -- PYTHON`, a program or the folder of an environment",
    );
  }
  const path = resolve(CALLED_IN, given);
  const program =
    existsSync(path) && statSync(path).isDirectory() ? join(path, "bin/python") : path;
  if (!existsSync(program)) {
    throw new Mistake(
      `${given}: must be a Python or the folder of an environment (${program} does not exist)`,
    );
  }
  return program;
}

/** What a Python has. */
function describe(python: string): Environment {
  const { status, stdout, stderr, error } = spawnSync(python, ["tools/client/describe.py"], {
    encoding: "utf8",
  });
  if (status !== 0) {
    const reason = error?.message ?? stderr.trim().split("\n").at(-1) ?? "";
    throw new Mistake(`${python}: must be Python 3.8 or newer (${reason})`);
  }
  return JSON.parse(stdout) as Environment;
}

/** What engines have, by worker; undefined where none answers. */
function askEngines(profile: string): Record<string, Environment> | undefined {
  const { status, stdout } = spawnSync(OWN_CLIENT, ["tools/client/engines.py", profile], {
    encoding: "utf8",
  });
  return status === 0 ? (JSON.parse(stdout) as Record<string, Environment>) : undefined;
}

/** What every image has. */
function lockedEnvironment(python: string): Environment {
  const lock = readFileSync("docker/requirements.txt", "utf8");
  const pins = lock.matchAll(/^([A-Za-z0-9][^\s;=]*)==([^\s;]+)/gm);
  const packages = [...pins].map(([, name = "", version = ""]) => [name.toLowerCase(), version]);
  return { python, packages: Object.fromEntries(packages) as Record<string, string> };
}

function install(python: string, requirement: string): void {
  console.log(`Installing ${requirement} for ${python}`);
  const { status, stderr } = spawnSync(
    "node",
    ["tools/uv/run.mjs", "pip", "install", "--quiet", "--python", python, requirement],
    { encoding: "utf8" },
  );
  if (status !== 0) {
    throw new Mistake(`${requirement} can't be installed for ${python}: ${stderr.trim()}`);
  }
}
