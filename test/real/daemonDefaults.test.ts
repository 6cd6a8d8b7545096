import assert from "node:assert/strict";

import { type TestHost, TestHosts } from "../hosts";
import { changed, TestStack } from "./testStack";

const NAME = "test-daemon";

/** What a daemon can be told to give to containers that ask for nothing. */
const SETTINGS = {
  "log-driver": "json-file",
  "log-opts": { "max-size": "3m", "max-file": "2" },
  "default-ulimits": {
    nproc: { Name: "nproc", Soft: 4000, Hard: 5000 },
    core: { Name: "core", Soft: 0, Hard: 0 },
  },
  "default-shm-size": "80M",
  "dns-opts": ["timeout:3"],
  "dns-search": ["example.org"],
  "default-address-pools": [{ base: "10.211.0.0/16", size: 24 }],
  "cgroup-parent": "/daemon-test",
  "default-ipc-mode": "private",
  "userland-proxy": false,
  "no-new-privileges": true,
  init: true,
  labels: ["rack=7"],
};

describe("a daemon with settings of its own for all containers", function () {
  this.timeout(600_000);
  let hosts: TestHosts;
  let host: TestHost;
  let stack: TestStack;
  const declared = (more: object) => ({
    hosts: {
      far: {
        docker: host.dockerUrl,
        hostKey: host.hostKey,
        identityFile: hosts.client.identityFile,
      },
    },
    workers: [{ name: "plain" }, { name: "limited", ...more }],
  });
  const inspect = (worker: string, format: string) =>
    host.docker("inspect", "--format", format, `ipp-${NAME}-${worker}`);
  const ulimits = (worker: string) =>
    inspect(worker, "{{range .HostConfig.Ulimits}}{{.Name}}={{.Soft}} {{end}}");
  const nothingChanges = async () => {
    assert.deepEqual(changed(await stack.preview({ refresh: true })), []);
    assert.deepEqual(changed(await stack.up({ refresh: true })), []);
  };

  before(async () => {
    hosts = await TestHosts.start({ hosts: [{}] });
    host = hosts.hosts[0] as TestHost;
    const path = "/etc/docker/daemon.json";
    const given = JSON.parse(await host.exec(`cat ${path}`)) as object;
    await host.stopDockerd();
    await host.exec(`cat >${path}`, { input: JSON.stringify({ ...given, ...SETTINGS }) });
    await host.startDockerd();
    stack = await TestStack.create(NAME, declared({ ulimits: { nofile: 7000 } }));
  });
  after(async () => {
    await stack?.remove();
    await hosts?.stop();
  });

  it("gives them to containers, and nothing is left to change", async () => {
    await stack.up();
    assert.equal(
      (await inspect("plain", "{{.HostConfig.LogConfig.Config}}")).trim(),
      "map[max-file:2 max-size:3m]",
    );
    assert.match(await ulimits("plain"), /nproc=4000/);
    await nothingChanges();
  });

  it("leaves a limit that is declared to be applied, changed and taken back", async () => {
    assert.match(await ulimits("limited"), /nofile=7000/);
    stack.declare(declared({ ulimits: { nofile: 8000, nproc: 3000 } }));
    const { steps } = await stack.up({ refresh: true });
    assert.ok(!steps.some(({ name }) => name === `${NAME}-plain-container`));
    assert.match(await ulimits("limited"), /nofile=8000/);
    assert.match(await ulimits("limited"), /nproc=3000/);
    await nothingChanges();
    stack.declare(declared({}));
    await stack.up({ refresh: true });
    assert.doesNotMatch(await ulimits("limited"), /nofile/);
    assert.match(await ulimits("limited"), /nproc=4000/);
    await nothingChanges();
  });

  it("changes nothing when it gets other settings", async () => {
    await host.stopDockerd();
    const path = "/etc/docker/daemon.json";
    await host.exec(`sed -i 's/"max-size":"3m"/"max-size":"4m"/; s/4000/4500/' ${path}`);
    await host.startDockerd();
    await nothingChanges();
  });
});
