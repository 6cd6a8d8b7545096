import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";

import { dockerObjects, failureOf, TestStack } from "./testStack";

const NAME = "test-bad-input";
const GOOD = { workers: [{ name: "w1" }] };

function listen(port: number): Promise<Server> {
  const server = createServer();
  return new Promise((resolve) =>
    server.listen(port, "127.0.0.1", () => {
      resolve(server);
    }),
  );
}

describe("bad input", function () {
  this.timeout(300_000);
  let stack: TestStack;
  const { SSH_AUTH_SOCK = "" } = process.env;
  before(async () => {
    process.env.SSH_AUTH_SOCK = ""; // no agent
    stack = await TestStack.create(NAME, GOOD);
  });
  after(() => {
    process.env.SSH_AUTH_SOCK = SSH_AUTH_SOCK;
    return stack.remove();
  });

  const refused: [string, unknown, RegExp][] = [
    ["an unknown key", { ...GOOD, profil: "x" }, /profil: unknown key, did you mean "profile"\?/],
    ["a worker twice", { workers: [{ name: "a" }, { name: "a" }] }, /workers\[1\].name: "a"/],
    ["0 engines", { workers: [{ name: "w1", engines: 0 }] }, /workers\[0\].engines: 0 is given/],
    [
      "a port out of range",
      { workers: [{ name: "w1", sshPort: 70000 }] },
      /sshPort: 70000 is given/,
    ],
    [
      "a bastion that there is no key for",
      {
        ...GOOD,
        hosts: { far: { docker: "ssh://root@192.0.2.1", bastion: { host: "192.0.2.2" } } },
      },
      /hosts.far.identityFile: is missing, and no SSH agent runs/,
    ],
    [
      "a Docker host that does not answer",
      { ...GOOD, hosts: { local: { docker: "unix:///nowhere/docker.sock" } } },
      /host local: no Docker Engine answers at unix:\/\/\/nowhere\/docker.sock .*start it, or correct hosts.local/,
    ],
  ];
  for (const [title, cluster, message] of refused) {
    it(`refuses ${title} with one clear message, before anything is made`, async () => {
      stack.declare(cluster);
      const output = await failureOf(stack.up());
      assert.match(output, message);
      assert.doesNotMatch(output, /\n\s+at .*\.[jt]s:\d+/, "there is a stack trace");
      assert.deepEqual(await dockerObjects(NAME), []);
    });
  }

  it("refuses a port in use, naming the worker and its key, before anything is made", async () => {
    const server = await listen(22999);
    try {
      stack.declare({ workers: [{ name: "w1", sshPort: 22999 }] });
      assert.match(
        await failureOf(stack.up()),
        /host local: port 22999 of w1 \(SSH\) is already in use .* or set sshPort of w1/,
      );
      assert.deepEqual(await dockerObjects(NAME), []);
    } finally {
      server.close();
    }
  });

  it("names a failed step of the Dockerfile and what it printed; the next up goes on", async () => {
    const dockerfile = join(stack.folder, "docker/Dockerfile");
    const original = appendRun(dockerfile, "echo this library is missing >&2; exit 7");
    stack.declare(GOOD);
    const output = await failureOf(stack.up({ continueOnError: true }));
    assert.match(output, /test-bad-input-image-default-local-build/);
    assert.match(output, /this library is missing/);
    assert.doesNotMatch(output, /cannot complete a resource/);
    writeFileSync(dockerfile, original);
  });

  it("names the worker and the engine that can't import a module; the next up goes on", async () => {
    stack.declare({ ...GOOD, imports: ["no_such_module"], timeout: 20 });
    const output = await failureOf(stack.up());
    assert.match(output, /worker w1: engine 1.*no_such_module/);
    stack.declare(GOOD);
    await stack.up();
    assert.equal(await stack.python("print(c.ids)"), "[0]");
  });

  it("brings up the other workers where an image can't be built", async () => {
    mkdirSync(join(stack.folder, "own"));
    const lines = ["ARG WORKER_IMAGE", "FROM ${WORKER_IMAGE}", "RUN echo no compiler >&2; exit 7"];
    writeFileSync(join(stack.folder, "own/Dockerfile"), lines.join("\n"));
    stack.declare({
      images: { own: { context: "own" } },
      workers: [{ name: "w1" }, { name: "w2", image: "own" }, { name: "w3" }],
    });
    const output = await failureOf(stack.up({ continueOnError: true }));
    assert.match(output, /no compiler/);
    assert.equal(await stack.python("print(len(c))"), "2");
  });

  it("can be destroyed after all that", async () => {
    await stack.destroy();
    assert.deepEqual(await dockerObjects(NAME), []);
  });
});

/** Appends a RUN line to a Dockerfile; returns what it was before. */
function appendRun(dockerfile: string, command: string): string {
  const original = readFileSync(dockerfile, "utf8");
  appendFileSync(dockerfile, `RUN ${command}\n`);
  return original;
}
