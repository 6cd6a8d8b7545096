// Python environments: one for the client on this machine, one for the tools that the tests use.
import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { root, testVenv, venv } from "./context.mjs";
import { SetupError, isExecutable } from "./shell.mjs";
import { findInterpreter } from "./user-python.mjs";
import { runUv } from "./uv.mjs";

/**
 * A step that keeps an environment as some requirement files say.
 *
 * @param {() => import("./user-python.mjs").Choice | undefined} choose  its Python
 * @param {(version: string) => string} folderOf  its folder
 * @param {string} [link]  a path that leads to the environment made last
 */
function environment(name, choose, folderOf, requirements, link) {
  const made = (folder) => {
    try {
      return readFileSync(join(folder, "made-from"), "utf8");
    } catch {
      return undefined;
    }
  };
  const wanted = (folder) => {
    const hash = createHash("sha256").update(`uv ${folder}`);
    for (const file of requirements) hash.update(readFileSync(join(root, file)));
    return hash.digest("hex");
  };
  const runs = (folder) => isExecutable(join(folder, "bin", "python"));
  return {
    name,
    after: ["uv", "npm packages"],

    async needed() {
      const chosen = choose();
      if (!chosen) return `installing ${requirements.join(" and ")}`;
      const folder = folderOf(chosen.version);
      if (!runs(folder) || made(folder) !== wanted(folder)) {
        return `installing ${requirements.join(" and ")} for Python ${chosen.version} (${chosen.source})`;
      }
      return link === undefined || target(link) === basename(folder)
        ? undefined
        : `using Python ${chosen.version} (${chosen.source})`;
    },

    async run(log) {
      const { version, source, path, notes } = choose();
      for (const note of notes) log.say(`${note}: taking ${version}`);
      const folder = folderOf(version);
      const python = join(folder, "bin", "python");
      // What a user has added to an environment stays.
      if (!runs(folder) || !made(folder)) {
        const interpreter = path ?? findInterpreter(version);
        // Without one here, uv takes one that it has fetched before, or fetches one.
        const from = interpreter
          ? ["--python", interpreter]
          : ["--managed-python", "--python", version];
        await runUv(["venv", "--seed", "--clear", "--force", ...from, folder], log).catch(
          (error) => {
            throw interpreter ? error : noPython(version, source, log.tail(50));
          },
        );
      }
      const files = requirements.flatMap((file) => ["-r", join(root, file)]);
      await runUv(["pip", "install", "--python", python, "--require-hashes", ...files], log);
      writeFileSync(join(folder, "made-from"), wanted(folder));
      if (link !== undefined) {
        rmSync(link, { recursive: true, force: true });
        symlinkSync(basename(folder), link);
      }
    },
  };
}

/** What a link leads to; undefined if there is none. */
function target(link) {
  try {
    return lstatSync(link).isSymbolicLink() ? readlinkSync(link) : undefined;
  } catch {
    return undefined;
  }
}

/** The one message for a Python that is neither here nor to be had. */
function noPython(version, source, printed) {
  const causes = printed.flatMap((line) => /^\s*cause: (.*)/.exec(line)?.[1] ?? []);
  const reason = causes.length > 0 ? `${causes[0]}: ${causes.at(-1)}` : printed.at(-1);
  return new SetupError(
    `Python ${version} (${source}) is not on this machine and can't be downloaded: ${reason}`,
    {
      complete: true,
      advice:
        `Install Python ${version}, or use another: activate an environment that has it, or set ` +
        "images.default.python in the stack file.",
    },
  );
}

/** The environment of clients: `.local/venv`, one for each Python behind it. */
export const clientPython = (choose) =>
  environment(
    "python",
    choose,
    (version) => `${venv}-${version}`,
    ["docker/requirements.txt"],
    venv,
  );

/** The tools that the tests use. */
export const testPython = (choose) =>
  environment("test tools", choose, () => testVenv, [
    "docker/requirements.txt",
    "test/requirements.txt",
  ]);
