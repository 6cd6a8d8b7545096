import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { checkProfile, type ProfileCheck } from "../../config/profileFiles";
import { type ProfileHashes, stateOf } from "../../config/stackState";

const SCRIPT = require.resolve("../../components/scripts/client-profile.cjs");

describe("the profile on this machine", () => {
  const { IPYTHONDIR } = process.env;
  let ipython: string;
  let client: string;
  let marker: string;
  let written: ProfileHashes;

  beforeEach(() => {
    ipython = mkdtempSync(join(tmpdir(), "profile-test-"));
    process.env.IPYTHONDIR = ipython;
    client = join(ipython, "profile_p/security/ipcontroller-client.json");
    marker = join(ipython, "profile_p/pulumi.json");
    const { stdout } = spawnSync("node", [SCRIPT, "write", "p"], {
      input: JSON.stringify({ cluster: "one", owner: "1", client: { key: "secret" } }),
      encoding: "utf8",
    });
    written = JSON.parse(stdout) as ProfileHashes;
  });
  afterEach(() => {
    rmSync(ipython, { recursive: true });
    if (IPYTHONDIR === undefined) delete process.env.IPYTHONDIR;
    else process.env.IPYTHONDIR = IPYTHONDIR;
  });

  const check = (profile: ProfileHashes | undefined = written, owner = "1"): ProfileCheck =>
    checkProfile("p", { ...stateOf("one", [], owner), hasProfile: true, profile });

  it("is as it was written", () => {
    assert.deepEqual(check(), { drift: undefined });
  });

  it("is compared by hashes that hold nothing of the key", () => {
    assert.doesNotMatch(JSON.stringify(written), /secret/);
    assert.match(written.client, /^[0-9a-f]{64}$/);
  });

  const changes: [string, RegExp, () => void][] = [
    ["another content", /client\.json was changed$/, () => writeFileSync(client, '{"key": "x"}')],
    ["no client file", /client\.json is missing$/, () => rmSync(client)],
    ["no marker", /pulumi\.json is missing$/, () => rmSync(marker)],
    [
      "a marker of which a part is gone",
      /pulumi\.json was changed$/,
      () => writeFileSync(marker, "{"),
    ],
    [
      "nothing left",
      /client\.json is missing; .*pulumi\.json is missing$/,
      () => rmSync(join(ipython, "profile_p"), { recursive: true }),
    ],
    ["a client file for all to read", /can be read by others$/, () => chmodSync(client, 0o640)],
  ];
  for (const [title, message, change] of changes) {
    it(`with ${title} is to be written again`, () => {
      change();
      const { conflict, drift } = check();
      assert.equal(conflict, undefined);
      assert.match(drift ?? "", message);
    });
  }

  it("that an older backup has replaced is to be written again", () => {
    const older = readFileSync(client, "utf8").replace("secret", "former");
    writeFileSync(client, older);
    const text = readFileSync(marker, "utf8").replace(written.client, "0".repeat(64));
    writeFileSync(marker, text);
    assert.match(check().drift ?? "", /client\.json was changed; .*pulumi\.json was changed$/);
  });

  it("of an older version is to be written again", () => {
    const state = { ...stateOf("one", [], "1"), hasProfile: true };
    assert.match(checkProfile("p", state).drift ?? "", /an older version wrote it/);
  });

  it("of another cluster is not to be written", () => {
    const { conflict, drift } = check(written, "2");
    assert.match(conflict ?? "", /^profile p: it belongs to another cluster, one\. Give this one/);
    assert.equal(drift, undefined);
    assert.ok(checkProfile("p", stateOf("new", [])).conflict);
  });

  it("of the user's own is not to be written", () => {
    rmSync(marker);
    writeFileSync(client, "by hand");
    assert.match(check().conflict ?? "", /exists and was not made by Pulumi/);
  });

  it("is not missed where none was written", () => {
    rmSync(join(ipython, "profile_p"), { recursive: true });
    assert.deepEqual(checkProfile("p", stateOf("new", [])), {});
  });
});
