import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { docker, failureOf, TestStack } from "./testStack";

const NAME = "test-containers";
const SECRET = "s3cret with = and 'quotes'";

/** Writes to /tmp until nothing goes there any more; the error, and what there was of room, in MiB. */
const FILL = `
def fill():
    import os
    size = os.statvfs("/tmp").f_blocks * os.statvfs("/tmp").f_frsize >> 20
    try:
        with open("/tmp/fill", "wb") as file:
            while True:
                file.write(bytes(1 << 20))
                file.flush()
    except OSError as error:
        return size, error.strerror
pid = c[:].apply_sync(__import__("os").getpid)
print(c[:].apply_sync(fill)[0], pid == c[:].apply_sync(__import__("os").getpid))
`;

describe("a container", function () {
  this.timeout(400_000);
  let folder: string;
  let stack: TestStack;
  let printed = "";

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ipyparallel-containers-"));
    chmodSync(folder, 0o777);
    stack = await TestStack.create(NAME, {
      workers: [
        {
          name: "w1",
          memory: "256MiB",
          env: { PLAIN: "seen" },
          mounts: [
            { source: folder, target: "/home/ipp/.cache/some models/one" },
            { source: folder, target: "/home/ipp/.cache/two", readOnly: true },
            { source: folder, target: "/home/ipp/three" },
          ],
        },
      ],
    });
    await stack.setSecret("ipyparallel:cluster.workers[0].env.TOKEN", SECRET);
    printed += (await stack.preview()).output;
    printed += (await stack.up()).output;
  });
  after(async () => {
    await stack?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("gives tasks an error when /tmp is full, and engines go on", async () => {
    assert.equal(await stack.python(FILL), "(64, 'No space left on device') True");
  });

  it("has folders above its mounts that are the engines' own, after a restart too", async () => {
    const look = `cd /home/ipp && stat -c %U . .cache '.cache/some models' | xargs
      touch '.cache/mine' '.cache/some models/one/file' && ls .cache/two three | xargs
      touch .cache/two/x 2>/dev/null || echo read-only`;
    for (let time = 0; time < 2; time++) {
      const found = await docker("exec", `ipp-${NAME}-w1`, "bash", "-c", look);
      assert.equal(found, "ipp ipp ipp\n.cache/two: file three: file\nread-only");
      await docker("restart", `ipp-${NAME}-w1`);
    }
  });

  it("gives a secret variable to the engines", async () => {
    const look =
      'c.wait_for_engines(1, timeout=60); print(c[:].apply_sync(lambda: __import__("os").environ["TOKEN"])[0])';
    assert.equal(await stack.python(look), SECRET);
    assert.match(await docker("inspect", `ipp-${NAME}-w1`), /TOKEN=/);
  });

  it("shows no change of a secret, nor after a refresh", async () => {
    const { steps, output } = await stack.preview({ refresh: true });
    assert.deepEqual(steps, []);
    printed += output;
    printed += (await stack.refresh()).output;
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("has its secret in no file of the state, nor in what Pulumi prints", () => {
    const state = join(stack.folder, "state");
    const files = readdirSync(state, { recursive: true, withFileTypes: true });
    const texts = files
      .filter((file) => file.isFile())
      .map((file) => readFileSync(join(file.parentPath, file.name), "utf8"));
    assert.ok(texts.some((text) => text.includes(`${NAME}-w1-container`)));
    for (const text of [...texts, printed]) {
      assert.ok(!text.includes("s3cret"));
    }
  });

  it("does not keep tools with its secret from reading the stack file", async () => {
    const { workers, missing } = await stack.status();
    assert.deepEqual(missing, []);
    assert.equal(workers[0]?.answering, 1);
    await stack.lock();
  });

  it("refuses a secret at another key, without being shown", async () => {
    await stack.setSecret("ipyparallel:cluster.workers[0].memory", "777MiB");
    const output = await failureOf(stack.preview());
    assert.match(output, /workers\[0\]\.memory: must not be a secret/);
    assert.doesNotMatch(output, /777/);
  });
});
