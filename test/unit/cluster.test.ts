import assert from "node:assert/strict";

import * as pulumi from "@pulumi/pulumi";

import { Cluster, type ClusterArgs } from "../../components";
import { planCluster } from "../../components/lib/plan";
import { type Declared, declare, named } from "./mocks";

const TWO_WORKERS: ClusterArgs = {
  imageContext: "docker",
  workers: [
    { name: "w1", engines: 2 },
    { name: "w2", engines: 3, env: { B: "2", A: "1" }, sshPort: 2202 },
  ],
};

function cluster(args: Partial<ClusterArgs> = {}): Promise<Declared[]> {
  return declare(() => new Cluster("dev", { ...TWO_WORKERS, ...args }).engines);
}

function stdin(resource: Declared): Record<string, unknown> {
  return JSON.parse(resource.inputs.stdin as string) as Record<string, unknown>;
}

describe("Cluster", () => {
  let declared: Declared[];
  before(async () => {
    declared = await cluster();
  });

  it("declares these resources and no others", () => {
    assert.deepEqual(declared.map(({ type, name }) => `${name} ${type}`).sort(), [
      "dev ipyparallel:index:Cluster",
      "dev-controller ipyparallel:index:ControllerProfile",
      "dev-controller-client command:local:Command",
      "dev-controller-container docker:index/container:Container",
      "dev-controller-setup command:remote:Command",
      "dev-image-default-local ipyparallel:index:WorkerImage",
      "dev-image-default-local-build command:local:Command",
      "dev-image-default-local-image docker:index/remoteImage:RemoteImage",
      "dev-keys ipyparallel:index:Keys",
      "dev-keys-seed command:local:Command",
      "dev-local pulumi:providers:docker",
      "dev-network-local docker:index/network:Network",
      "dev-readiness ipyparallel:index:Readiness",
      "dev-readiness-check command:remote:Command",
      "dev-w1 ipyparallel:index:Worker",
      "dev-w1-container docker:index/container:Container",
      "dev-w1-engines ipyparallel:index:Engines",
      "dev-w1-engines-start command:remote:Command",
      "dev-w2 ipyparallel:index:Worker",
      "dev-w2-container docker:index/container:Container",
      "dev-w2-engines ipyparallel:index:Engines",
      "dev-w2-engines-start command:remote:Command",
    ]);
  });

  it("labels all that it has on hosts with one fingerprint, which is no secret", async () => {
    const mounts = [{ volume: "data", target: "/data" }];
    const declared = await cluster({ workers: [{ name: "w1", mounts }, { name: "w2" }] });
    const onHosts = declared.filter(({ type }) => /Container|Network|Volume/.test(type));
    assert.equal(onHosts.length, 5);
    const owners = onHosts.map(({ name, inputs, secrets }) => {
      assert.ok(!secrets.includes("labels"), name);
      const labels = inputs.labels as { label: string; value: string }[];
      return labels.find(({ label }) => label === "ipyparallel.owner")?.value ?? "none";
    });
    assert.equal(new Set(owners).size, 1);
    assert.match(owners[0] as string, /^[0-9a-f]{16}$/);
    const { owner } = stdin(named(declared, "dev-controller-client"));
    assert.equal(owner, owners[0]);
  });

  it("starts as many engines as declared, over a pinned SSH connection", () => {
    const { inputs, secrets } = named(declared, "dev-w2-engines-start");
    assert.equal(inputs.create, "ippctl engines --count 3 --timeout 60");
    assert.deepEqual(inputs.triggers, ["dev-w2-container-id", ""]);
    const { privateKey, hostKey, ...connection } = inputs.connection as Record<string, unknown>;
    assert.deepEqual(connection, {
      host: "127.0.0.1",
      port: 2202,
      user: "ipp",
      dialErrorLimit: 10,
      perDialTimeout: 4,
    });
    assert.match(privateKey as string, /^-----BEGIN PRIVATE KEY-----/);
    assert.match(hostKey as string, /^ssh-ed25519 /);
    assert.deepEqual(secrets, ["connection", "stdin"]);
  });

  it("sends engines of the controller's host to it by its name in the network", () => {
    const { connection } = stdin(named(declared, "dev-w1-engines-start"));
    assert.equal((connection as Record<string, unknown>).interface, "tcp://controller");
  });

  it("gives each container a host key of its own, by a secret upload", () => {
    const uploads = ["dev-w1-container", "dev-w2-container", "dev-controller-container"].map(
      (name) => {
        const { inputs, secrets } = named(declared, name);
        assert.deepEqual(secrets, ["uploads"]);
        const [{ file, content }] = inputs.uploads as [{ file: string; content: string }];
        assert.equal(file, "/etc/ipp/keys");
        assert.match(content, /^-----BEGIN OPENSSH PRIVATE KEY-----\n[^]+\n-----END [^\n]+\nssh-/);
        return content.split("-----END")[0];
      },
    );
    assert.equal(new Set(uploads).size, 3);
  });

  it("runs workers without privileges, restarted by Docker", () => {
    const { inputs } = named(declared, "dev-w2-container");
    assert.deepEqual(inputs.capabilities, { drops: ["ALL"] });
    assert.deepEqual(inputs.securityOpts, ["no-new-privileges"]);
    assert.equal(inputs.user, "ipp");
    assert.equal(inputs.restart, "unless-stopped");
    assert.deepEqual(inputs.envs, ["A=1", "B=2", "IPP_NAME=w2", "IPP_ROLE=worker"]);
    assert.deepEqual(inputs.ports, [
      { internal: 2222, external: 2202, ip: "127.0.0.1", protocol: "tcp" },
    ]);
  });

  it("limits what a container may use, and names what Docker can't change later in a label", async () => {
    const limited = await cluster({
      workers: [
        { name: "w1", cpus: 1.05, memoryMiB: 300, gpus: "all" },
        { name: "w2", cpus: 0.05, tmpSizeMiB: 7 },
      ],
    });
    const of = (name: string) => {
      const { cpuPeriod, cpuQuota, cpus, gpus, tmpfs, labels } = named(limited, name).inputs;
      const { value } = (labels as { label: string; value: string }[]).find(
        ({ label }) => label === "ipyparallel.settings",
      ) ?? { value: "" };
      const size = /size=(\w+)/.exec((tmpfs as Record<string, string>)["/tmp"] ?? "")?.[1];
      return { cpuPeriod, cpuQuota, cpus, gpus, size, settings: JSON.parse(value) as object };
    };
    assert.deepEqual(of("dev-w1-container"), {
      cpuPeriod: 100_000,
      cpuQuota: 105_000,
      cpus: undefined,
      gpus: "all",
      size: "64m",
      settings: { memory: "limited", cpus: 1.05, tmpSize: 64 },
    });
    assert.deepEqual(of("dev-w2-container"), {
      cpuPeriod: 100_000,
      cpuQuota: 5000,
      cpus: undefined,
      gpus: undefined,
      size: "7m",
      settings: { cpus: 0.05, tmpSize: 7 },
    });
  });

  it("refuses a /tmp that is as large as the memory that it is a part of", () => {
    const workers = [{ name: "w1", memoryMiB: 256, tmpSizeMiB: 256 }];
    assert.throws(() => planCluster("dev", { workers }), {
      message:
        "worker w1: tmpSize must be less than memory, of which it is a part (got 256MiB of 256MiB); " +
        "lower it, or raise memory",
    });
  });

  it("keeps the whole environment secret if one variable is", async () => {
    const secret = await cluster({
      workers: [{ name: "w1", env: { B: "plain", A: pulumi.secret("hidden") } }, { name: "w2" }],
    });
    const { inputs, secrets } = named(secret, "dev-w1-container");
    assert.deepEqual(inputs.envs, ["A=hidden", "B=plain", "IPP_NAME=w1", "IPP_ROLE=worker"]);
    assert.deepEqual(secrets, ["envs", "uploads"]);
    assert.deepEqual(named(secret, "dev-w2-container").secrets, ["uploads"]);
  });

  it("publishes only what clients need when all engines are on the controller's host", () => {
    const { inputs } = named(declared, "dev-controller-container");
    const ports = inputs.ports as { internal: number; external: number }[];
    assert.equal(ports.length, 1 + 1 + 6);
  });

  it("publishes the engine ports as well when there are engines elsewhere", async () => {
    const spread = await cluster({
      hosts: {
        a: { docker: "ssh://root@10.77.0.11" },
        b: { docker: "ssh://root@10.77.0.12" },
      },
      workers: [{ name: "w1" }, { name: "w2", host: "b" }],
    });
    const { inputs } = named(spread, "dev-controller-container");
    assert.equal((inputs.ports as unknown[]).length, 1 + 9 + 6);
    const interfaces = ["w1", "w2"].map(
      (worker) =>
        (stdin(named(spread, `dev-${worker}-engines-start`)).connection as Record<string, unknown>)
          .interface,
    );
    assert.deepEqual(interfaces, ["tcp://controller", "tcp://10.77.0.11"]);
  });

  it("gives IPv6 to the networks of those who dial the controller by it, and to no others", async () => {
    const networks = async (controllerHost: string) => {
      const declared = await cluster({
        controllerHost,
        hosts: {
          a: { docker: "ssh://root@[fd77::11]" },
          b: { docker: "ssh://root@10.77.0.12" },
          c: { docker: "ssh://root@[fd77::13]" },
        },
        workers: ["a", "b", "c"].map((host, index) => ({ name: `w${String(index + 1)}`, host })),
      });
      const found = declared.filter(({ type }) => type === "docker:index/network:Network");
      return {
        ...Object.fromEntries(found.map(({ name, inputs }) => [name, inputs.ipv6])),
        w3: (stdin(named(declared, "dev-w3-engines-start")).connection as { interface: string })
          .interface,
      };
    };
    assert.deepEqual(await networks("a"), {
      "dev-network-a": undefined,
      "dev-ipv6-network-b": true,
      "dev-ipv6-network-c": true,
      w3: "tcp://[fd77::11]",
    });
    assert.deepEqual(await networks("b"), {
      "dev-network-a": undefined,
      "dev-network-b": undefined,
      "dev-network-c": undefined,
      w3: "tcp://10.77.0.12",
    });
  });

  it("lets packets be large in the controller's own network, and in no other", async () => {
    const declared = await cluster({
      controllerHost: "b",
      hosts: { a: { docker: "ssh://root@10.77.0.11" }, b: { docker: "ssh://root@10.77.0.12" } },
      workers: ["a", "b"].map((host) => ({ name: `on-${host}`, host })),
    });
    const found = declared.filter(({ type }) => type === "docker:index/network:Network");
    assert.deepEqual(Object.fromEntries(found.map(({ name, inputs }) => [name, inputs.options])), {
      "dev-network-a": undefined,
      "dev-network-b": { "com.docker.network.driver.mtu": "65535" },
    });
  });

  it("refuses workers on another host when the controller's address is a loopback one", () => {
    assert.throws(
      () =>
        new Cluster("dev", {
          imageContext: "docker",
          hosts: {
            local: { docker: "unix:///var/run/docker.sock" },
            b: { docker: "ssh://root@10.77.0.12" },
          },
          controllerHost: "local",
          workers: [{ name: "w1", host: "b" }],
        }),
      /worker w1 on host b can't reach the controller at 127.0.0.1/,
    );
  });

  it("keeps keys out of what is not secret", () => {
    const open = declared.map(({ inputs, secrets }) =>
      JSON.stringify(Object.entries(inputs).filter(([key]) => !secrets.includes(key))),
    );
    const { connection } = stdin(named(declared, "dev-w1-engines-start"));
    const hmac = (connection as Record<string, string>).key as string;
    assert.equal(hmac.length, 64);
    assert.ok(open.every((text) => !text.includes(hmac) && !text.includes("PRIVATE KEY")));
  });

  it("checks readiness after controller and engines, and again when they were set up anew", () => {
    const { inputs } = named(declared, "dev-readiness-check");
    assert.deepEqual(JSON.parse(inputs.stdin as string), {
      workers: { w1: 2, w2: 3 },
      images: {},
    });
    assert.equal((inputs.triggers as string[]).length, 1);
  });

  it("compares the images that are built on several hosts", async () => {
    const spread = await cluster({
      hosts: {
        a: { docker: "ssh://root@10.77.0.11", address: "10.77.0.11" },
        b: { docker: "ssh://root@10.77.0.12", address: "10.77.0.12" },
      },
      images: { other: { packages: ["scipy"] } },
      workers: [
        { name: "w1", host: "a" },
        { name: "w2", host: "b" },
        { name: "w3", host: "b", image: "other" },
      ],
    });
    const { images } = stdin(named(spread, "dev-readiness-check"));
    assert.deepEqual(images, { w1: "default", w2: "default" });
  });

  it("builds an image for its Python, from the base of that one", async () => {
    const images = { later: { python: "3.13" }, own: { python: "3.12", base: "mine" } };
    const mixed = await cluster({
      baseImage: "made-here",
      images,
      workers: [{ name: "w1" }, { name: "w2", image: "later" }, { name: "w3", image: "own" }],
    });
    const bases = ["default", "later", "own"].map((image) => {
      const { buildArgs } = stdin(named(mixed, `dev-image-${image}-local-build`)) as {
        buildArgs: Record<string, string>;
      };
      return [buildArgs.PYTHON, buildArgs.BASE_IMAGE];
    });
    assert.deepEqual(bases, [
      ["3.11", "made-here"],
      ["3.13", "python:3.13-slim-bookworm"],
      ["3.12", "mine"],
    ]);
    const { pythons } = stdin(named(mixed, "dev-readiness-check"));
    assert.deepEqual(pythons, { w1: "3.11", w2: "3.13", w3: "3.12" });
  });

  it("builds images that name no Python for that of the cluster", async () => {
    const images = { first: { python: "3.11" } };
    const workers = [{ name: "w1" }, { name: "w2", image: "first" }];
    const later = await cluster({ python: "3.14", baseImage: "made-here", images, workers });
    const bases = ["default", "first"].map((image) => {
      const { buildArgs } = stdin(named(later, `dev-image-${image}-local-build`)) as {
        buildArgs: Record<string, string>;
      };
      return [buildArgs.PYTHON, buildArgs.BASE_IMAGE];
    });
    assert.deepEqual(bases, [
      ["3.14", "made-here"],
      ["3.11", "python:3.11-slim-bookworm"],
    ]);
    const { pythons } = stdin(named(later, "dev-readiness-check"));
    assert.deepEqual(pythons, { w1: "3.14", w2: "3.11" });
    const same = await cluster({ python: "3.14", workers: [{ name: "w1" }] });
    assert.equal(stdin(named(same, "dev-readiness-check")).pythons, undefined);
  });

  it("refuses a Python that nothing is locked for", () => {
    assert.throws(() => planCluster("dev", { images: { old: { python: "3.8" } }, workers: [] }), {
      message: "image old: python 3.8 is not one of 3.11, 3.12, 3.13, 3.14",
    });
  });

  it("gives the engines other keys when the generation is raised, under the same seed", async () => {
    const next = await cluster({ keyGeneration: 1 });
    const key = (all: Declared[]) =>
      (stdin(named(all, "dev-w1-engines-start")).connection as Record<string, unknown>).key;
    assert.notEqual(key(next), key(declared));
    assert.deepEqual(named(next, "dev-keys-seed").inputs, named(declared, "dev-keys-seed").inputs);
  });
});
