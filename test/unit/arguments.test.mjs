import assert from "node:assert/strict";

import { UsageError, helpOf, nearest, readArguments } from "../../tools/cli/arguments.mjs";

const number = (text) => (/^\d+$/.test(text) ? undefined : "a number");
const verb = {
  summary: "Does something.",
  stack: true,
  options: {
    fast: { help: "be quick", short: "f" },
    times: { help: "how often", value: "NUMBER", check: number },
    skip: { help: "what not", value: "NAME", multiple: true },
  },
};
const other = {
  summary: "Does something to colours.",
  operands: { name: "COLOUR", help: "which", known: () => ["red", "green"] },
};
const wrapper = { summary: "Passes on.", stack: true, passesOn: true };

const read = (args, env = {}, what = verb) => readArguments("paint", what, args, env);
const rejects = (args, message, env = {}, what = verb) =>
  assert.rejects(read(args, env, what), (error) => {
    assert.ok(error instanceof UsageError);
    assert.equal(error.message, message);
    return true;
  });

describe("the stack of a verb", () => {
  for (const args of [["-s", "lab"], ["-slab"], ["-s=lab"], ["--stack", "lab"], ["--stack=lab"]]) {
    it(`is what ${args.join(" ")} says, before the environment`, async () => {
      for (const what of [verb, wrapper]) {
        const given = await read(["--fast", ...args, "--skip=a"], { PULUMI_STACK: "x" }, what);
        assert.equal(given.stack, "lab");
        assert.equal(given.stackGiven, true);
        assert.deepEqual(given.rest, ["--fast", "--skip=a"]);
      }
    });
  }

  it("is what the environment says, else dev", async () => {
    assert.equal((await read([], { PULUMI_STACK: "nightly" })).stack, "nightly");
    assert.equal((await read([], { PULUMI_STACK: "" })).stack, "dev");
    assert.equal((await read([])).stackGiven, false);
  });

  it("must have a name, and one", async () => {
    for (const args of [["-s"], ["--stack"], ["--stack="], ["-s", ""], ["-s", "--fast"]]) {
      await rejects(args, `${args[0].slice(0, 7)} must be followed by NAME`);
    }
    await rejects(["-s", "a", "--stack=b"], "--stack is given twice");
  });
});

describe("the arguments of a verb", () => {
  it("are those that it has, as they were given", async () => {
    const given = await read(["-f", "--times", "3", "--skip", "a", "--skip=b"]);
    assert.deepEqual(given.options, { fast: true, times: "3", skip: ["a", "b"] });
    assert.deepEqual(given.rest, ["-f", "--times", "3", "--skip", "a", "--skip=b"]);
  });

  it("that it does not have are rejected by their names", async () => {
    await rejects(["--slow"], "unknown option --slow; npm run paint -- --help lists all");
    await rejects(
      ["--fats"],
      "unknown option --fats, did you mean --fast?; npm run paint -- --help lists all",
    );
    await rejects(["-x"], "unknown option -x; npm run paint -- --help lists all");
    await rejects(["-fx"], "unknown option -x; npm run paint -- --help lists all");
    await rejects(["--fast=1"], '--fast takes no value (got "1")');
    await rejects(["--times", "many"], '--times: must be a number (got "many")');
  });

  it("are no stack without -s, which npm run VERB NAME and npm run VERB -s NAME leave out", () =>
    rejects(["lab"], 'unknown argument "lab"; a stack is named as in npm run paint -- -s lab'));

  it("are known words where it takes such", async () => {
    assert.deepEqual((await read(["green", "red"], {}, other)).operands, ["green", "red"]);
    await rejects(["blue"], 'unknown argument "blue"; allowed are red, green', {}, other);
    await rejects(["red", "-s"], "unknown option -s; npm run paint -- --help lists all", {}, other);
  });

  it("must not be npm's by a missing --", () =>
    rejects(
      [],
      'npm has taken --skip for itself: write it behind "--", as in npm run paint -- --skip',
      { npm_config_skip: "a" },
    ));

  it("go to another program as they are, but for the stack", async () => {
    const args = ["config", "set", "--path", "a.b", "-x", "--", "-s", "c"];
    const given = await read(["-s", "lab", ...args], {}, wrapper);
    assert.deepEqual(given.rest, args);
    assert.deepEqual((await read(["up", "--help"], {}, wrapper)).rest, ["up", "--help"]);
  });
});

describe("--help", () => {
  it("comes before everything else", async () => {
    for (const args of [["--help"], ["-h"], ["lab", "-h"]])
      assert.equal(await read(args), undefined);
    assert.equal(await read(["--help"], {}, wrapper), undefined);
  });

  it("lists what a verb takes", () => {
    assert.deepEqual(helpOf("paint", verb).split("\n"), [
      "npm run paint -- [OPTIONS]",
      "",
      "Does something.",
      "",
      "  -s, --stack NAME    the stack: the file stacks/Pulumi.NAME.yaml",
      "  -f, --fast          be quick",
      "      --times NUMBER  how often",
      "      --skip NAME     what not (may be repeated)",
      "  -h, --help          print this",
    ]);
    assert.match(helpOf("paint", other), /^npm run paint -- \[OPTIONS\] \[COLOUR\]\.\.\.$/m);
    assert.match(helpOf("paint", wrapper), /^npm run paint -- \[OPTIONS\] ARGUMENTS$/m);
  });
});

describe("nearest", () => {
  for (const [word, expected] of [
    ["statsu", "status"],
    ["stauts", "status"],
    ["statu", "status"],
    ["statuss", "status"],
    ["ststus", "status"],
    ["stat", "status"],
    ["up", undefined],
    ["xx", undefined],
    ["elephant", undefined],
  ]) {
    it(`of ${word} is ${String(expected)}`, () => {
      assert.equal(nearest(word, ["status", "down"]), expected);
    });
  }
});
