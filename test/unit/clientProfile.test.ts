import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPT = require.resolve("../../components/scripts/client-profile.cjs");

describe("client-profile", () => {
  let home: string;
  let ipython: string;
  let clientFile: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "client-profile-test-"));
    ipython = join(home, "ipython");
    clientFile = join(ipython, "profile_ssh", "security", "ipcontroller-client.json");
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  function run(action: "write" | "remove", owner = "one", client: object = { key: "k" }) {
    return spawnSync("node", [SCRIPT, action, "ssh"], {
      input: JSON.stringify({ cluster: "dev", owner, client }),
      env: { ...process.env, IPYTHONDIR: ipython },
      encoding: "utf8",
    });
  }

  it("writes a client file that only the user can read", () => {
    assert.equal(run("write").status, 0);
    assert.deepEqual(JSON.parse(readFileSync(clientFile, "utf8")), { key: "k" });
    assert.equal(statSync(clientFile).mode & 0o777, 0o600);
  });

  it("replaces its own client file", () => {
    run("write");
    assert.equal(run("write", "one", { key: "new" }).status, 0);
    assert.match(readFileSync(clientFile, "utf8"), /new/);
  });

  it("leaves nothing after remove, not even what IPython made in the profile", () => {
    run("write");
    const profile = join(ipython, "profile_ssh");
    for (const folder of ["log", "pid", "static", "startup"]) {
      mkdirSync(join(profile, folder));
    }
    writeFileSync(join(profile, "startup", "README"), "by IPython");
    assert.equal(run("remove").status, 0);
    assert.deepEqual(readdirSync(home), []);
  });

  it("keeps a profile, and folders, that were there before", () => {
    mkdirSync(join(ipython, "profile_ssh", "startup"), { recursive: true });
    run("write");
    assert.equal(run("remove").status, 0);
    assert.deepEqual(readdirSync(join(ipython, "profile_ssh")), ["startup"]);
  });

  it("keeps files of the user in a profile of its own making, and says so", () => {
    run("write");
    writeFileSync(join(ipython, "profile_ssh", "notes.txt"), "mine");
    const { status, stderr } = run("remove");
    assert.equal(status, 0);
    assert.match(stderr, /is left, since it holds files of yours: notes.txt/);
    assert.ok(!existsSync(clientFile));
  });

  it("does not overwrite a client file that was made by hand", () => {
    mkdirSync(join(ipython, "profile_ssh", "security"), { recursive: true });
    writeFileSync(clientFile, "by hand");
    const { status, stderr } = run("write");
    assert.equal(status, 1);
    assert.match(stderr, /profile ssh: .* was not made by Pulumi\. Choose another "profile"/);
    assert.equal(readFileSync(clientFile, "utf8"), "by hand");
  });

  it("neither overwrites nor removes the client file of another cluster", () => {
    run("write");
    const { status, stderr } = run("write", "two");
    assert.equal(status, 1);
    assert.match(stderr, /belongs to another cluster, dev/);
    assert.equal(run("remove", "two").status, 0);
    assert.ok(existsSync(clientFile));
  });

  it("prints what both files are compared by later", () => {
    const printed = JSON.parse(run("write").stdout) as { client: string; marker: string };
    const hash = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex");
    const marker = join(ipython, "profile_ssh/pulumi.json");
    assert.deepEqual(printed, { client: hash(clientFile), marker: hash(marker) });
  });

  it("takes over its own client file where the marker is damaged or missing", () => {
    const marker = join(ipython, "profile_ssh/pulumi.json");
    for (const damage of [() => rmSync(marker), () => writeFileSync(marker, "{")]) {
      run("write");
      damage();
      assert.equal(run("write").status, 0);
      assert.equal((JSON.parse(readFileSync(marker, "utf8")) as { owner: string }).owner, "one");
    }
    rmSync(marker);
    assert.equal(run("remove").status, 0);
    assert.ok(!existsSync(clientFile));
  });

  it("does not remove a client file that something else has written over its own", () => {
    run("write");
    writeFileSync(clientFile, "another controller's");
    const { status, stderr } = run("remove");
    assert.equal(status, 0);
    assert.match(stderr, /ipcontroller-client\.json is left, since something else has written it/);
    assert.equal(readFileSync(clientFile, "utf8"), "another controller's");
    assert.ok(!existsSync(join(ipython, "profile_ssh/pulumi.json")));
  });

  it("can be removed twice", () => {
    run("write");
    run("remove");
    assert.equal(run("remove").status, 0);
  });
});
