import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { localDocker } from "../../config/localDocker.cjs";
import { declaredHosts } from "../../config/localHost";
import type { ClusterConfig } from "../../config/schema";

const USUAL = "unix:///var/run/docker.sock";
const everything = (_path: string) => true;

describe("the Docker of this machine", () => {
  let home: string;

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "ipyparallel-docker-"));
  });

  afterEach(() => {
    rmSync(home, { recursive: true });
  });

  /** Writes Docker's settings: contexts with their endpoints, and which one is the current one. */
  function settings(currentContext: string | undefined, contexts: Record<string, string> = {}) {
    const folder = join(home, ".docker");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "config.json"), JSON.stringify({ currentContext, auths: {} }));
    for (const [Name, Host] of Object.entries(contexts)) {
      const id = createHash("sha256").update(Name).digest("hex");
      mkdirSync(join(folder, "contexts/meta", id), { recursive: true });
      const meta = { Name, Metadata: {}, Endpoints: { docker: { Host, SkipTLSVerify: false } } };
      writeFileSync(join(folder, "contexts/meta", id, "meta.json"), JSON.stringify(meta));
    }
  }

  const endpoint = (env: Record<string, string> = {}, exists = everything) =>
    localDocker({ HOME: home, ...env }, exists).endpoint;

  it("is the usual socket where nothing names another", () => {
    assert.deepEqual(localDocker({ HOME: home }, everything), { endpoint: USUAL });
    settings("default");
    assert.equal(endpoint(), USUAL);
    settings(undefined);
    assert.equal(endpoint({ DOCKER_HOST: "", DOCKER_CONTEXT: "" }), USUAL);
  });

  it("is that of the current context, such as Docker Desktop's or Colima's", () => {
    settings("colima", { colima: "unix:///Users/ada/.colima/default/docker.sock" });
    assert.equal(endpoint(), "unix:///Users/ada/.colima/default/docker.sock");
    assert.equal(localDocker({ HOME: home }).source, "the current Docker context colima");
  });

  it("is that of DOCKER_CONTEXT before the current one, and of DOCKER_HOST before both", () => {
    settings("a", { a: "unix:///run/a.sock", b: "ssh://ada@b.example.org" });
    assert.equal(endpoint({ DOCKER_CONTEXT: "b" }), "ssh://ada@b.example.org");
    assert.equal(endpoint({ DOCKER_CONTEXT: "default" }), USUAL);
    const both = { DOCKER_CONTEXT: "b", DOCKER_HOST: "unix:///run/c.sock" };
    assert.equal(endpoint(both), "unix:///run/c.sock");
  });

  it("finds contexts in DOCKER_CONFIG", () => {
    settings("a", { a: "unix:///run/a.sock" });
    assert.equal(endpoint({ HOME: "/nowhere" }), USUAL);
    const moved = { HOME: "/nowhere", DOCKER_CONFIG: join(home, ".docker") };
    assert.equal(endpoint(moved), "unix:///run/a.sock");
  });

  it("is a rootless Docker's socket where the usual one is missing", () => {
    const env = { XDG_RUNTIME_DIR: "/run/user/1000" };
    const only = (path: string) => path === "/run/user/1000/docker.sock";
    assert.equal(endpoint(env, only), "unix:///run/user/1000/docker.sock");
    assert.equal(endpoint(env), USUAL);
    assert.equal(
      endpoint(env, () => false),
      USUAL,
    );
  });

  it("is refused by name where a context does not exist", () => {
    const unknown = (env: Record<string, string>) => () => endpoint(env);
    assert.throws(unknown({ DOCKER_CONTEXT: "gone" }), /^Error: DOCKER_CONTEXT=gone: must be .*; /);
    settings("lost");
    assert.throws(
      unknown({}),
      /^Error: the current Docker context lost: must be a Docker context /,
    );
  });

  it("does without settings that are no JSON, as docker does", () => {
    settings("a", { a: "unix:///run/a.sock" });
    writeFileSync(join(home, ".docker/config.json"), "{");
    assert.equal(endpoint(), USUAL);
  });

  describe("as the host of a cluster", () => {
    const before = process.env.DOCKER_HOST;
    const hosts = (DOCKER_HOST: string, declared?: ClusterConfig["hosts"]) => {
      process.env.DOCKER_HOST = DOCKER_HOST;
      return declaredHosts({ workers: [], hosts: declared });
    };

    afterEach(() => {
      if (before === undefined) {
        delete process.env.DOCKER_HOST;
      } else {
        process.env.DOCKER_HOST = before;
      }
    });

    for (const docker of ["unix:///run/d.sock", "ssh://ada@d", "ssh://d.example.org:2222"]) {
      it(`is local: ${docker}`, () => {
        assert.deepEqual(hosts(docker), { local: { docker } });
      });
    }

    for (const docker of ["tcp://d:2376", "npipe:////./pipe/d", "ssh://d/run/d.sock", "d:2375"]) {
      it(`is refused: ${docker}`, () => {
        assert.throws(
          () => hosts(docker),
          new RegExp(`^Mistake: DOCKER_HOST=${docker}: must be unix:///path/of/docker.sock or ssh`),
        );
      });
    }

    it("is not asked for where the stack file names hosts", () => {
      const declared = { mine: { docker: "unix:///run/e.sock" } };
      assert.deepEqual(hosts("tcp://d:2376", declared), declared);
    });
  });
});
