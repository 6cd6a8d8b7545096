import assert from "node:assert/strict";

import fc from "fast-check";

import { nodeArgs } from "../../components/lib/container";
import { hostCommand, resolveHost, sshEndpoint, sshOptions } from "../../components/lib/hosts";
import { mebibytes } from "../../components/lib/sizes";
import { parseCluster } from "../../config/parse";
import {
  cpusInSet,
  engineCount,
  enoughEngines,
  expandWorkers,
  planDeclared,
  toImageArgs,
  toWorkerSpec,
} from "../../config/resolve";

describe("expandWorkers", () => {
  it("gives a worker what it says itself, then its group, then the defaults", () => {
    const [first, second] = expandWorkers({
      defaults: { engines: 1, memory: "1GiB", env: { A: "default", B: "default" }, cpus: 1 },
      workers: [
        {
          name: "g",
          count: 2,
          memory: "2GiB",
          env: { B: "group", C: "group" },
          overrides: { "g-2": { memory: "3GiB", env: { C: "worker" }, sshPort: 2202 } },
        },
      ],
    });
    assert.deepEqual(first, {
      name: "g-1",
      engines: 1,
      cpus: 1,
      memory: "2GiB",
      env: { A: "default", B: "group", C: "group" },
    });
    assert.deepEqual(second, {
      name: "g-2",
      engines: 1,
      cpus: 1,
      memory: "3GiB",
      sshPort: 2202,
      env: { A: "default", B: "group", C: "worker" },
    });
  });

  it("replaces lists", () => {
    const mounts = [{ target: "/data", volume: "v" }];
    const [worker] = expandWorkers({
      defaults: { mounts: [{ target: "/x", source: "/x" }] },
      workers: [{ name: "w", mounts }],
    });
    assert.deepEqual(worker?.mounts, mounts);
  });
});

describe("planDeclared", () => {
  it("puts the controller on the first host by name, in whatever order they are written", () => {
    const [a, b] = [{ docker: "ssh://root@192.0.2.1" }, { docker: "ssh://root@192.0.2.2" }];
    const workers = [{ name: "w" }];
    for (const hosts of [
      { a, b },
      { b, a },
    ]) {
      assert.equal(planDeclared("dev", { hosts, workers }).controllerHost, "a");
    }
    const controller = { host: "b" };
    assert.equal(planDeclared("dev", { hosts: { a, b }, controller, workers }).controllerHost, "b");
  });
});

describe("enoughEngines", () => {
  it("is the number given, or the share of all, rounded up", () => {
    assert.equal(enoughEngines(undefined, 10), undefined);
    assert.equal(enoughEngines(3, 10), 3);
    assert.equal(enoughEngines("80%", 10), 8);
    assert.equal(enoughEngines("75%", 5), 4);
    assert.equal(enoughEngines("0%", 5), 1);
  });
});

describe("engineCount", () => {
  const count = (settings: object, cores?: number) =>
    engineCount({ name: "w", engines: "cores", ...settings }, cores);

  it("is the number given, or the cores that the worker may use", () => {
    assert.equal(count({ engines: 3 }, 8), 3);
    assert.equal(count({}, 8), 8);
    assert.equal(count({ cpuset: "0-3,8" }, 16), 5);
    assert.equal(count({ cpus: 2.5 }, 16), 2);
    assert.equal(count({ cpus: 0.5 }, 16), 1);
    assert.equal(count({ cpuset: "0-3", cpus: 2 }), 2);
  });

  it("says what is missing when nothing tells the number", () => {
    assert.throws(() => count({}), /worker w: engines: cores needs its host to answer, or cpuset/);
  });

  it("counts each CPU of a set once", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(500), { minLength: 1 }), (cpus) => {
        assert.equal(cpusInSet([...cpus, ...cpus].join(",")), cpus.length);
      }),
    );
  });
});

describe("toWorkerSpec", () => {
  it("turns sizes, limits and environment into what Docker takes", () => {
    assert.deepEqual(
      toWorkerSpec(
        {
          name: "w",
          memory: "1.5GiB",
          shmSize: "64MiB",
          env: { A: 1, B: true, C: "x" },
          ulimits: { nofile: 1024, core: { soft: 0, hard: -1 } },
        },
        undefined,
      ),
      {
        name: "w",
        memoryMiB: 1536,
        shmSizeMiB: 64,
        env: { A: "1", B: "true", C: "x" },
        ulimits: [
          { name: "core", soft: 0, hard: -1 },
          { name: "nofile", soft: 1024, hard: 1024 },
        ],
      },
    );
  });
});

describe("mebibytes", () => {
  it("reads back any whole number of MiB, in any unit", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4096 }),
        fc.constantFrom("MiB", "GiB", "TiB"),
        (n, unit) => {
          const scale = { MiB: 1, GiB: 1024, TiB: 1024 * 1024 }[unit];
          assert.equal(mebibytes(`${String(n)}${unit}`), n * scale);
        },
      ),
    );
  });

  it("refuses parts of a MiB", () => {
    assert.throws(() => mebibytes("0.5MiB"), /not a whole number of MiB/);
  });
});

describe("an image", () => {
  it("has its Python as a text, with or without quotes, and nothing that is not declared", () => {
    const { images } = parseCluster({
      images: { a: { python: 3.13 }, b: { python: "3.12", base: "x" }, c: {} },
      workers: [{ name: "w1" }],
    });
    assert.deepEqual(toImageArgs(images), {
      a: { python: "3.13" },
      b: { python: "3.12", base: "x" },
      c: {},
    });
    assert.deepEqual(toImageArgs(undefined), {});
  });
});

describe("a container", () => {
  it("gets memory without swap, mounts and limits, and nothing that is not declared", () => {
    const node = {
      cluster: "c",
      owner: "o",
      part: "w",
      role: "worker" as const,
      image: "i",
      network: "n",
      bind: "::",
      sshPort: 2201,
      hostKey: "h",
      authorizedKey: "k",
    };
    const bare = nodeArgs(node);
    for (const key of ["memory", "memorySwap", "cpuSet", "gpus", "shmSize", "ulimits", "mounts"]) {
      assert.ok(!(key in bare), key);
    }
    const mounts = [
      { target: "/a b", source: `/it's "x"` },
      { target: "/data", volume: "v" },
    ];
    const full = nodeArgs({ ...node, options: { memoryMiB: 512, threads: 2, mounts } });
    assert.equal(full.memory, 512);
    assert.equal(full.memorySwap, 512);
    assert.deepEqual(full.mounts, [
      { type: "bind", source: `/it's "x"`, target: "/a b", readOnly: false },
      { type: "volume", source: "ipp-c-volume-v", target: "/data", readOnly: false },
      {
        type: "volume",
        source: "ipp-c-volume-v",
        target: "/var/lib/ipp/volumes/1",
        readOnly: true,
      },
    ]);
    assert.ok((full.envs as string[]).includes("OMP_NUM_THREADS=2"));
  });
});

describe("a host", () => {
  it("is reached where its endpoint says, or its address", () => {
    assert.deepEqual(sshEndpoint("ssh://me@[fd77::11]:2222"), {
      host: "fd77::11",
      user: "me",
      port: 2222,
    });
    const of = (docker: string, address?: string) => {
      const { address: reached, bind } = resolveHost({ docker, address });
      return [reached, bind];
    };
    assert.deepEqual(of("unix:///var/run/docker.sock"), ["127.0.0.1", "127.0.0.1"]);
    assert.deepEqual(of("ssh://root@192.0.2.1"), ["192.0.2.1", "192.0.2.1"]);
    assert.deepEqual(of("ssh://root@[fd77::11]"), ["fd77::11", "fd77::11"]);
    assert.deepEqual(of("ssh://root@a.example.org"), ["a.example.org", "0.0.0.0"]);
    assert.deepEqual(of("ssh://root@192.0.2.1", "198.51.100.1"), ["198.51.100.1", "198.51.100.1"]);
  });

  it("gets no option that asks a question, and the pinned key alone", () => {
    const options = sshOptions({
      docker: "ssh://a",
      hostKey: "ssh-ed25519 AAAA",
      identityFile: "/k y",
    });
    assert.ok(options.includes("BatchMode=yes"));
    assert.ok(options.includes("ServerAliveInterval=15"), "a dead link would never be noticed");
    assert.ok(options.includes("StrictHostKeyChecking=yes"));
    assert.ok(options.includes("KnownHostsCommand=/bin/echo %H ssh-ed25519 AAAA"));
    assert.deepEqual(options.slice(options.indexOf("-i"), options.indexOf("-i") + 2), [
      "-i",
      "/k y",
    ]);
  });

  it("is reached through its bastion, whose words are quoted for the shell that ssh runs", () => {
    const options = sshOptions({
      docker: "ssh://a",
      identityFile: "/a key",
      bastion: { host: "gate", port: 2222, user: "jump" },
    });
    const proxy = options.find((option) => option.startsWith("ProxyCommand=")) ?? "";
    assert.match(
      proxy,
      /ssh-connect\.cjs %h %p ssh .*-i '\/a key' -p 2222 jump@gate -W '\[%h\]:%p'$/,
    );
  });

  it("runs a command by ssh, or here for a socket", () => {
    assert.deepEqual(hostCommand({ docker: "unix:///x" }, "echo a"), [
      "env",
      "DOCKER_HOST=unix:///x",
      "sh",
      "-c",
      "echo a",
    ]);
    const words = hostCommand({ docker: "ssh://me@a:2222" }, "echo a");
    assert.deepEqual(words.slice(-6), ["-p", "2222", "-l", "me", "a", "echo a"]);
  });
});
