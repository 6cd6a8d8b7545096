import assert from "node:assert/strict";

import { clientFile, engineFile } from "../../components/lib/connectionFiles";
import { controllerConfig } from "../../components/lib/controllerConfig";
import { controllerPorts } from "../../components/lib/ports";

const ports = controllerPorts(21000);
const secrets = { hmac: "0123", curveServerKey: "z85" };

describe("connection files", () => {
  // The channels and their order are what ipcontroller 9.2 itself writes for these port pools.
  it("give the engines their nine ports", () => {
    assert.deepEqual(engineFile("10.0.0.1", ports, secrets), {
      ssh: "",
      interface: "tcp://10.0.0.1",
      location: "10.0.0.1",
      key: "0123",
      curve_serverkey: "z85",
      pack: "json",
      unpack: "json",
      signature_scheme: "hmac-sha256",
      registration: 21000,
      control: 21001,
      mux: 21002,
      task: 21003,
      iopub: 21004,
      hb_ping: 21005,
      hb_pong: 21006,
      broadcast: [21007, 21008],
    });
  });

  it("give clients their six and the registration port", () => {
    const file = clientFile("10.0.0.1", ports, secrets);
    assert.equal(file.task_scheme, "leastload");
    assert.deepEqual(
      ["registration", "control", "mux", "task", "iopub", "notification", "broadcast"].map(
        (channel) => file[channel],
      ),
      [21000, 21009, 21010, 21011, 21012, 21013, 21014],
    );
  });

  it("put an IPv6 address into brackets", () => {
    const file = clientFile("fd77::1", ports, secrets);
    assert.equal(file.interface, "tcp://[fd77::1]");
    assert.equal(file.location, "fd77::1");
  });
});

describe("controllerConfig", () => {
  const settings = {
    ports,
    heartbeatPeriod: 250,
    heartbeatTimeout: 10,
    memoryMiB: 512,
    severalHosts: false,
  };

  it("says whether there are engines on other hosts", () => {
    const text = controllerConfig({ ...settings, severalHosts: true });
    assert.match(text, /^c\.Controller\.several_hosts = True$/m);
  });

  it("is this text", () => {
    assert.equal(
      controllerConfig({ ...settings, heartbeatPeriod: 500 }),
      `# Written by Pulumi: a change made here is undone by the next \`pulumi up\`.
import json
from pathlib import Path

c = get_config()  # noqa: F821
curve = json.loads((Path(__file__).parent / "security" / "curve.json").read_text())

c.IPController.engine_ip = c.IPController.client_ip = "0.0.0.0"
c.IPController.engine_ports = [21000,21001,21002,21003,21004,21005,21006,21007,21008]
c.IPController.client_ports = [21009,21010,21011,21012,21013,21014]
c.IPController.ports = [21015,21016,21017]
c.IPController.reuse_files = True
c.IPController.restore_engines = True
c.IPController.enable_curve = True
c.IPController.curve_publickey = curve["public"].encode()
c.IPController.curve_secretkey = curve["secret"].encode()
c.Controller.memory = 512 * 2**20
c.Controller.several_hosts = False
c.HeartMonitor.period = 500
c.HeartMonitor.max_heartmonitor_misses = 20
`,
    );
  });

  it("counts at least one miss", () => {
    const text = controllerConfig({ ...settings, heartbeatPeriod: 10000, heartbeatTimeout: 2 });
    assert.match(text, /max_heartmonitor_misses = 1$/m);
  });
});
