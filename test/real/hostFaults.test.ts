import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type TestHost, TestHosts } from "../hosts";
import { changed, Failure, failureOf, type Outcome, TestStack } from "./testStack";

const NAME = "test-host-faults";
const HELLO = 'print(len(c), set(c[:].apply_sync(lambda: "Hello World")))';
/** As the npm scripts have it. */
const USUAL = { refresh: true, continueOnError: true };

describe("faults that up meets on hosts", function () {
  this.timeout(300_000);
  let hosts: TestHosts;
  let stack: TestStack;
  let first: TestHost;
  let second: TestHost;

  const settings = (host: TestHost) => ({
    docker: host.dockerUrl,
    hostKey: host.hostKey,
    identityFile: hosts.client.identityFile,
  });
  const workers = [
    { name: "a", host: "host1" },
    { name: "b", host: "host2" },
  ];
  const cluster = (more: object = {}, ofSecond: object = {}) => ({
    hosts: { host1: settings(first), host2: { ...settings(second), ...ofSecond } },
    workers,
    ...more,
  });
  const answer = async (engines: number) => {
    assert.equal(await stack.python(HELLO), `${String(engines)} {'Hello World'}`);
  };
  /** Fails unless an operation says so within seconds. */
  async function fails(operation: Promise<Outcome>, reason: RegExp, seconds: number) {
    const started = Date.now();
    const output = await failureOf(operation);
    const took = (Date.now() - started) / 1000;
    console.log(`      ${took.toFixed(1)} s`);
    assert.match(output, reason);
    assert.ok(took < seconds, `it took ${String(took)} s`);
    return output;
  }

  before(async () => {
    hosts = await TestHosts.start({ hosts: [{}, { diskSize: "4G" }] });
    [first, second] = hosts.hosts as [TestHost, TestHost];
    stack = await TestStack.create(NAME, cluster());
  });
  after(async () => {
    await second?.restoreLink().catch(() => undefined);
    await stack?.remove();
    await hosts?.stop();
  });

  it("one of two hosts is off: the other's worker comes up, and one line says what is missing", async () => {
    await second.cutLink();
    const output = await fails(
      stack.up(USUAL),
      /error: worker b on host host2 is left as it is: no Docker Engine answers at ssh:.*no answer/,
      120,
    );
    console.log(output);
    await answer(1);
  });

  it("minReady: it succeeds, with a warning", async () => {
    stack.declare(cluster({ minReady: "50%" }));
    const { output } = await stack.up(USUAL);
    assert.match(output, /warning: worker b on host host2 is left as it is/);
    await answer(1);
    stack.declare(cluster());
  });

  it("the next up, when the host is back, does just the rest", async () => {
    await second.restoreLink();
    const { steps } = await stack.up(USUAL);
    const others = changed({ steps, output: "" }).filter(
      (name) => !/(host2|-b(-|$)|-readiness-)/.test(name),
    );
    assert.deepEqual(others, []);
    await answer(2);
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("one of two images can't be built: the others' workers come up", async () => {
    mkdirSync(join(stack.folder, "bad"));
    writeFileSync(
      join(stack.folder, "bad/Dockerfile"),
      "ARG WORKER_IMAGE\nFROM ${WORKER_IMAGE}\nRUN echo a library is missing >&2; exit 7\n",
    );
    const bad = { name: "c", host: "host2", image: "bad" };
    stack.declare(
      cluster({
        images: { bad: { context: "bad" } },
        workers: [{ name: "a", host: "host1", engines: 2 }, workers[1], bad],
      }),
    );
    const output = await fails(stack.up(USUAL), /image-bad-host2-own/, 60);
    assert.match(output, /a library is missing/);
    await answer(3);
    stack.declare(cluster());
    await stack.up(USUAL);
  });

  const refused: [string, () => object, RegExp][] = [
    [
      "a wrong SSH key",
      () => {
        const wrong = join(stack.folder, "wrong-key");
        writeFileSync(wrong, hosts.client.privateKey.replace(/\n([^\n]{10})/, "\nAAAAAAAAAA"), {
          mode: 0o600,
        });
        return { identityFile: wrong };
      },
      /worker b on host host2 .*Permission denied/,
    ],
    [
      "a changed host key",
      () => ({ hostKey: first.hostKey }),
      /worker b on host host2 .*Host key verification failed/,
    ],
  ];
  for (const [title, ofSecond, reason] of refused) {
    it(`${title}: one clear error that names the worker`, async () => {
      stack.declare(cluster({}, ofSecond()));
      await fails(stack.up(), reason, 20);
    });
  }

  it("a port taken on a host: one clear error that names the worker", async () => {
    stack.declare(cluster({ workers: [workers[0], { ...workers[1], sshPort: 22 }] }));
    stack.declare(cluster({ workers: [workers[0], { name: "d", host: "host2", sshPort: 22222 }] }));
    await second.exec(
      "setsid python3 -c 'import socket, time; s = socket.create_server((\"\", 22222)); time.sleep(60)' >/dev/null 2>&1 &",
    );
    await fails(stack.up(), /host host2: port 22222 of d \(SSH\) is already in use/, 20);
  });

  it("a registry that refuses: one clear error that names the image and host", async () => {
    const reference = `127.0.0.1:9/nothing@sha256:${"0".repeat(64)}`;
    stack.declare(
      cluster({
        images: { ready: { reference } },
        workers: [...workers, { name: "e", host: "host2", image: "ready" }],
      }),
    );
    await fails(stack.up(), /image-ready-host2-pull[^]*connection refused/, 20);
  });

  it("a full disk on a host: one clear error", async () => {
    await second.exec(
      "fallocate -l 100G /var/lib/docker/ballast || dd if=/dev/zero of=/var/lib/docker/ballast bs=1M || true",
    );
    try {
      stack.declare(
        cluster({
          images: { large: { context: "large" } },
          workers: [...workers, { name: "f", host: "host2", image: "large" }],
        }),
      );
      mkdirSync(join(stack.folder, "large"));
      writeFileSync(
        join(stack.folder, "large/Dockerfile"),
        "ARG WORKER_IMAGE\nFROM ${WORKER_IMAGE}\nRUN dd if=/dev/zero of=/tmp/large bs=1M count=100\n",
      );
      const output = await fails(stack.up(USUAL), /[Nn]o space left on device/, 30);
      assert.match(output, /host host2: only 0.0 GiB of disk are free/);
    } finally {
      await second.exec("rm -f /var/lib/docker/ballast");
    }
  });

  it("abandoned: up and destroy finish without the host, and say what to clean up there", async () => {
    await second.cutLink();
    stack.declare(cluster({}, { abandoned: true }));
    const note = /host host2 is abandoned: nothing there is touched.*docker rm -fv/;
    assert.match((await stack.up(USUAL)).output, note);
    await answer(1);
    assert.match((await stack.destroy({ refresh: true, continueOnError: true })).output, note);
    assert.deepEqual((await first.inventory()).containers, []);
    await second.restoreLink();
    assert.deepEqual((await second.inventory()).containers, [`ipp-${NAME}-b`]);
  });
});
void Failure;
