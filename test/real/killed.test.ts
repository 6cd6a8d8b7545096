import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { family, signal, withEnvironment } from "./processes";
import { ProjectCopy, type Started } from "./projectCopy";
import { dockerObjects } from "./testStack";

const NAME = "test-killed";

/** How long a run that was cut off may take to be gone: Pulumi's 30 s to cancel, and 10 s more. */
const GONE_WITHIN = 45_000;

/** Ends a part of the chain of processes from npm to a plugin. */
type Kill = (started: Started) => void;

/** Sends a signal to the first process whose command line matches. */
function killing(pattern: RegExp, name: NodeJS.Signals): Kill {
  return ({ pid }) => {
    const own = family(pid).map((one) => one.pid);
    const found = withEnvironment(`PULUMI_STACK=${NAME}`).find(
      (one) => own.includes(one.pid) && pattern.test(one.command),
    );
    assert.ok(found, `no process matches ${String(pattern)}`);
    signal(found.pid, name);
  };
}

const CHAIN: [who: string, pattern: RegExp][] = [
  ["npm", /^npm run up/],
  ["the script", /^node tools\/cli\.mjs up/],
  ["Pulumi", /^pulumi up/],
  ["the Docker plugin", /pulumi-resource-docker/],
  ["the plugin for commands", /pulumi-resource-command/],
  ["the program's host", /pulumi-(language-nodejs|nodejs-host)/],
];

const GROUP: Kill[] = (["SIGINT", "SIGTERM", "SIGHUP", "SIGKILL"] as const).map(
  (name) =>
    ({ pid }) =>
      signal(-pid, name),
);

describe("an up of which a process is killed", function () {
  this.timeout(400_000);
  let copy: ProjectCopy;
  let temporary: string;
  let round = 0;

  /** Declares another worker than the last one, so that there is a container to make. */
  const declareNext = () => {
    round += 1;
    copy.declare({ workers: [{ name: `w${String(round)}`, engines: 2 }] });
  };

  before(async () => {
    copy = await ProjectCopy.create(NAME);
    declareNext();
    temporary = join(copy.folder, "temporary");
    mkdirSync(temporary);
    await copy.run("up"); // with all that setup has to do
  });
  after(() => copy.remove());

  /** What is left of a run: processes, locks, and files that hold secrets. */
  function leftovers(): string[] {
    const locks = join(copy.folder, ".local/state/.pulumi/locks");
    const files = existsSync(locks)
      ? readdirSync(locks, { recursive: true, encoding: "utf8" })
      : [];
    return [
      ...withEnvironment(`TMPDIR=${temporary}`).map(
        ({ pid, command }) => `${String(pid)} ${command}`,
      ),
      ...files.filter((name) => name.endsWith(".json")),
      ...readdirSync(temporary).filter((name) => name.startsWith("ipyparallel-events-")),
    ];
  }

  async function isGone(): Promise<void> {
    const deadline = Date.now() + GONE_WITHIN;
    while (leftovers().length > 0 && Date.now() < deadline) {
      await sleep(200);
    }
    assert.deepEqual(leftovers(), []);
  }

  async function recovers(kill: Kill, moment: RegExp, command = ["npm", "run", "up"]) {
    declareNext();
    const [program = "", ...args] = command;
    // At a terminal, too, in lines: that is what TERM and NO_COLOR say.
    const lines = { TERM: "dumb", NO_COLOR: "1" };
    const started = copy.launch(program, args, { TMPDIR: temporary, ...lines });
    await started.prints(moment);
    kill(started);
    await isGone();
    await copy.run("up");
    assert.equal(copy.hello(), "2 {'Hello World'}");
  }

  const CREATING = /-w\d+-container creating/;
  for (const [who, pattern] of CHAIN) {
    for (const name of ["SIGTERM", "SIGHUP", "SIGKILL"] as const) {
      it(`leaves nothing behind, and the next up completes: ${name} to ${who}`, () =>
        recovers(killing(pattern, name), CREATING));
    }
  }

  for (const [index, name] of ["Ctrl-C", "SIGTERM", "SIGHUP", "SIGKILL"].entries()) {
    it(`leaves nothing behind, and the next up completes: ${name} to npm's process group`, () =>
      recovers(GROUP[index] as Kill, CREATING));
  }

  it("is recovered by the next up where all processes end at once, as in a power cut", async () => {
    declareNext();
    const started = copy.launch("npm", ["run", "up"], { TMPDIR: temporary });
    await started.prints(CREATING);
    family(started.pid).forEach((one) => signal(one.pid, "SIGKILL"));
    await started.ended;
    await copy.run("up");
    assert.equal(copy.hello(), "2 {'Hello World'}");
    // Nobody was left to remove the pipe of the log of events, which holds nothing.
    readdirSync(temporary).forEach((name) => rmSync(join(temporary, name), { recursive: true }));
    assert.deepEqual(leftovers(), []);
  });

  it("leaves nothing behind, and the next up completes: nobody reads what it prints", () =>
    recovers((started) => started.hangUp(), CREATING));

  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    it(`leaves nothing behind, and the next up completes: ${name} to its terminal`, () =>
      // `script` has a terminal for what it runs; with it, the terminal goes.
      recovers(({ pid }) => signal(pid, name), CREATING, [
        "script",
        "--quiet",
        "--return",
        "--command",
        "exec npm run up",
        "/dev/null",
      ]));
  }

  it("lets the next up complete that comes at once, before the killed one is gone", async () => {
    declareNext();
    const started = copy.start("up");
    await started.prints(CREATING);
    killing(/^node tools\/cli\.mjs up/, "SIGKILL")(started);
    await copy.run("up");
    assert.equal(copy.hello(), "2 {'Hello World'}");
  });

  it("leaves a cluster in which nothing is to change, and of which down leaves nothing", async () => {
    assert.doesNotMatch(await copy.run("preview"), /to (create|update|replace|delete)/);
    await copy.run("down");
    assert.deepEqual(await dockerObjects(NAME), []);
  });
});
