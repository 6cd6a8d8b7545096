import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";

import { fingerprint } from "../../components/lib/keys";
import { type DockerObject, readState, type Resource, stateOf } from "../../config/stackState";

const OWNER = "0123456789abcdef";

/** A state's resources, of a cluster `old` that was brought up when its stack was called so. */
function resources(stack = "lab"): Resource[] {
  const urn = (type: string, name: string) => `urn:pulumi:${stack}::ipyparallel::${type}::${name}`;
  const provider = (host: string) => `${urn("pulumi:providers:docker", `old-${host}`)}::some-id`;
  const on = (host: string, type: string, name: string, id: string): Resource => ({
    urn: urn(type, name),
    type,
    id,
    provider: provider(host),
  });
  const component = (type: string, name: string, outputs = {}) => ({
    urn: urn(type, name),
    type,
    outputs,
  });
  return [
    component("ipyparallel:index:Cluster", "old"),
    component("ipyparallel:index:Keys", "old-keys", { owner: OWNER }),
    on("a", "docker:index/container:Container", "old-w1-container", "c1"),
    on("a-b", "docker:index/network:Network", "old-network-a-b", "n1"),
    on("a", "docker:index/volume:Volume", "old-volume-v-a", "ipp-old-volume-v"),
    component("command:local:Command", "old-controller-client", {
      stdout: '{"client":"1","marker":"2"}',
    }),
  ];
}

const object = (given: Partial<DockerObject>): DockerObject => ({
  kind: "container",
  id: "c1",
  name: "ipp-old-w1",
  cluster: "old",
  part: "w1",
  owner: "",
  ...given,
});

describe("a stack's state", () => {
  const state = stateOf("lab", resources());

  it("has the name and owner that the cluster was first brought up with", () => {
    assert.deepEqual([state.cluster, state.owner], ["old", OWNER]);
    assert.deepEqual([stateOf("lab", []).cluster, stateOf("lab", []).owner], ["lab", undefined]);
  });

  it("tells what of a host it has", () => {
    assert.ok(state.tracks("a", { kind: "container", id: "c1" }));
    assert.ok(state.tracks("a", { kind: "volume", id: "ipp-old-volume-v" }));
    assert.ok(!state.tracks("a-b", { kind: "volume", id: "ipp-old-volume-v" }));
    assert.ok(!state.tracks("a", { kind: "container", id: "c2" }));
    assert.ok(state.tracks("a-renamed", { kind: "container", id: "c1" }));
    assert.deepEqual([...state.networks], ["a-b"]);
  });

  it("owns what has its fingerprint, whether it has it or not", () => {
    assert.ok(state.owns("a", object({ owner: OWNER, id: "c2" })));
    assert.ok(!state.owns("a", object({ owner: "fedcba9876543210" })));
  });

  it("owns what has no fingerprint only if it has it", () => {
    assert.ok(state.owns("a", object({})));
    assert.ok(!state.owns("a", object({ id: "c2" })));
    assert.ok(!state.owns("a", object({ kind: "volume", id: "another" })));
  });

  it("owns nothing before the cluster is brought up", () => {
    const none = stateOf("old", []);
    assert.ok(!none.owns("a", object({ owner: OWNER })));
    assert.ok(!none.owns("a", object({})));
  });

  it("tells what was written to the profile on this machine", () => {
    assert.deepEqual(state.profile, { client: "1", marker: "2" });
    assert.ok(state.hasProfile);
    const older = resources().map((one) => (one.outputs?.stdout ? { ...one, outputs: {} } : one));
    assert.deepEqual(
      [stateOf("lab", older).hasProfile, stateOf("lab", older).profile],
      [true, undefined],
    );
  });
});

describe("a state in a folder", () => {
  let folder: string;
  let stacks: string;
  const text = JSON.stringify({ checkpoint: { latest: { resources: resources("any") } } });

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "state-test-"));
    stacks = join(folder, ".pulumi/stacks/ipyparallel");
    mkdirSync(stacks, { recursive: true });
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  /** Reads a stack's state, with a program that stands for Pulumi. */
  const read = async (stack: string, program = "exit 9") => {
    const backend = { url: pathToFileURL(folder).href, cli: ["sh", "-c", program] };
    return readState(stack, backend);
  };

  it("is read as it is, or compressed", async () => {
    writeFileSync(join(stacks, "plain.json"), text);
    writeFileSync(join(stacks, "small.json.gz"), gzipSync(text));
    assert.equal((await read("plain")).owner, OWNER);
    assert.equal((await read("small")).owner, OWNER);
  });

  it("is empty for a stack that is not there", async () => {
    assert.equal((await read("absent")).owner, undefined);
  });

  it("is waited for while Pulumi replaces it", async () => {
    writeFileSync(join(stacks, "moved.json.bak"), text);
    const reading = read("moved");
    renameSync(join(stacks, "moved.json.bak"), join(stacks, "moved.json"));
    assert.equal((await reading).owner, OWNER);
  });

  it("of an older version has its owner in the seed", async () => {
    const seed = "c2VlZA==";
    const older = (stdout: unknown) => [
      ...resources().filter(({ type }) => !type.endsWith(":Keys")),
      { urn: "urn::old-keys-seed", type: "command:local:Command", outputs: { stdout } },
    ];
    const encrypted = { checkpoint: { latest: { resources: older({ ciphertext: "v1:…" }) } } };
    writeFileSync(join(stacks, "older.json"), JSON.stringify(encrypted));
    const decrypted = { deployment: { resources: older({ plaintext: JSON.stringify(seed) }) } };
    writeFileSync(join(folder, "decrypted"), JSON.stringify(decrypted));
    const { owner } = await read("older", `cat ${join(folder, "decrypted")}`);
    assert.equal(owner, fingerprint(seed));
  });

  it("elsewhere is what Pulumi exports, and a failure has its reason", async () => {
    const cli = (program: string) => ({ url: "s3://somewhere", cli: ["sh", "-c", program] });
    const none = "echo 'error: no stack named \"x\" found' >&2; exit 1";
    assert.equal((await readState("elsewhere", cli(none))).owner, undefined);
    await assert.rejects(readState("denied", cli("echo error: access denied >&2; exit 1")), {
      message: "the state of stack denied can't be read: error: access denied",
    });
  });
});
