import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomInt } from "node:crypto";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { deriveKeys } from "../../components/lib/keys";
import { random } from "../random";
import { family, signal } from "./processes";
import { ProjectCopy } from "./projectCopy";
import { dockerObjects, seedOf } from "./testStack";

const NAME = "test-cut-short";
const ENGINES = 3;

/** How often `up` and `down` are each cut short; all ten: `CUT_SHORT=10`. */
const ROUNDS = Number(process.env.CUT_SHORT ?? 2);
/** The same moments again: `CUT_SEED` as it was printed. */
const SEED = Number(process.env.CUT_SEED ?? randomInt(1 << 30));

describe("up and down that are cut short", function () {
  this.timeout(ROUNDS * 200_000 + 200_000);
  let copy: ProjectCopy;
  const draw = random(SEED);
  const lasts = { up: 0, down: 0 };
  type Command = keyof typeof lasts;

  const declare = (more: object = {}) => {
    copy.declare({ workers: [{ name: "w1", engines: 2 }, { name: "w2" }], ...more });
  };
  const run = (script: string) => copy.run(script);

  before(async () => {
    copy = await ProjectCopy.create(NAME);
    declare();
  });
  after(() => copy.remove());

  /** Cuts an npm script short at a moment that is drawn, as Ctrl-C or as `kill -9` of Pulumi. */
  async function cut(script: Command, how: "Ctrl-C" | "kill -9", at = draw()) {
    const moment = Math.round(at * lasts[script]);
    const { pid, ended } = copy.start(script);
    await Promise.race([sleep(moment), ended]);
    if (how === "Ctrl-C") {
      signal(-pid, "SIGINT");
    } else {
      // The CLI, or all of it at once, as when the machine loses power.
      const processes = family(pid);
      const cli = processes.filter(({ command }) => command === "pulumi");
      for (const one of cli.length > 0 && draw() < 0.5 ? cli : processes) {
        signal(one.pid, "SIGKILL");
      }
    }
    const { status } = await ended;
    return `${script}, ${how} after ${(moment / 1000).toFixed(1)} s: exit status ${String(status)}`;
  }

  function isUp() {
    assert.equal(copy.hello(), `${String(ENGINES)} {'Hello World'}`);
  }

  /** The secret that all keys derive from. */
  function seed(): string {
    return seedOf(copy.state()).trim();
  }

  async function isDown() {
    assert.deepEqual(await dockerObjects(NAME), []);
  }

  it("are measured, uncut", async () => {
    await run("up"); // with all that set-up has to do
    await run("down");
    for (const script of ["up", "down"] as const) {
      const started = Date.now();
      await run(script);
      lasts[script] = Date.now() - started;
    }
    console.log(
      `      up ${String(lasts.up)} ms, down ${String(lasts.down)} ms, CUT_SEED=${String(SEED)}`,
    );
    await isDown();
  });

  for (let round = 0; round < ROUNDS; round++) {
    const how = round % 2 === 0 ? "kill -9" : "Ctrl-C";
    it(`${how}, round ${String(round + 1)}: the next command completes`, async () => {
      console.log(`      ${await cut("up", how)}`);
      if (draw() < 0.3) {
        await run("down");
        await isDown();
      }
      await run("up");
      isUp();
      console.log(`      ${await cut("down", how)}`);
      if (draw() < 0.3) {
        await run("up");
        isUp();
      }
      await run("down");
      await isDown();
    });
  }

  describe("new keys", () => {
    let old: string;

    before(async () => {
      await run("up");
      old = join(copy.folder, "old-client.json");
      cpSync(copy.clientFile, old);
      declare({ keyGeneration: 1 });
    });

    it("the preview says what restarts", async () => {
      const output = await run("preview");
      for (const part of ["w1-container", "w2-container", "controller-container", "w1-engines"]) {
        assert.match(output, new RegExp(`(\\+-|replace|~ ).*${NAME}-${part}`), part);
      }
      isUp();
    });

    it("a rotation that is killed is finished by the next up", async () => {
      console.log(`      ${await cut("up", "kill -9", 0.4 + 0.5 * draw())}`);
      await run("up");
      isUp();
      assert.doesNotMatch(await run("preview"), /to (create|update|replace|delete)/);
    });

    it("the old keys no longer work", () => {
      assert.throws(() => copy.hello(old), /Timeout|timed out|ETIMEDOUT/i);
    });

    it("no secret is in plain text in state, console or temporary files after all that", async () => {
      const all = [0, 1].map((generation) => deriveKeys(seed(), generation));
      const secrets = [
        seed(),
        ...all.flatMap(({ hmac, curve, client }) => [
          hmac,
          curve.secret,
          ...client.private.split("\n").slice(1, 2),
        ]),
      ];
      assert.ok(secrets.every((secret) => secret.length >= 16));
      assert.ok(secrets.every((secret) => !copy.printed.includes(secret)));
      const kept = copy.keptState();
      assert.ok(kept.includes(`${NAME}-keys-seed`), "the state was not found");
      assert.ok(secrets.every((secret) => !kept.includes(secret)));
      rmSync(old);
      const { stdout } = spawnSync("grep", ["-rlF", "-f", "-", "/tmp"], {
        input: secrets.join("\n"),
        encoding: "utf8",
      });
      assert.deepEqual([...new Set(stdout.split("\n").filter(Boolean))], [copy.clientFile]);
      await run("down");
      await isDown();
    });
  });
});
