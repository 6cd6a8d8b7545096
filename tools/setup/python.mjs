// Python environments: one for the client on this machine, one for the tools that the tests use.
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { lockVenv, pythonMinor, root, testVenv, venv } from "./context.mjs";
import { SetupError, aptInstall, ask, isExecutable, isRoot, run, which } from "./shell.mjs";

/** Candidates for the Python that environments are made with, the likeliest first. */
function interpreters() {
  const versions = join(homedir(), ".pyenv", "versions");
  const pyenv = existsSync(versions)
    ? readdirSync(versions)
        .filter((version) => version.startsWith(`${pythonMinor}.`))
        .map((version) => join(versions, version, "bin", "python3"))
    : [];
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/bin", "/usr/bin"];
  const names = [`python${pythonMinor}`, "python3"];
  const found = names.map((name) => which(name, folders)).filter(Boolean);
  return [...found, "/usr/bin/python3", ...pyenv].filter(isExecutable);
}

/** A Python of the wanted minor version; `withVenv` asks that it can make environments. */
function findPython(withVenv) {
  const modules = withVenv ? "import ensurepip, venv, sys" : "import sys";
  const code = `${modules}; print("%d.%d" % sys.version_info[:2])`;
  return interpreters().find((python) => ask(python, ["-c", code]) === pythonMinor);
}

async function requirePython(log) {
  const found = findPython(true);
  if (found) return found;
  if (isRoot && which("apt-get")) {
    log.say(`installing Python ${pythonMinor}`);
    try {
      await aptInstall([`python${pythonMinor}`, `python${pythonMinor}-venv`], log);
    } catch (error) {
      log.write(`${error.message}\n`);
    }
  }
  const installed = findPython(true);
  if (installed) return installed;
  const lacking = findPython(false)
    ? `the venv module of Python ${pythonMinor}`
    : `Python ${pythonMinor}`;
  throw new SetupError(`${lacking} is missing; client and engines need the same minor version`, {
    advice: `Install ${lacking} (Debian 12: apt-get install python3-venv; elsewhere pyenv or uv have it), then run this again.`,
  });
}

/** A step that keeps an environment in a folder as some requirement files say. */
function environment(name, folder, requirements) {
  const stamp = join(folder, "made-from");
  const wanted = () => {
    const hash = createHash("sha256").update(folder);
    for (const file of requirements) hash.update(readFileSync(join(root, file)));
    return hash.digest("hex");
  };
  const made = () => {
    try {
      return readFileSync(stamp, "utf8");
    } catch {
      return undefined;
    }
  };
  return {
    name,

    async needed() {
      return isExecutable(join(folder, "bin", "python")) && made() === wanted()
        ? undefined
        : `installing ${requirements.join(" and ")}`;
    },

    async run(log) {
      const python = await requirePython(log);
      rmSync(folder, { recursive: true, force: true });
      await run(python, ["-m", "venv", folder], { log });
      const files = requirements.flatMap((file) => ["-r", join(root, file)]);
      await run(join(folder, "bin", "python"), ["-m", "pip", "install", "--quiet", ...files], {
        log,
      });
      writeFileSync(stamp, wanted());
    },
  };
}

export const python = environment("python", venv, ["docker/requirements.txt"]);

export const lockPython = environment("lock tools", lockVenv, ["tools/lock/requirements.txt"]);

export const testPython = environment("test tools", testVenv, [
  "docker/requirements.txt",
  "test/requirements.txt",
]);
