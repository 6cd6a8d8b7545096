import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { type TestHost, TestHosts } from "../hosts";
import { ProjectCopy } from "./projectCopy";

const NAME = "test-host-faults";
/** Seconds within which a fault is told. */
const SOON = 20;

/** Names of the resources that an `up` has changed, by what it printed. */
function made(output: string): string[] {
  const lines = output.matchAll(
    /^ *[+~-]+ +(?:docker|command):\S+ (\S+) (?:created|updated|replaced)/gm,
  );
  return [...new Set([...lines].map(([, name]) => (name ?? "").replace(`${NAME}-`, "")))].sort();
}

describe("faults that up meets on hosts", function () {
  this.timeout(300_000);
  let hosts: TestHosts;
  let copy: ProjectCopy;
  let first: TestHost;
  let second: TestHost;

  const settings = (host: TestHost) => ({
    docker: host.dockerUrl,
    hostKey: host.hostKey,
    identityFile: hosts.client.identityFile,
  });
  const a = { name: "a", host: "host1" };
  const b = { name: "b", host: "host2" };
  const withOwnImage = { name: "c", host: "host2", image: "own" };
  /** Declares workers a and b, unless said otherwise. */
  const declare = (more: object = {}, ofSecond: object = {}) => {
    copy.declare({
      hosts: { host1: settings(first), host2: { ...settings(second), ...ofSecond } },
      workers: [a, b],
      ...more,
    });
  };
  const answers = (engines: number) => {
    assert.equal(copy.hello(), `${String(engines)} {'Hello World'}`);
  };
  /** Waits until an engine that was cut off counts as lost, which takes 10 s. */
  async function answersSoon(engines: number): Promise<void> {
    for (let tries = 0; ; tries++) {
      try {
        answers(engines);
        return;
      } catch (error) {
        if (tries === 5) {
          throw error;
        }
        await sleep(3000);
      }
    }
  }
  /** An `up` that fails, and says why within seconds. */
  async function fails(reason: RegExp, seconds: number): Promise<string> {
    const started = Date.now();
    const output = await copy.fails("up");
    const took = (Date.now() - started) / 1000;
    console.log(`      told within ${took.toFixed(1)} s`);
    assert.match(output, reason);
    assert.ok(took < seconds, `it took ${String(took)} s`);
    return output;
  }
  /** Makes a folder with a Dockerfile that adds one step to the image of workers. */
  function imageWith(step: string): object {
    const folder = join(copy.folder, "own");
    mkdirSync(folder, { recursive: true });
    const lines = ["ARG WORKER_IMAGE", "FROM ${WORKER_IMAGE}", "USER root", `RUN ${step}`, ""];
    writeFileSync(join(folder, "Dockerfile"), lines.join("\n"));
    return { own: { context: "own" } };
  }

  before(async () => {
    hosts = await TestHosts.start({ hosts: [{}, { diskSize: "4G" }] });
    [first, second] = hosts.hosts as [TestHost, TestHost];
    copy = await ProjectCopy.create(NAME);
    declare({ workers: [a] });
    await copy.run("up");
  });
  after(async () => {
    await second?.restoreLink().catch(() => undefined);
    await copy?.remove();
    await hosts?.stop();
  });

  it("a host is off: the other's worker is up, one line names worker, host and reason", async () => {
    await second.cutLink();
    declare();
    const output = await fails(
      /error: worker b on host host2 is left as it is: no Docker Engine answers at ssh:/,
      60,
    );
    assert.doesNotMatch(output, /creating failed/);
    answers(1);
  });

  it("minReady: up succeeds with a warning that names who is missing", async () => {
    declare({ minReady: "50%" });
    assert.match(await copy.run("up"), /warning: worker b on host host2 is left as it is/);
    answers(1);
    declare({ minReady: "60%" });
    await fails(/error: worker b on host host2 is left as it is/, 60);
  });

  it("the next up, when the host is back, does just the rest", async () => {
    await second.restoreLink();
    declare();
    const output = await copy.run("up");
    assert.deepEqual(
      made(output).filter((name) => !/host2|^b-/.test(name)),
      ["readiness-check"],
    );
    answers(2);
  });

  it("one image can't be built: the workers of the others are up", async () => {
    declare({
      images: imageWith("echo a library is missing >&2; exit 7"),
      workers: [{ ...a, engines: 2 }, b, withOwnImage],
    });
    await fails(/error: worker c on host host2: image own: .*a library is missing/, 60);
    answers(3);
  });

  it("minReady: up succeeds with a warning that names the worker without an image", async () => {
    const cluster = { images: { own: { context: "own" } }, workers: [a, b, withOwnImage] };
    declare({ ...cluster, minReady: 2 });
    assert.match(await copy.run("up"), /warning: worker c on host host2: image own: .*missing/);
    answers(2);
    declare({ ...cluster, minReady: 3 });
    await fails(/error: worker c on host host2: image own: .*a library is missing/, 60);
  });

  it("the next up, when the image can be built, does just the rest", async () => {
    declare({ images: imageWith("true"), workers: [a, b, withOwnImage], minReady: 2 });
    assert.deepEqual(made(await copy.run("up")), [
      "c-container",
      "c-engines-start",
      "image-own-host2-image",
      "image-own-host2-own",
      "readiness-check",
    ]);
    answers(3);
    declare();
    await copy.run("up");
    answers(2);
  });

  it("the controller's image can't be built: all who need it are named, and go on", async () => {
    const dockerfile = join(copy.folder, "docker/Dockerfile");
    const good = readFileSync(dockerfile, "utf8");
    writeFileSync(dockerfile, `${good}RUN echo a library is missing >&2; exit 7\n`);
    const output = await fails(
      /^error: controller on host host1: image default: .*a library is missing$/m,
      60,
    );
    assert.match(output, /^error: worker b on host host2: image default: .*library is missing$/m);
    assert.doesNotMatch(output, /TypeError|engines? on \d+ workers? ready/);
    answers(2);
    writeFileSync(dockerfile, good);
    await copy.run("up");
    answers(2);
  });

  it("a host is off that was up: the others are not touched, up ends with an error", async () => {
    await second.cutLink();
    const output = await fails(/error: worker b on host host2 is left as it is/, 60);
    assert.deepEqual(made(output), ["readiness-check"]);
    await second.restoreLink();
    await copy.run("up");
    answers(2);
  });

  it("a wrong SSH key: one error that names the worker", async () => {
    const wrong = join(copy.folder, "wrong-key");
    writeFileSync(wrong, "no key at all\n", { mode: 0o600 });
    declare({}, { identityFile: wrong });
    await fails(/error: worker b on host host2 .*Load key .*; .*Permission denied/, SOON);
  });

  it("a changed host key: one error that names the worker", async () => {
    declare({}, { hostKey: first.hostKey });
    await fails(/error: worker b on host host2 .*Host key for \S+ has changed/, SOON);
  });

  it("a port that is taken: one error that names the worker", async () => {
    declare({ workers: [a, b, { name: "d", host: "host2", sshPort: 22222 }] });
    await second.exec(
      `setsid python3 -c 'import socket, time; s = socket.create_server(("", 22222)); time.sleep(40)' >/dev/null 2>&1 &`,
    );
    await fails(/error: host host2: port 22222 of d \(SSH\) is already in use/, SOON);
  });

  it("a registry that refuses: one error that names image and host", async () => {
    const reference = `127.0.0.1:9/nothing@sha256:${"0".repeat(64)}`;
    declare({
      images: { ready: { reference } },
      workers: [a, b, { name: "e", host: "host2", image: "ready" }],
    });
    await fails(/image-ready-host2-pull[^]*connection refused/, SOON);
  });

  it("a full disk: one error that names image and host, and a warning before", async () => {
    await second.exec("dd if=/dev/zero of=/var/lib/docker/ballast bs=1M 2>/dev/null || true");
    try {
      declare({
        images: imageWith("dd if=/dev/zero of=/large bs=1M count=100"),
        workers: [a, b, { name: "f", host: "host2", image: "own" }],
      });
      const output = await fails(/image-own-host2[^]*[Nn]o space left on device/, SOON);
      assert.match(output, /host host2: only 0.0 GiB of disk are free/);
    } finally {
      await second.exec("rm -f /var/lib/docker/ballast");
    }
    declare();
    await copy.run("up");
    answers(2);
  });

  it("a worker is moved off a host that is off; nothing happens when the host comes back", async () => {
    await second.cutLink();
    declare({ workers: [a, { ...b, host: "host1" }] }, { abandoned: true });
    const [, note] = /clean up there with `(.*)`/.exec(await copy.run("up")) ?? [];
    await answersSoon(2);
    const engines = copy.python("print(c._engines)");
    await second.restoreLink();
    await sleep(15_000);
    answers(2);
    assert.equal(copy.python("print(c._engines)"), engines);
    // Status looks at hosts that are to have a worker.
    declare({ workers: [a, { ...b, host: "host1" }, { name: "c", host: "host2" }] });
    assert.match(await copy.fails("status"), /b: an old container of it is left on host host2/);
    // What the note said is to be done there; then the worker can have its host back.
    await second.exec(note ?? "");
    assert.deepEqual((await second.inventory()).containers, []);
    declare();
    await copy.run("up");
    answers(2);
  });

  it("abandoned: up and down finish without the host, and say what to clean up there", async () => {
    await second.cutLink();
    declare({}, { abandoned: true });
    const note = /host host2 is abandoned: nothing there is touched.*xargs -r docker rm -fv/;
    assert.match(await copy.run("up"), note);
    await answersSoon(1);
    assert.match(await copy.run("preview"), note);
    assert.match(await copy.run("down"), note);
    assert.deepEqual((await first.inventory()).containers, []);
    await second.restoreLink();
    assert.deepEqual((await second.inventory()).containers, [`ipp-${NAME}-b`]);
  });

  it("no key is in plain text on the console or in the state after all that", () => {
    // The letters that a private Ed25519 key begins with: of OpenSSH, and as PKCS #8.
    const key = /b3BlbnNzaC1rZXktdjE|MC4CAQAwBQYDK2VwBCIEI|BEGIN (OPENSSH )?PRIVATE KEY/;
    assert.doesNotMatch(copy.printed, key);
    assert.doesNotMatch(copy.keptState(), key);
  });
});
