#!/usr/bin/env node
// Runs Pulumi for this folder: `node tools/pulumi.mjs [-s STACK] COMMAND [ARGUMENTS]`.
//
// It sets up what is missing, names the stack (dev, unless -s or PULUMI_STACK says another), makes
// it when it does not exist, and runs Pulumi with the arguments as they are. `env` instead of a
// command prints the environment for a shell: eval "$(npm run --silent env)".
import "./setup/node-version.mjs"; // first

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setUp } from "./setup.mjs";
import { beginCleanUp } from "./setup/clean-up.mjs";
import { root, stateFolder } from "./setup/context.mjs";
import { isOwnBackend, pulumiEnvironment } from "./setup/engine.mjs";
import { runForeground } from "./setup/foreground.mjs";
import { eventLog } from "./setup/events.mjs";
import { failures, forget, lookAtHosts } from "./setup/leave-alone.mjs";
import { recover } from "./setup/recover.mjs";
import { choosePython, noteCluster } from "./setup/user-python.mjs";
import { configurationCopy, engineTable, takeStack } from "./setup/stack.mjs";

/** Commands that read the stack's configuration and act on its resources. */
const operations = ["up", "preview", "refresh", "destroy"];

/** Commands for which the stack is made when it does not exist: a secret may come before all else. */
const stackMakers = [...operations, "config"];

process.chdir(root);
const { stack, args } = takeStack(process.argv.slice(2), process.env.PULUMI_STACK);
const [command] = args;
const ownBackend = isOwnBackend();

if (command === undefined) {
  fail("a command is missing, such as up, preview, refresh or destroy");
} else if (command === "env") {
  await setUp("cluster", stack);
  printEnvironment();
} else {
  process.exitCode = await main();
}

async function main() {
  if (stackMakers.includes(command)) requireStackFile();
  if (ownBackend && ["refresh", "destroy"].includes(command) && !stackExists()) {
    console.log(`Stack ${stack} has not been brought up from this folder: nothing to do.`);
    return 0;
  }
  // A preview changes nothing: not the client's Python either.
  await setUp(command === "preview" ? "preview" : "cluster", stack);
  if (["up", "preview"].includes(command) && !lockPackages()) return 1;
  const env = { ...process.env, ...pulumiEnvironment(), PULUMI_STACK: stack };
  const prepared = stackMakers.includes(command) ? prepareStack(env) : [];
  // `config` is to change the stack file itself.
  const configFile = operations.includes(command) ? prepared : [];
  const pulumi = (...given) =>
    spawnSync("pulumi", given, { env, encoding: "utf8", maxBuffer: 1 << 28 });
  const { abandoned, silent, notes } = operations.includes(command)
    ? lookAtHosts(stack)
    : { abandoned: [], silent: [], notes: [] };
  const excluded = [...abandoned, ...silent].flatMap((pattern) => ["--exclude", pattern]);
  if (ownBackend && ["up", "refresh", "destroy"].includes(command)) {
    recover(projectName(), stack, (name, ...given) =>
      pulumi(name, ...given, ...(name === "refresh" ? [...configFile, ...excluded] : [])),
    );
  }
  if (["up", "destroy"].includes(command)) forget(abandoned, stack, pulumi);
  // What is on a host that does not answer can't be removed: that `down` must say so itself.
  const also = command === "destroy" ? [] : excluded;
  const all = [...args, ...configFile, ...also];
  if (command === "up") return bringUp(all, env);
  const cleanUp = takesAllDown(args) ? beginCleanUp(stack) : undefined;
  const status = await runForeground("pulumi", all, env);
  await cleanUp?.(status === 0);
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
async function bringUp(args, env) {
  const events = eventLog(/"resOpFailedEvent"|"severity":"error"|-readiness-check/);
  let interrupted = false;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    process.on(signal, () => (interrupted = true));
  }
  const status = await runForeground("pulumi", [...args, ...events.options], {
    ...env,
    ...events.env,
  });
  const kept = await events.close();
  const { lines, othersReady } =
    status === 0 ? { lines: [], othersReady: true } : failures(stack, interrupted ? [] : kept);
  const enough = othersReady && printCluster(env);
  if (enough) noteCluster(stack, choosePython(stack).version);
  for (const line of lines) console.error(`${enough ? "warning" : "error"}: ${line}`);
  return enough ? 0 : status || 1;
}

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

/** The stack must have its file: a mistyped name would bring up something else. */
function requireStackFile() {
  if (existsSync(join("stacks", `Pulumi.${stack}.yaml`))) return;
  const names = readdirSync("stacks").flatMap(
    (name) => /^Pulumi\.(.+)\.yaml$/.exec(name)?.[1] ?? [],
  );
  fail(`there is no stacks/Pulumi.${stack}.yaml; the stacks are ${names.join(", ")}`);
}

/** Locks the packages of images where they are not: before anything is built. */
function lockPackages() {
  if (!/\bpackages\b/.test(readFileSync(join("stacks", `Pulumi.${stack}.yaml`), "utf8")))
    return true;
  const program = ["-r", "./config/translate.cjs", "tools/lock.ts", "--first", "-s", stack];
  return spawnSync("node", program, { stdio: "inherit" }).status === 0;
}

function projectName() {
  return /^name:\s*(\S+)/m.exec(readFileSync("Pulumi.yaml", "utf8"))?.[1] ?? "";
}

function stackExists() {
  const folder = join(stateFolder, ".pulumi", "stacks", projectName());
  return [".json", ".json.gz"].some((end) => existsSync(join(folder, stack + end)));
}

/**
 * Makes the stack when it does not exist. Returns further arguments for the command.
 *
 * With the local backend, Pulumi would note its passphrase's salt in the stack file, which belongs
 * to everyone who uses it. So it gets a copy, and finds the salt in the state.
 */
function prepareStack(env) {
  const pulumi = (...given) => spawnSync("pulumi", given, { env, encoding: "utf8" });
  if (!ownBackend) {
    const { status, stderr } = pulumi("stack", "select", "--create", "--non-interactive", stack);
    if (status !== 0) fail(`stack ${stack} can't be selected: ${stderr.trim()}`);
    return [];
  }
  const folder = join(".local", "copy-of");
  const copy = join(folder, "stacks", `Pulumi.${stack}.yaml`);
  mkdirSync(join(folder, "stacks"), { recursive: true });
  const configuration = configurationCopy(
    readFileSync(join("stacks", `Pulumi.${stack}.yaml`), "utf8"),
  );
  writeFileSync(copy, configuration);
  if (!stackExists()) {
    writeFileSync(join(folder, "Pulumi.yaml"), readFileSync("Pulumi.yaml"));
    const { status, stderr } = pulumi("-C", folder, "stack", "init", "--non-interactive", stack);
    if (status !== 0)
      fail(`stack ${stack} can't be made of stacks/Pulumi.${stack}.yaml: ${stderr.trim()}`);
    writeFileSync(copy, configuration);
  }
  return ["--config-file", copy];
}

/** Tells what is there now, and how to use it; returns whether that is enough. */
function printCluster(env) {
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
  if (connect.includes('"ssh"')) {
    console.log(`Try it:  npm run ${beforeConnect ? "hello-ipv6" : "hello"}`);
  }
  return missing.length === 0;
}

function printEnvironment() {
  const quote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;
  for (const [name, value] of Object.entries(pulumiEnvironment())) {
    console.log(`export ${name}=${quote(value)}`);
  }
}
