// `npm run bench`: sets up what the bench needs, then runs main.py with these arguments.
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "../tools/setup.mjs";
import { local, root, venv as clientVenv } from "../tools/setup/context.mjs";
import { pulumiEnvironment } from "../tools/setup/engine.mjs";

const venv = join(local, "bench", "venv");
const python = join(venv, "bin", "python");
// The client's packages are those of the image; the peers come on top and can't move them.
const imagePackages = join(root, "docker", "requirements.txt");
const peerPackages = join(root, "bench", "requirements.txt");

export async function main(args) {
  await setUp("cluster");
  makeVenv();
  const child = spawn(python, [join(root, "bench", "main.py"), ...args], {
    stdio: "inherit",
    env: { ...process.env, ...pulumiEnvironment() },
  });
  // The bench removes what it made before it ends; at a terminal it has got the signal already.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve) => {
    child.on("exit", (status, signal) => resolve(status ?? (signal === null ? 1 : 130)));
  });
}

function makeVenv() {
  const hash = createHash("sha256");
  for (const file of [imagePackages, peerPackages]) hash.update(readFileSync(file));
  const wanted = hash.digest("hex");
  const mark = join(venv, "packages.sha256");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return;
  console.error("bench: installing the peers");
  mkdirSync(join(local, "bench"), { recursive: true });
  const pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"];
  run(join(clientVenv, "bin", "python"), "-m", "venv", "--clear", venv);
  run(...pip, "--require-hashes", "-r", imagePackages);
  const locked = join(local, "bench", "constraints.txt");
  writeFileSync(locked, run(python, "-m", "pip", "freeze"));
  run(...pip, "--constraint", locked, "-r", peerPackages);
  writeFileSync(mark, wanted);
}

/** Runs a program; resolves to what it printed, or ends this process with its error. */
function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: "utf8" });
  if (status !== 0) {
    console.error(`error: ${command} ${args.join(" ")} failed:\n${error?.message ?? stderr}`);
    process.exit(1);
  }
  return stdout;
}
