import assert from "node:assert/strict";

import { ProjectCopy } from "./projectCopy";
import { docker } from "./testStack";

const NAME = "test-hello";

describe("npm run hello", function () {
  this.timeout(300_000);
  let copy: ProjectCopy;

  before(async () => {
    copy = await ProjectCopy.create(NAME);
    copy.declare({ workers: [{ name: "w1", engines: 3 }] });
  });
  after(() => copy.remove());

  /** Runs a command of the command line, for the stack that `-s` names and no other. */
  async function npm(...args: string[]) {
    const { status, output } = await copy.launch(
      "npm",
      ["run", "--silent", args[0] ?? "", "--", "-s", NAME, ...args.slice(1)],
      { PULUMI_STACK: "" },
    ).ended;
    return { status, output: output.trim() };
  }

  it("says in one line that a cluster is not up, and what to run", async () => {
    const { status, output } = await npm("hello");
    assert.equal(status, 1);
    assert.match(
      output,
      /^error: cluster test-hello: there is no .*ipcontroller-client\.json; it is not up: run npm run up -- -s test-hello$/,
    );
  });

  it("has every engine of any stack say hello", async () => {
    await copy.run("up");
    const { status, output } = await npm("hello");
    assert.equal(status, 0, output);
    assert.match(output, /^\[0, 1, 2\]\n\['Hello World', 'Hello World', 'Hello World'\]$/);
  });

  for (const how of ["stop", "kill"]) {
    it(`reports a controller after docker ${how}, as status does; up brings it back`, async () => {
      await docker(how, `ipp-${NAME}-controller`);
      const down = /controller: its container on host local is exited; `npm run up` brings it back/;
      const { status, output } = await npm("hello");
      assert.equal(status, 1);
      assert.match(output, down);
      assert.equal(output.split("\n").length, 1, output);
      assert.match((await npm("status")).output, down);
      await copy.run("up");
      assert.equal((await npm("hello")).status, 0);
    });
  }

  it("says in one line that no engine is there", async () => {
    await docker("stop", `ipp-${NAME}-w1`);
    const { status, output } = await npm("hello");
    assert.equal(status, 1);
    assert.match(output, /^error: cluster test-hello: .*w1: its container on host local is exited/);
    assert.equal(output.split("\n").length, 1, output);
  });
});
