import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { dockerObjects, failureOf, TestStack } from "./testStack";

const NAME = "test-pythons";

// What a user would do with engines of two Pythons, from a client that has the first one's.
const USE = `
import json
import pathlib

engines = {name.split("-")[0]: c[id] for id, name in c._engines.items()}
same, other = engines["same"], engines["other"]


def refusal(view, function):
    try:
        return view.apply_sync(function)
    except ipp.RemoteError as error:
        return f"{error.ename}: {error.evalue}"


def hello():
    return "Hello World"


c[:].execute("import sys; minor = '%d.%d' % sys.version_info[:2]", block=True)
c[:].push({"numbers": [1, 2, 3]}, block=True)
other.execute("doubled = [2 * number for number in numbers]", block=True)
other.execute("import markupsafe._speedups as module; file = module.__file__", block=True)
c[:].scatter("part", [0, 1, 2, 3], block=True)
print(json.dumps({
    "source": {name: view["minor"] for name, view in engines.items()},
    "data": [other["doubled"], c[:].gather("part", block=True)],
    "hello": {name: refusal(view, hello) for name, view in engines.items()},
    "package": pathlib.Path(other["file"]).name.split("-")[:2],
}))
`;

describe("engines of two Pythons", function () {
  this.timeout(600_000);
  let stack: TestStack;
  before(async () => {
    stack = await TestStack.create(NAME, {
      // As YAML takes it without quotes. The package has another file for each Python.
      images: { later: { python: 3.13, packages: ["markupsafe==3.0.3"] } },
      workers: [{ name: "same" }, { name: "other", image: "later" }],
    });
  });
  after(() => stack.remove());

  it("come up in one cluster, which says in a line what to know of them", async () => {
    await stack.lock();
    const { output } = await stack.up();
    assert.doesNotMatch(output, /are not locked/);
    const notes = output.match(/engines have Python.*/g) ?? [];
    assert.deepEqual(
      [...new Set(notes)],
      [
        "engines have Python 3.11 on 1 worker, 3.13 on 1 worker: functions reach those of the client's Python",
      ],
    );
    const engines = (await stack.output("engines")) as { worker: string; python: string }[];
    const pythons = engines.map(({ worker, python }) => `${worker} ${python}`).sort();
    assert.match(pythons.join(", "), /^other 3\.13\.\d+, same 3\.11\.\d+$/);
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("run source and take data alike, and functions from a client of their own Python", async () => {
    const seen = JSON.parse(await stack.python(USE)) as Record<string, unknown>;
    assert.deepEqual(seen, {
      source: { same: "3.11", other: "3.13" },
      data: [
        [2, 4, 6],
        [0, 1, 2, 3],
      ],
      hello: {
        same: "Hello World",
        other:
          "AnotherPython: hello() is byte code of another Python than this engine's 3.13: use a " +
          "client with Python 3.13, or an engine with the client's (images.NAME.python), or send " +
          "source with execute()",
      },
      package: ["_speedups.cpython", "313"],
    });
  });

  it("need a base of their Python: one error names both, or says how to get one", async () => {
    const note = join(stack.folder, ".local/base-image-3.13");
    const base = readFileSync(note, "utf8").trim();
    stack.declare({
      images: { later: { python: "3.12", base } },
      workers: [{ name: "same" }, { name: "other", image: "later" }],
    });
    assert.match(
      await failureOf(stack.up()),
      /the base image \S+ has Python 3.13, and Python 3.12 is declared: name a base with that, such as python:3.12-slim-bookworm/,
    );
    rmSync(note);
    stack.declare({
      images: { a: { python: "3.13" }, b: { python: "3.12" } },
      workers: [{ name: "same", image: "a" }],
    });
    const refusal = await failureOf(stack.preview());
    assert.match(refusal, /The stack file has 2 mistakes; nothing was changed/);
    assert.match(
      refusal,
      /images.a.python: 3.13 needs python:3.13-slim-bookworm, and set-up could pull none here; run `npm run setup -- python3.13` once/,
    );
    assert.match(
      refusal,
      /images.b.python: 3.12 needs python:3.12-slim-bookworm, and set-up could pull none here; bring that image here/,
    );
  });

  it("leave nothing behind", async () => {
    await stack.destroy();
    assert.deepEqual(await dockerObjects(NAME), []);
  });
});
