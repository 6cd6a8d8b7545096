import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";

import { planCluster } from "../../components/lib/plan";
import { unreachedPorts } from "../../config/reach";

/** A cluster of one host, which is this machine by a name that is no loopback address. */
function cluster(address: string, host: object = {}) {
  return planCluster("reach", {
    imageContext: "",
    basePort: 31700,
    hosts: { far: { docker: "ssh://root@far.example.org", address, ...host } },
    workers: [{ name: "w1", sshPort: 21731 }],
  });
}

describe("the ports of a host as seen from this machine", () => {
  it("are open where something listens, and where a connection is refused", async () => {
    const server = createServer().listen(0, "0.0.0.0");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const plan = planCluster("reach", {
      imageContext: "",
      hosts: { far: { docker: "ssh://root@far.example.org", address: "0.0.0.0" } },
      workers: [{ name: "w1", sshPort: port }],
    });
    try {
      assert.deepEqual(await unreachedPorts(plan, "far"), []);
    } finally {
      server.close();
    }
  });

  it("can't be reached where the host's name means nothing here", async () => {
    const found = await unreachedPorts(cluster("no-such-name.invalid"), "far");
    assert.deepEqual(
      found.map(({ reason }) => reason),
      ["this machine can't resolve the name no-such-name.invalid"],
    );
  }).timeout(30_000);

  it("are not tried on this machine, or behind a bastion", async () => {
    assert.deepEqual(await unreachedPorts(cluster("127.0.0.1"), "far"), []);
    const behind = cluster("no-such-name.invalid", { bastion: { host: "gate.example.org" } });
    assert.deepEqual(await unreachedPorts(behind, "far"), []);
  });
});
