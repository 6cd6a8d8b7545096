// Sets up what is missing to run the cluster, and nothing else: `npm run setup`.
// It runs before `npm ci`, so it uses nothing but Node's own library.
import { baseImages } from "./setup/base-image.mjs";
import { suites } from "./setup/context.mjs";
import { docker, useOneDocker } from "./setup/docker.mjs";
import { packages } from "./setup/packages.mjs";
import { plugins } from "./setup/plugins.mjs";
import { pulumi } from "./setup/pulumi.mjs";
import { clientPython, testPython } from "./setup/python.mjs";
import { SetupError } from "./setup/shell.mjs";
import { ssh } from "./setup/ssh.mjs";
import { state } from "./setup/state.mjs";
import { runSteps } from "./setup/steps.mjs";
import { testHosts } from "./setup/test-hosts.mjs";
import { choosePython, notePython } from "./setup/user-python.mjs";
import { uv } from "./setup/uv.mjs";

/**
 * The steps for each purpose.
 *
 * @param {string} stack  name of the stack, whose file may name a Python
 */
function purposes(stack) {
  let chosen;
  const choose = () => {
    if (chosen === undefined) {
      chosen = choosePython(stack);
      if (chosen?.pinned === false) notePython(chosen);
    }
    return chosen;
  };
  const pulumiSteps = [docker, ssh, packages, pulumi, plugins, state];
  const neededBases = baseImages(() => choose()?.bases);
  const python = clientPython(choose);
  const bases = Object.keys(suites).map((version) => [
    `python${version}`,
    [docker, baseImages(() => [version])],
  ]);
  return {
    cluster: [...pulumiSteps, uv, neededBases, python],
    preview: [...pulumiSteps, neededBases],
    client: [packages, uv, python],
    lock: [uv],
    checks: [packages, uv, testPython(choose)],
    test: [
      ...pulumiSteps,
      uv,
      baseImages(() => Object.keys(suites)),
      python,
      testPython(choose),
      testHosts,
    ],
    ...Object.fromEntries(bases),
  };
}

/** Sets up what a purpose needs. Ends the process with a message when that fails. */
export async function setUp(purpose, stack = process.env.PULUMI_STACK || "dev") {
  try {
    useOneDocker();
    await runSteps(purposes(stack)[purpose]);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`error: ${error.message}`);
    process.exit(1);
  }
}

/** The names of all purposes. */
export const purposeNames = () => Object.keys(purposes("dev"));

/** `npm run setup`: sets up what is missing for a purpose, and reports it. */
export async function main(purpose = "cluster") {
  const started = Date.now();
  await setUp(purpose);
  console.error(`Setup is up to date (${((Date.now() - started) / 1000).toFixed(1)} s).`);
  return 0;
}
