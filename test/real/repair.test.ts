import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";

import { changed, docker, failureOf, TestStack } from "./testStack";

const NAME = "test-repair";
const CLUSTER = {
  images: { own: { context: "own" } },
  workers: [
    { name: "w1", image: "own", mounts: [{ volume: "results", target: "/data" }] },
    { name: "w2" },
  ],
};
/** An image that no other cluster of this machine has. */
const DOCKERFILE = `ARG WORKER_IMAGE
FROM \${WORKER_IMAGE}
LABEL test=${NAME}
`;

const PIDS = `
import json, os
print(json.dumps({c._engines[i].rsplit("-", 2)[0]: c[i].apply_sync(os.getpid) for i in c.ids}))
`;

describe("what was changed by hand", function () {
  this.timeout(300_000);
  let stack: TestStack;
  const pids = async () => JSON.parse(await stack.python(PIDS)) as Record<string, number>;
  const inWorker = (command: string) => docker("exec", `ipp-${NAME}-w1`, "sh", "-c", command);

  before(async () => {
    stack = await TestStack.create(NAME, CLUSTER);
    mkdirSync(join(stack.folder, "own"));
    writeFileSync(join(stack.folder, "own/Dockerfile"), DOCKERFILE);
    await stack.up();
  });
  after(async () => {
    await stack.remove();
    const images = await docker("image", "ls", "--quiet", "--filter", `label=test=${NAME}`);
    if (images !== "") await docker("image", "rm", "--force", ...images.split("\n"));
  });

  async function isRepaired(reason: RegExp, resources: string[]) {
    const before: Record<string, number> = await pids().catch(() => ({}));
    const preview = await stack.preview({ refresh: true });
    assert.match(preview.output, reason);
    assert.deepEqual(changed(preview), [`${NAME}-readiness-check`, ...resources].sort());
    await stack.up({ refresh: true });
    const after = await pids();
    assert.deepEqual(Object.keys(after).sort(), ["w1", "w2"]);
    if (before.w2 !== undefined) {
      assert.equal(after.w2, before.w2, "the other worker's engine was touched");
    }
    assert.deepEqual((await stack.preview()).steps, []);
  }

  const engines = [`${NAME}-w1-engines-start`];

  it("docker stop: the preview says so, up replaces that container alone", async () => {
    await docker("stop", `ipp-${NAME}-w1`);
    await isRepaired(/worker w1: its container is exited/, [...engines, `${NAME}-w1-container`]);
  });

  it("docker pause: the preview says so, up replaces that container alone", async () => {
    await docker("pause", `ipp-${NAME}-w1`);
    await isRepaired(/worker w1: its container is paused/, [...engines, `${NAME}-w1-container`]);
  });

  it("a container that ends whenever it is started", async () => {
    const broken = join(stack.folder, "init");
    writeFileSync(broken, "#!/bin/sh\nexit 3\n", { mode: 0o755 });
    await docker("cp", broken, `ipp-${NAME}-w1:/opt/ipp/init`);
    await docker("restart", `ipp-${NAME}-w1`);
    await isRepaired(/worker w1: its container is restarting/, [
      ...engines,
      `${NAME}-w1-container`,
    ]);
  });

  it("a container that could not be started, and more than once", async () => {
    const [, port = ""] = /:(\d+)$/m.exec(await docker("port", `ipp-${NAME}-w1`, "2222")) ?? [];
    await docker("rm", "--force", "--volumes", `ipp-${NAME}-w1`);
    const taker = createServer().listen(Number(port), "127.0.0.1");
    await once(taker, "listening");
    stack.declare({ ...CLUSTER, preflight: false });
    for (let time = 0; time < 2; time++) {
      await failureOf(stack.up({ refresh: true }));
      const format = ["inspect", "--format", "{{.State.Status}}", `ipp-${NAME}-w1`];
      assert.equal(await docker(...format), "created");
      const { workers } = await stack.status();
      assert.equal(workers.find(({ worker }) => worker === "w1")?.container, "created");
    }
    taker.close();
    stack.declare(CLUSTER);
    await stack.up({ refresh: true });
    assert.deepEqual(Object.keys(await pids()).sort(), ["w1", "w2"]);
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("docker rm: the preview says so, up makes it again", async () => {
    await docker("rm", "--force", "--volumes", `ipp-${NAME}-w1`);
    await isRepaired(/w1-container/, [...engines, `${NAME}-w1-container`]);
  });

  it("the engine file edited", async () => {
    await inWorker("f=$(find /home/ipp -name '*engine*.json' | head -n 1); echo '{}' > \"$f\"");
    await isRepaired(/worker w1: the engine file was changed/, engines);
  });

  it("the engine file deleted", async () => {
    await inWorker("find /home/ipp -name '*engine*.json' -delete");
    await isRepaired(/worker w1: the engine file is missing/, engines);
  });

  it("the engines turned off", async () => {
    await inWorker(
      `(printf '{"connection":'; cat /home/ipp/.ipp/ipcontroller-engine.json; echo '}') |
        ippctl engines --count 0`,
    );
    await isRepaired(/worker w1: its engines were turned off/, engines);
  });

  it("the profile on this machine deleted", async () => {
    rmSync(join(stack.ipython, `profile_${NAME}`), { recursive: true });
    const { output, steps } = await stack.preview({ refresh: true });
    assert.match(output, /profile test-repair: .* is missing; it is written again/);
    assert.deepEqual(changed({ output, steps }), [`${NAME}-controller-client`]);
    await stack.up({ refresh: true });
    assert.deepEqual(Object.keys(await pids()).sort(), ["w1", "w2"]);
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("a volume removed, with the container that had it", async () => {
    await docker("rm", "--force", "--volumes", `ipp-${NAME}-w1`);
    await docker("volume", "rm", `ipp-${NAME}-volume-results`);
    const container = `${NAME}-w1-container`;
    await isRepaired(/w1-container/, [...engines, container, `${NAME}-volume-results-local`]);
  });

  it("an image removed: it is built again, and the containers stay", async () => {
    const id = await docker("inspect", "--format", "{{.Image}}", `ipp-${NAME}-w1`);
    const name = await docker("image", "inspect", "--format", "{{index .RepoTags 0}}", id);
    await docker("image", "rm", "--force", name);
    assert.equal(await docker("image", "ls", "--quiet", name), "");
    const before = await pids();
    const preview = await stack.preview({ refresh: true });
    assert.ok(changed(preview).includes(`${NAME}-image-own-local-own`), preview.output);
    await stack.up({ refresh: true });
    assert.equal((await pids()).w2, before.w2, "the other worker's engine was touched");
    assert.notEqual(await docker("image", "ls", "--quiet", name), "");
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("the network removed: containers are connected again", async () => {
    for (const part of ["w1", "w2", "controller"]) {
      await docker("network", "disconnect", "--force", `ipp-${NAME}`, `ipp-${NAME}-${part}`);
    }
    await docker("network", "rm", `ipp-${NAME}`);
    const preview = await stack.preview({ refresh: true });
    assert.ok(changed(preview).includes(`${NAME}-network-local`));
    await stack.up({ refresh: true });
    assert.deepEqual(Object.keys(await pids()).sort(), ["w1", "w2"]);
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("containers and network all removed by hand: up makes them again, with the same keys", async () => {
    const parts = ["w1", "w2", "controller"].map((part) => `ipp-${NAME}-${part}`);
    await docker("rm", "--force", "--volumes", ...parts);
    await docker("network", "rm", `ipp-${NAME}`);
    await stack.up({ refresh: true });
    assert.deepEqual(Object.keys(await pids()).sort(), ["w1", "w2"]);
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("a destroy after containers were removed by hand leaves nothing", async () => {
    await docker("rm", "--force", "--volumes", `ipp-${NAME}-w2`);
    await stack.destroy({ refresh: true });
    assert.equal(
      await docker("ps", "--all", "--quiet", "--filter", `label=ipyparallel.cluster=${NAME}`),
      "",
    );
  });
});
