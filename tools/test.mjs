// Runs the test suites: `npm test [-- GROUP or SUITE...]`, all of them by default.
//
// It ends with a table of the suites and, as the last line, the sum. The exit status is 1 when a
// test failed, or when a suite had no test to run.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setUp } from "./setup.mjs";
import { local, root } from "./setup/context.mjs";
import { pulumiEnvironment, readRecord } from "./setup/engine.mjs";
import { seconds } from "./setup/steps.mjs";
import { countGo, countJunit, none, summary } from "./test/counts.mjs";
import { purposeOf, suites } from "./test/suites.mjs";

/** Runs the suites and groups that are named; resolves to the exit status. */
export async function main(names) {
  const all = suites();
  const chosen = all.filter(
    ({ group, name }) => names.length === 0 || names.includes(group) || names.includes(name),
  );
  // Suites of real clusters wait much of their time. What only computes goes on beside them, with what
  // they leave of the cores, and says nothing before its end.
  const real = chosen.filter(({ group }) => group === "real");
  const beside =
    real.length === 0 ? [] : chosen.filter(({ group }) => ["vet", "go"].includes(group));
  const results = await runAll(chosen.filter((suite) => ![...real, ...beside].includes(suite)));
  if (real.length > 0) {
    await setUp(purposeOf.real);
    const { home, sources } = readRecord().plugins;
    console.log(
      `\nPulumi's plugins: ${sources ? "those built here" : "the official ones"}, in ${home}`,
    );
  }
  const lanes = await Promise.all([runAll(beside, { leisurely: true }), runAll(real)]);
  results.push(...lanes.flat());
  const { text, ok } = summary(results);
  console.log(`\n${text}`);
  return ok ? 0 : 1;
}

/** Runs suites one after the other; returns what came of each. */
async function runAll(suites, { leisurely = false } = {}) {
  const results = [];
  for (const suite of suites) {
    await setUp(purposeOf[suite.group]);
    if (!leisurely) console.log(`\n=== ${suite.name}`);
    const started = Date.now();
    const printed = [];
    const counts = await runSuite(suite, leisurely ? (text) => printed.push(text) : undefined);
    if (leisurely) console.log(`\n=== ${suite.name} (beside the others)\n${printed.join("")}`);
    results.push({ name: suite.name, ...counts, took: seconds(Date.now() - started) });
  }
  return results;
}

/**
 * Runs one suite to its end and counts its tests. A runner that breaks down is a failure.
 *
 * @param say takes what it prints; then it has only what is left of the cores.
 */
async function runSuite(suite, say) {
  const folder = join(local, "test-results");
  mkdirSync(folder, { recursive: true });
  const report = join(folder, `${suite.name.replaceAll(/\W/g, "-")}.report`);
  rmSync(report, { force: true });

  const args = suite.counts === "pytest" ? [...suite.args, `--junitxml=${report}`] : suite.args;
  const env = { ...process.env, ...pulumiEnvironment(), SUITE_RESULT: report };
  const events = [];
  const status = await execute(suite, args, env, events, say);
  const counts = {
    status: () => ({ ...none, passed: 1 }),
    mocha: () => JSON.parse(readFileSync(report, "utf8")),
    pytest: () => countJunit(readFileSync(report, "utf8")),
    go: () => countGo(events),
  };
  try {
    const counted = status === 0 || suite.counts !== "status" ? counts[suite.counts]() : none;
    return status !== 0 && counted.failed === 0 ? { ...counted, failed: 1 } : counted;
  } catch {
    return { ...none, failed: 1 };
  }
}

function execute({ command, counts, cwd = root }, args, env, events, say) {
  return new Promise((resolve) => {
    const print = say ?? ((text) => process.stdout.write(text));
    const go = counts === "go";
    const words = say === undefined ? [command, ...args] : ["nice", "-n", "19", command, ...args];
    const child = spawn(words[0], words.slice(1), {
      cwd,
      env,
      stdio: ["ignore", go || say ? "pipe" : "inherit", say ? "pipe" : "inherit"],
    });
    child.on("error", (error) => {
      console.error(`error: ${command} could not be started: ${error.message}`);
      resolve(127);
    });
    child.on("close", (status) => resolve(status ?? 1));
    if (go) createInterface(child.stdout).on("line", (line) => showGo(line, events, print));
    else child.stdout?.on("data", print);
    child.stderr?.on("data", print);
  });
}

/** Prints what `go test -json` tells of packages and of each test's end; keeps the event. */
function showGo(line, events, print) {
  let event;
  try {
    event = JSON.parse(line);
  } catch {
    print(`${line}\n`);
    return;
  }
  events.push(event);
  if (event.Action === "output" && !/^(=== (RUN|PAUSE|CONT|NAME)|\s+--- PASS)/.test(event.Output)) {
    print(event.Output);
  }
}
