// Runs Pulumi for this folder: the verbs `up`, `preview`, `refresh`, `down`, `pulumi` and `env`.
//
// It sets up what is missing, makes the stack when it does not exist, and runs Pulumi with the
// arguments as they are.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typescript } from "./cli/typescript.mjs";
import { setUp } from "./setup.mjs";
import { beginCleanUp } from "./setup/clean-up.mjs";
import { stateFolder } from "./setup/context.mjs";
import { isOwnBackend, pulumiEnvironment } from "./setup/engine.mjs";
import { runForeground, wasInterrupted } from "./setup/foreground.mjs";
import { eventLog } from "./setup/events.mjs";
import { failures, forget, lookAtHosts } from "./setup/leave-alone.mjs";
import { recover } from "./setup/recover.mjs";
import { choosePython, noteCluster } from "./setup/user-python.mjs";
import { configurationCopy, declaresPackages, engineTable } from "./setup/stack.mjs";

/** Commands that read the stack's configuration and act on its resources. */
const operations = ["up", "preview", "refresh", "destroy"];

/** Commands for which the stack is made when it does not exist: a secret may come before all else. */
const stackMakers = [...operations, "config"];

const ownBackend = isOwnBackend();

/** Runs a command of Pulumi on a stack, with its arguments; resolves to the exit status. */
export async function runPulumi(stack, args) {
  const [command] = args;
  if (stackMakers.includes(command)) requireStackFile(stack);
  if (ownBackend && ["refresh", "destroy"].includes(command) && !stackExists(stack)) {
    console.log(`Stack ${stack} has not been brought up from this folder: nothing to do.`);
    return 0;
  }
  // A preview changes nothing: not the client's Python either.
  await setUp(command === "preview" ? "preview" : "cluster", stack);
  if (["up", "preview"].includes(command) && !(await lockPackages(stack))) return 1;
  const cleanUp = takesAllDown(args) ? beginCleanUp(stack) : undefined;
  const env = { ...process.env, ...pulumiEnvironment(), PULUMI_STACK: stack };
  const prepared = stackMakers.includes(command) ? await prepareStack(stack, env) : [];
  // `config` is to change the stack file itself.
  const configFile = operations.includes(command) ? prepared : [];
  const pulumi = (...given) =>
    spawnSync("pulumi", given, { env, encoding: "utf8", maxBuffer: 1 << 28 });
  const { abandoned, silent, notes } = operations.includes(command)
    ? await lookAtHosts(stack)
    : { abandoned: [], silent: [], notes: [] };
  const excluded = [...abandoned, ...silent].flatMap((pattern) => ["--exclude", pattern]);
  if (ownBackend && ["up", "refresh", "destroy"].includes(command)) {
    const alone = await recover(
      stack,
      (...given) => pulumi(...given).stdout,
      (...given) =>
        runForeground("pulumi", ["refresh", ...given, ...configFile, ...excluded], env, {
          quiet: true,
        }),
    );
    if (alone) cleanUp?.removeContainers();
  }
  if (["up", "destroy"].includes(command)) forget(abandoned, stack, pulumi);
  // What is on a host that does not answer can't be removed: that `down` must say so itself.
  const also = command === "destroy" ? [] : excluded;
  const all = [...args, ...configFile, ...also];
  if (command === "up") return bringUp(stack, all, env);
  await cleanUp?.ready;
  const status = await runForeground("pulumi", all, env);
  await cleanUp?.end(status === 0);
  if (command === "destroy") for (const note of notes) console.log(note);
  return status;
}

/** Whether a command takes the whole cluster down, without a question. */
function takesAllDown([command, ...options]) {
  const parts = /^(--target|-t|--exclude|-x|--preview-only)/;
  return (
    command === "destroy" &&
    options.includes("--yes") &&
    options.every((option) => !parts.test(option))
  );
}

/** Runs `up`, tells which workers are missing, and succeeds if those that are up are enough. */
async function bringUp(stack, args, env) {
  const events = eventLog(/"resOpFailedEvent"|"severity":"error"|-readiness-check/);
  const status = await runForeground(
    "pulumi",
    [...args, ...events.options],
    { ...env, ...events.env },
    { events: events.path },
  );
  const kept = await events.close();
  const { lines, othersReady } =
    status === 0 ? { lines: [], othersReady: true } : failures(stack, wasInterrupted() ? [] : kept);
  const enough = othersReady && printCluster(stack, env);
  if (enough) noteCluster(stack, choosePython(stack).version);
  for (const line of lines) console.error(`${enough ? "warning" : "error"}: ${line}`);
  return enough ? 0 : status || 1;
}

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

/** The stack must have its file: a mistyped name would bring up something else. */
function requireStackFile(stack) {
  if (existsSync(stackFile(stack))) return;
  const names = readdirSync("stacks").flatMap(
    (name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [],
  );
  fail(`there is no stacks/Pulumi.${stack}.yaml; the stacks are ${names.join(", ")}`);
}

/** Locks the packages of images where they are not: before anything is built. */
async function lockPackages(stack) {
  if (!(await declaresPackages(readFileSync(stackFile(stack), "utf8")))) return true;
  return typescript("../lock.ts").lock(stack, { first: true }) === 0;
}

const stackFile = (stack) => join("stacks", `Pulumi.${stack}.yaml`);

/** Whether the local backend has the stack; the state in this folder is of this project alone. */
function stackExists(stack) {
  const folder = join(stateFolder, ".pulumi", "stacks");
  return (
    existsSync(folder) &&
    readdirSync(folder).some((project) =>
      [".json", ".json.gz"].some((end) => existsSync(join(folder, project, stack + end))),
    )
  );
}

/**
 * Makes the stack when it does not exist. Returns further arguments for the command.
 *
 * With the local backend, Pulumi would note its passphrase's salt in the stack file, which belongs
 * to everyone who uses it. So it gets a copy, and finds the salt in the state.
 */
async function prepareStack(stack, env) {
  const pulumi = (...given) => spawnSync("pulumi", given, { env, encoding: "utf8" });
  if (!ownBackend) {
    const { status, stderr } = pulumi("stack", "select", "--create", "--non-interactive", stack);
    if (status !== 0) fail(`stack ${stack} can't be selected: ${stderr.trim()}`);
    return [];
  }
  const folder = join(".local", "copy-of");
  const copy = join(folder, "stacks", `Pulumi.${stack}.yaml`);
  mkdirSync(join(folder, "stacks"), { recursive: true });
  const configuration = await configurationCopy(readFileSync(stackFile(stack), "utf8"));
  writeFileSync(copy, configuration);
  if (!stackExists(stack)) {
    writeFileSync(join(folder, "Pulumi.yaml"), readFileSync("Pulumi.yaml"));
    const { status, stderr } = pulumi("-C", folder, "stack", "init", "--non-interactive", stack);
    if (status !== 0)
      fail(`stack ${stack} can't be made of stacks/Pulumi.${stack}.yaml: ${stderr.trim()}`);
    writeFileSync(copy, configuration);
  }
  return ["--config-file", copy];
}

/** Tells what is there now, and how to use it; returns whether that is enough. */
function printCluster(stack, env) {
  const { status, stdout } = spawnSync("pulumi", ["stack", "output", "--json"], {
    env,
    encoding: "utf8",
  });
  const { engines, beforeConnect, connect, missing = [] } = status === 0 ? JSON.parse(stdout) : {};
  if (!engines) return true;
  if (engines.length === 0) return missing.length === 0;
  console.log(`\n${engineTable(engines)}`);
  const first = beforeConnect ? `${beforeConnect}; ` : "";
  console.log(`\nConnect from this machine, in .local/venv/bin/python:  ${first}c = ${connect}`);
  console.log(`Try it:  npm run hello${stack === "dev" ? "" : ` -- -s ${stack}`}`);
  return missing.length === 0;
}

/** Prints the environment for a shell: eval "$(npm run --silent env)". */
export async function printEnvironment(stack) {
  await setUp("cluster", stack);
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  const variables = { ...pulumiEnvironment(), ...(stack !== undefined && { PULUMI_STACK: stack }) };
  for (const [name, value] of Object.entries(variables)) {
    console.log(`export ${name}=${quote(value)}`);
  }
  return 0;
}
