import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

import { deriveHostKey, deriveKeys, openssh } from "../../components/lib/keys";
import { docker, dockerObjects, type Outcome, TestStack } from "./testStack";

const NAME = "test-security";
const run = promisify(execFile);

/** Every regular file below a folder. */
function files(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The key that Pulumi logs in with, as ssh reads it. */
function loginKey(seed: string): string {
  return openssh(createPrivateKey(deriveKeys(seed, 0).client.private));
}

describe("security of a cluster on this machine's Docker", function () {
  this.timeout(300_000);
  let stack: TestStack;
  let up: Outcome;
  let seed: string;
  const port = 22801;

  before(async () => {
    stack = await TestStack.create(NAME, {
      workers: [{ name: "w1", sshPort: port }],
    });
    up = await stack.up();
    seed = (await stack.seed()).trim();
  });
  after(() => stack.remove());

  /** Parts of every secret that would show in plain text or in Base64. */
  function secrets(): string[] {
    const keys = deriveKeys(seed, 0);
    const lines = (text: string) => text.split("\n").filter((line) => line.length > 40);
    return [
      seed,
      keys.hmac,
      keys.curve.secret,
      ...lines(keys.client.private),
      ...["w1", "controller"].flatMap((part) =>
        lines(deriveHostKey(seed, 0, part).private).slice(2),
      ),
    ];
  }

  function assertNone(where: string, text: string) {
    for (const secret of secrets()) {
      assert.ok(!text.includes(secret), `a secret is in ${where}`);
      const base64 = Buffer.from(secret).toString("base64").slice(0, -4);
      assert.ok(!text.includes(base64), `a secret is in ${where}, in Base64`);
    }
  }

  it("keeps secrets out of state, console, inspect, image, logs and process lists", async () => {
    assert.ok(secrets().length >= 7);
    assertNone("the console", up.output);
    for (const file of files(join(stack.folder, "state"))) {
      assertNone(file, readFileSync(file, "utf8"));
    }
    for (const { kind, id } of await dockerObjects(NAME)) {
      assertNone(`docker ${kind} inspect`, await docker(kind, "inspect", id));
      if (kind === "container") {
        assertNone("docker logs", await docker("logs", id));
        const image = await docker("inspect", "--format", "{{.Image}}", id);
        assertNone("docker history", await docker("history", "--no-trunc", image));
      }
    }
    // Arguments and environment of every process on this machine, those in containers included.
    assertNone("ps", execFileSync("ps", ["axeww"], { maxBuffer: 1 << 26 }).toString());
  });

  it("keeps secrets out of the image's layers", async () => {
    const image = await docker("inspect", "--format", "{{.Image}}", `ipp-${NAME}-w1`);
    const { stdout } = await run(
      "sh",
      ["-c", `docker save ${image} | tar -x -O --wildcards '*/layer.tar' | tar -t -i`],
      { maxBuffer: 1 << 28 },
    );
    const secretFile = /ssh_host_.*_key|authorized_keys$|ipcontroller-.*\.json|curve\.json/;
    assert.deepEqual(
      stdout.split("\n").filter((file) => secretFile.test(file)),
      [],
    );
  });

  it("leaves no temporary file with a secret on this machine", async () => {
    const { stdout } = await run(
      "grep",
      ["-rlF", deriveKeys(seed, 0).hmac, "/tmp", "--include=*", "--exclude-dir=proc"],
      { maxBuffer: 1 << 26 },
    ).catch((error: unknown) => error as { stdout: string });
    const found = stdout.split("\n").filter((file) => file !== "");
    // The client file of this stack is the one place where it belongs.
    assert.deepEqual(found, [
      join(stack.folder, "ipython", `profile_${NAME}`, "security/ipcontroller-client.json"),
    ]);
  });

  function ssh(user: string, ...options: string[]) {
    const common = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "BatchMode=yes"];
    return run("ssh", [
      "-p",
      String(port),
      ...common.flatMap((option) => ["-o", option]),
      ...options,
      `${user}@127.0.0.1`,
      "id -un",
    ]).then(
      ({ stdout }) => stdout.trim(),
      (error: unknown) => (error as { stderr: string }).stderr,
    );
  }

  it("lets in who has the key, as an unprivileged user", async () => {
    const file = join(stack.folder, "key");
    writeFileSync(file, loginKey(seed), { mode: 0o600 });
    assert.equal(await ssh("ipp", "-i", file, "-o", "IdentitiesOnly=yes"), "ipp");
    assert.match(await ssh("root", "-i", file, "-o", "IdentitiesOnly=yes"), /Permission denied/);
  });

  it("refuses passwords, and offers nothing but public keys", async () => {
    const denied = await ssh("ipp", "-o", "PreferredAuthentications=password");
    assert.match(denied, /Permission denied \(publickey\)/);
  });

  it("refuses another key", async () => {
    const file = join(stack.folder, "wrong");
    writeFileSync(file, loginKey(Buffer.alloc(32, 1).toString("base64")), { mode: 0o600 });
    assert.match(
      await ssh("ipp", "-i", file, "-o", "IdentitiesOnly=yes"),
      /Permission denied \(publickey\)/,
    );
  });

  it("runs engines without root, capabilities or a way to them", async () => {
    const [name, status] = (
      await docker("exec", `ipp-${NAME}-controller`, "sh", "-c", "id -un; cat /proc/self/status")
    ).split(/\n([^]*)/) as [string, string];
    assert.equal(name, "ipp");
    assert.match(status, /^CapEff:\s0+$/m);
    assert.match(status, /^CapBnd:\s0+$/m);
    assert.match(status, /^NoNewPrivs:\s1$/m);
  });

  it("gives engines no place to write but their home, /tmp and /run", async () => {
    const writable = await docker(
      "exec",
      `ipp-${NAME}-controller`,
      "sh",
      "-c",
      "find / -xdev -writable -not -type l -not -path '/proc/*' -not -path '/dev/*' 2>/dev/null; true",
    );
    assert.match(writable, /^\/home\/ipp$/m);
    const allowed = /^\/(home\/ipp|tmp|var\/tmp|var\/lock|run|data)(\/|$)/;
    assert.deepEqual(
      writable.split("\n").filter((path) => path !== "" && !allowed.test(path)),
      [],
    );
  });

  it("publishes only the ports of the plan, on the plan's addresses", async () => {
    const rules = (await stack.output("ports")) as { address: string; from: number; to: number }[];
    const planned = rules.flatMap(({ address, from, to }) =>
      Array.from({ length: to - from + 1 }, (_, index) => `${address}:${String(from + index)}`),
    );
    const format =
      "{{range .NetworkSettings.Ports}}{{range .}}{{println .HostIp .HostPort}}{{end}}{{end}}";
    const published = await Promise.all(
      ["w1", "controller"].map((part) =>
        docker("inspect", "--format", format, `ipp-${NAME}-${part}`),
      ),
    );
    assert.deepEqual(
      published
        .join("\n")
        .split("\n")
        .filter(Boolean)
        .map((line) => line.trim().replace(" ", ":"))
        .sort(),
      planned.sort(),
    );
  });

  it("stops at a changed host key", async () => {
    // Another container on the worker's port, as a machine in the middle would be.
    const worker = `ipp-${NAME}-w1`;
    const image = await docker("inspect", "--format", "{{.Image}}", worker);
    const wrongKey = join(stack.folder, "wrong-host-key");
    writeFileSync(wrongKey, deriveHostKey(seed, 0, "another").private);
    await docker("stop", worker);
    const imposter = await docker(
      ...["create", "--publish", `127.0.0.1:${String(port)}:2222`],
      ...["--env", "IPP_ROLE=worker", "--env", "IPP_NAME=w1"],
      ...["--label", `ipyparallel.cluster=${NAME}`, image],
    );
    await docker("cp", wrongKey, `${imposter}:/etc/ipp/keys`);
    await docker("start", imposter);
    stack.declare({ workers: [{ name: "w1", sshPort: port, engines: 2 }], preflight: false });
    const error = await stack.up().then(
      () => "",
      (failure: unknown) => String(failure),
    );
    assert.match(error, /test-security-w1-engines-start/);
    assert.match(error, /host key mismatch/);
  });
});
