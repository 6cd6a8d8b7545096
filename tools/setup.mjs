#!/usr/bin/env node
// Sets up what is missing to run the cluster, and nothing else: `node tools/setup.mjs [test]`.
// It runs before `npm ci`, so it uses nothing but Node's own library.
import { pathToFileURL } from "node:url";
import { baseImage, keptBaseImage, laterBaseImage } from "./setup/base-image.mjs";
import { docker, useOneDocker } from "./setup/docker.mjs";
import { packages } from "./setup/packages.mjs";
import { plugins } from "./setup/plugins.mjs";
import { pulumi } from "./setup/pulumi.mjs";
import { lockPython, python, testPython } from "./setup/python.mjs";
import { SetupError } from "./setup/shell.mjs";
import { ssh } from "./setup/ssh.mjs";
import { state } from "./setup/state.mjs";
import { runSteps } from "./setup/steps.mjs";
import { testHosts } from "./setup/test-hosts.mjs";

/** The steps for each purpose. */
export const purposes = {
  cluster: [docker, ssh, packages, pulumi, plugins, baseImage, keptBaseImage, python, state],
  "python3.13": [docker, laterBaseImage],
  lock: [lockPython],
  checks: [packages, testPython],
  test: [
    docker,
    ssh,
    packages,
    pulumi,
    plugins,
    baseImage,
    laterBaseImage,
    python,
    state,
    testPython,
    testHosts,
  ],
};

/** Sets up what a purpose needs. Ends the process with a message when that fails. */
export async function setUp(purpose) {
  try {
    useOneDocker();
    await runSteps(purposes[purpose]);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(`error: ${error.message}`);
    process.exit(1);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const purpose = process.argv[2] ?? "cluster";
  if (!Object.hasOwn(purposes, purpose)) {
    console.error(`error: unknown purpose "${purpose}": use ${Object.keys(purposes).join(", ")}`);
    process.exit(2);
  }
  const started = Date.now();
  await setUp(purpose);
  console.error(
    `Everything is set up (looked at in ${((Date.now() - started) / 1000).toFixed(1)} s).`,
  );
}
