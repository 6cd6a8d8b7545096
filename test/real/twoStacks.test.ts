import assert from "node:assert/strict";

import { failureOf, TestStack } from "./testStack";

describe("two stacks on one machine", function () {
  this.timeout(300_000);
  let one: TestStack;
  let two: TestStack;
  const workers = [{ name: "w1" }];

  before(async () => {
    one = await TestStack.create("test-one", { workers });
    two = await TestStack.create("test-two", { workers }, one.ipython);
    await Promise.all([one.up(), two.up()]);
  });
  after(async () => {
    await Promise.all([one.remove(), two.remove()]);
  });

  it("run side by side, each reached by its own profile", async () => {
    const ident =
      "print(c._engines[0], c[0].apply_sync(lambda: __import__('socket').gethostname()))";
    const first = await one.python(ident);
    const second = await two.python(ident);
    assert.match(first, /^w1-1-[0-9a-f]+ w1$/);
    assert.notEqual(first, second);
    assert.equal(await two.python(ident, "test-one"), first);
  });

  it("do not take each other's profile", async () => {
    two.declare({ workers, profile: "test-one" });
    assert.match(
      await failureOf(two.up()),
      /profile test-one: it belongs to another cluster, test-one/,
    );
    const hello = 'print(c[:].apply_sync(lambda: "still here"))';
    assert.equal(await one.python(hello), "['still here']");

    two.declare({ workers });
    await two.up();
    assert.equal(await two.python(hello), "['still here']");
  });

  it("do not reach each other with a profile of the other's keys", async () => {
    // The ports of the one, the keys of the other: the controller must not answer.
    const mixed = `
import json, os, pathlib
folder = pathlib.Path(os.environ["IPYTHONDIR"])
read = lambda name: json.loads((folder / f"profile_{name}/security/ipcontroller-client.json").read_text())
info = {**read("test-two"), **{k: v for k, v in read("test-one").items() if isinstance(v, int)}}
try:
    ipp.Client(connection_info=info, timeout=5)
    print("connected")
except TimeoutError:
    print("refused")
`;
    assert.equal(await one.python(mixed), "refused");
  });

  it("go away one by one", async () => {
    await two.destroy();
    assert.equal(await one.python("print(c.ids)"), "[0]");
    await one.destroy();
  });
});
