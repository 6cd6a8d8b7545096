import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { docker, failureOf, TestStack } from "./testStack";

const NAME = "test-registry";
const PORT = 29501;
const ADDRESS = `127.0.0.1:${String(PORT)}`;
const TAG = `${ADDRESS}/${NAME}:latest`;

/** A registry on this machine that asks for a log-in. */
function startRegistry(folder: string): ChildProcess {
  const users = execFileSync("htpasswd", ["-Bbn", "reader", "right"], { encoding: "utf8" });
  writeFileSync(join(folder, "users"), users);
  const config = {
    version: 0.1,
    storage: { filesystem: { rootdirectory: folder } },
    http: { addr: ADDRESS },
    auth: { htpasswd: { realm: "test", path: join(folder, "users") } },
  };
  writeFileSync(join(folder, "config.yml"), JSON.stringify(config));
  return spawn("docker-registry", ["serve", join(folder, "config.yml")], { stdio: "ignore" });
}

async function answers(): Promise<void> {
  for (let tries = 0; ; tries++) {
    const open = await new Promise((resolve) => {
      const socket = connect(PORT, "127.0.0.1", () => resolve(socket.destroy()));
      socket.on("error", () => {
        resolve(undefined);
      });
    });
    if (open !== undefined) {
      return;
    }
    assert.ok(tries < 100, "the registry does not answer");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe("a ready image from a registry with a log-in", function () {
  this.timeout(300_000);
  let registry: ChildProcess | undefined;
  let folder: string;
  let stack: TestStack;
  let reference: string;

  const declare = (password: string) => {
    stack.declare(
      {
        images: { default: { reference } },
        registry: { address: ADDRESS, username: "reader" },
        workers: [{ name: "w1" }],
      },
      { "ipyparallel:registryPassword": password },
    );
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), `ipyparallel-${NAME}-`));
    registry = startRegistry(folder);
    await answers();
    const login = { ...process.env, DOCKER_CONFIG: join(folder, "docker") };
    const run = (...args: string[]) =>
      execFileSync("docker", args, { env: login, encoding: "utf8", stdio: "pipe" });
    execFileSync("docker", ["login", "--username", "reader", "--password-stdin", ADDRESS], {
      env: login,
      input: "right",
      stdio: "pipe",
    });
    const base = readFileSync(".local/base-image", "utf8").trim();
    const label = `test=${String(Date.now())}`; // no image that is here already
    run("build", "-q", "-t", TAG, "--label", label, "--build-arg", `BASE_IMAGE=${base}`, "docker");
    run("push", "--quiet", TAG);
    reference = run("inspect", "--format", "{{index .RepoDigests 0}}", TAG).trim();
    run("image", "rm", TAG);
    await assert.rejects(docker("image", "inspect", reference), "the image is still here");
    stack = await TestStack.create(NAME, { workers: [{ name: "w1" }] });
  });
  after(async () => {
    await stack?.remove();
    registry?.kill();
    await docker("image", "rm", reference).catch(() => undefined);
    rmSync(folder, { recursive: true });
  });

  it("is refused with one clear error when the password is wrong", async () => {
    declare("wrong");
    const output = await failureOf(stack.up());
    assert.match(output, /unauthorized|authentication required|no basic auth/i);
    assert.match(output, new RegExp(ADDRESS.replaceAll(".", "\\.")));
    assert.doesNotMatch(output, /wrong/);
  });

  it("is what the cluster runs, and the password is a secret", async () => {
    declare("right");
    await stack.up();
    assert.equal(
      await stack.python('print(c[:].apply_sync(lambda: "Hello World"))'),
      "['Hello World']",
    );
    const image = await docker("inspect", "--format", "{{.Image}}", `ipp-${NAME}-w1`);
    assert.equal(image, await docker("image", "inspect", "--format", "{{.Id}}", reference));
    assert.deepEqual((await stack.preview()).steps, []);
    const state = join(stack.folder, "state/.pulumi/stacks/ipyparallel", `${NAME}.json`);
    assert.doesNotMatch(readFileSync(state, "utf8"), /"right"/);
  });
});
