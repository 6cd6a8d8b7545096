#!/usr/bin/env node
// The command line: `node tools/cli.mjs VERB [ARGUMENTS]`, as the npm scripts run it.
import "./setup/node-version.mjs"; // first

import { UsageError, helpOf, nearest, readArguments } from "./cli/arguments.mjs";
import { verbs } from "./cli/verbs.mjs";
import { root } from "./setup/context.mjs";

async function main([name, ...args]) {
  if (name === undefined || name === "--help" || name === "-h") {
    const width = Math.max(...Object.keys(verbs).map((verb) => verb.length));
    const lines = Object.entries(verbs).map(
      ([verb, { summary }]) => `  ${verb.padEnd(width)}  ${summary}`,
    );
    console.log(["npm run VERB -- [ARGUMENTS]", "", ...lines].join("\n"));
    return name === undefined ? 2 : 0;
  }
  if (!Object.hasOwn(verbs, name)) {
    const near = nearest(name, Object.keys(verbs));
    throw new UsageError(`unknown verb "${name}"${near ? `, did you mean ${near}?` : ""}`);
  }
  const given = await readArguments(name, verbs[name], args);
  if (given !== undefined) return verbs[name].run(given);
  console.log(helpOf(name, verbs[name]));
  return 0;
}

process.chdir(root);
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  // What the user got wrong is said in a line; anything else is a fault of the program.
  const isUsers = error instanceof UsageError || ["Mistake", "ConfigError"].includes(error.name);
  console.error(isUsers ? `error: ${error.message}` : error);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
