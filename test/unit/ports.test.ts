import assert from "node:assert/strict";

import fc from "fast-check";

import {
  CONTROLLER_PORT_COUNT,
  controllerPorts,
  defaultBasePort,
  MAX_BASE_PORT,
  type PortRequest,
  workerSshPorts,
} from "../../components/lib/ports";

const workerNames = fc.uniqueArray(fc.stringMatching(/^[a-z][a-z0-9]{0,6}$/), { maxLength: 40 });

describe("controllerPorts", () => {
  it("takes 19 distinct ports in a row, none beyond 65535", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1024, max: MAX_BASE_PORT }), (base) => {
        const { engine, client, internal, ssh } = controllerPorts(base);
        assert.deepEqual(
          [...engine, ...client, ...internal, ssh],
          Array.from({ length: CONTROLLER_PORT_COUNT }, (_, index) => base + index),
        );
        assert.ok(ssh <= 65535);
      }),
    );
  });

  it("gives the pools the sizes that ipcontroller draws from them", () => {
    const { engine, client, internal } = controllerPorts(30000);
    assert.deepEqual([engine.length, client.length, internal.length], [9, 6, 3]);
  });
});

describe("defaultBasePort", () => {
  it("keeps below the ephemeral ports for any name, and is the same each time", () => {
    fc.assert(
      fc.property(fc.string(), (name) => {
        const base = defaultBasePort(name);
        assert.equal(base, defaultBasePort(name));
        assert.ok(base >= 30000 && base + CONTROLLER_PORT_COUNT <= 32768);
      }),
    );
  });

  it("differs between the stacks of this project", () => {
    const bases = ["dev", "lab", "test", "prod"].map(defaultBasePort);
    assert.equal(new Set(bases).size, bases.length);
  });
});

describe("workerSshPorts", () => {
  const request = (name: string, rest: Partial<PortRequest> = {}): PortRequest => ({
    name,
    host: "a",
    ...rest,
  });

  it("gives each worker of a host a port of its own, below the controllers' ones", () => {
    fc.assert(
      fc.property(workerNames, (names) => {
        const ports = [
          ...workerSshPorts(
            "dev",
            names.map((name) => request(name)),
          ).values(),
        ];
        assert.equal(ports.length, names.length);
        assert.equal(new Set(ports).size, names.length);
        assert.ok(ports.every((port) => port >= 20000 && port < 30000));
      }),
    );
  });

  it("does not move a worker when another is added behind it", () => {
    fc.assert(
      fc.property(workerNames, (names) => {
        const requests = names.map((name) => request(name));
        const before = workerSshPorts("dev", requests.slice(0, -1));
        const after = workerSshPorts("dev", requests);
        for (const [name, port] of before) {
          assert.equal(after.get(name), port);
        }
      }),
    );
  });

  it("lets the later of two workers with the same derived port take the next", () => {
    // With 10,000 ports and 400 names some derive the same: every port is distinct all the same.
    const names = Array.from({ length: 400 }, (_, index) => `w${String(index)}`);
    const alone = names.map((name) => workerSshPorts("dev", [request(name)]).get(name));
    assert.ok(new Set(alone).size < names.length, "this test needs a collision");
    const together = workerSshPorts(
      "dev",
      names.map((name) => request(name)),
    );
    assert.equal(new Set(together.values()).size, names.length);
  });

  it("refuses more workers on a host than it has ports for", () => {
    const names = Array.from({ length: 10_001 }, (_, index) => request(`w${String(index)}`));
    assert.throws(
      () => workerSshPorts("dev", names),
      /worker w10000: host a has no SSH port left for it; at most 10000 ports are there/,
    );
  });

  it("lets workers on two hosts have the same port", () => {
    const ports = workerSshPorts("dev", [
      request("w1", { sshPort: 2200 }),
      request("w2", { sshPort: 2200, host: "b" }),
    ]);
    assert.deepEqual([...ports.values()], [2200, 2200]);
  });

  it("refuses a port that is asked for twice on a host, naming both workers", () => {
    const requests = [request("w1", { sshPort: 2200 }), request("w2", { sshPort: 2200 })];
    assert.throws(
      () => workerSshPorts("dev", requests),
      /worker w2: sshPort 2200 on host a is already that of worker w1/,
    );
  });

  it("refuses one of the controller's ports", () => {
    assert.throws(
      () => workerSshPorts("dev", [request("w1", { sshPort: 30000 })], { a: [30000] }),
      /worker w1: sshPort 30000 on host a is already that of the controller/,
    );
  });
});
