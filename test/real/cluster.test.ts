import assert from "node:assert/strict";
import { appendFileSync, existsSync } from "node:fs";
import { join } from "node:path";

import { changed, dockerObjects, exists, TestStack } from "./testStack";

function workers(...engines: number[]) {
  return {
    workers: engines.map((count, index) => ({ name: `w${String(index + 1)}`, engines: count })),
  };
}

/** Each engine's ident, process and the variable `mark` in its namespace. */
type Engines = Record<string, { pid: number; mark: string | null }>;

const LOOK = `
import json
def about():
    import os
    return {"pid": os.getpid(), "mark": globals().get("mark")}
print(json.dumps({c._engines[i]: c[i].apply_sync(about) for i in c.ids}))
`;

describe("a cluster on this machine's Docker", function () {
  this.timeout(300_000);
  let stack: TestStack;
  const look = async () => JSON.parse(await stack.python(LOOK)) as Engines;
  const isPartOf = (few: Engines, many: Engines) => {
    for (const [ident, engine] of Object.entries(few)) {
      assert.deepEqual(many[ident], engine);
    }
  };

  before(async () => {
    stack = await TestStack.create("test-cluster", workers(2, 2));
    await stack.up();
    await stack.python('c[:].push({"mark": "kept"}, block=True)');
  });
  after(() => stack.remove());

  it("says hello from every engine, through the profile", async () => {
    const hello = await stack.python('print(c.ids, c[:].apply_sync(lambda: "Hello World"))');
    assert.equal(
      hello,
      "[0, 1, 2, 3] ['Hello World', 'Hello World', 'Hello World', 'Hello World']",
    );
  });

  it("tells each engine's worker, ident and versions in its outputs", async () => {
    const engines = (await stack.output("engines")) as { worker: string; ident: string }[];
    assert.deepEqual(engines.map(({ worker }) => worker).sort(), ["w1", "w1", "w2", "w2"]);
    assert.deepEqual(engines.map(({ ident }) => ident).sort(), Object.keys(await look()).sort());
  });

  it("shows no change afterwards, also after a refresh", async () => {
    assert.deepEqual((await stack.preview()).steps, []);
    await stack.refresh();
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("adds one engine to one worker, and takes it away, with the others untouched", async () => {
    const two = await look();
    const touched = ["test-cluster-readiness-check", "test-cluster-w1-engines-start"];

    stack.declare(workers(3, 2));
    assert.deepEqual(changed(await stack.preview()), touched);
    assert.deepEqual(changed(await stack.up()), touched);
    const three = await look();
    assert.equal(Object.keys(three).length, 5);
    isPartOf(two, three);

    stack.declare(workers(2, 2));
    assert.deepEqual(changed(await stack.preview()), touched);
    await stack.up();
    assert.deepEqual(await look(), two);
  });

  it("adds a worker, and removes it, with the others untouched", async () => {
    const two = await look();

    stack.declare(workers(2, 2, 1));
    const preview = await stack.preview();
    assert.deepEqual(changed(preview), [
      "test-cluster-readiness-check",
      "test-cluster-w3",
      "test-cluster-w3-container",
      "test-cluster-w3-engines",
      "test-cluster-w3-engines-start",
    ]);
    await stack.up();
    const three = await look();
    assert.equal(Object.keys(three).length, 5);
    isPartOf(two, three);

    stack.declare(workers(2, 2));
    await stack.up();
    assert.deepEqual(await look(), two);
  });

  it("replaces image, containers and engines, and nothing else, for a line in the Dockerfile", async () => {
    appendFileSync(join(stack.folder, "docker/Dockerfile"), "LABEL line=added\n");
    const preview = await stack.preview();
    const kept = /keys|volume|network|client/;
    assert.deepEqual(
      changed(preview).filter((name) => kept.test(name)),
      [],
    );
    assert.ok(changed(preview).includes("test-cluster-image-default-local-build"));
    await stack.up();
    const engines = await look();
    assert.equal(Object.keys(engines).length, 4);
    assert.ok(Object.values(engines).every(({ mark }) => mark === null));
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("leaves nothing behind when it is destroyed", async () => {
    assert.ok(existsSync(join(stack.folder, "ipython/profile_test-cluster")));
    const objects = await dockerObjects("test-cluster");
    assert.equal(objects.filter(({ kind }) => kind === "container").length, 3);
    assert.equal(objects.filter(({ kind }) => kind === "network").length, 1);
    // One for the keys of each container, one for each home; all without a name.
    assert.equal(objects.filter(({ kind }) => kind === "volume").length, 6);
    await stack.destroy();
    for (const object of objects) {
      assert.equal(await exists(object), false, `${object.kind} ${object.id} is left`);
    }
    assert.ok(!existsSync(join(stack.folder, "ipython/profile_test-cluster")));
  });
});
