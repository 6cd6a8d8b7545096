import { strict as assert } from "node:assert";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { type TestHost, TestHosts } from "./index";
import { FILES } from "./registry";
import { eventually, run } from "./run";

// Made by the set-up; only its python3 is used here.
const IMAGE = "ipyparallel-base:3.11-bookworm";

const CHILD = `
require("ts-node/register/transpile-only");
const { TestHosts } = require(${JSON.stringify(`${__dirname}/index`)});
TestHosts.start({ hosts: [{ docker: false }] }).then((hosts) => {
  process.stdout.write(String(hosts.number));
  setInterval(() => undefined, 1000);
});
`;

describe("test hosts", function () {
  this.timeout(60_000);

  let machineBefore: string[];
  let hosts: TestHosts;
  let host1: TestHost;
  let host2: TestHost;
  let bastion: TestHost;
  let inner: TestHost;

  before(async () => {
    machineBefore = await machine();
    hosts = await TestHosts.start({
      hosts: [
        {},
        { sshPort: 2222 },
        { name: "bastion", docker: false },
        { name: "inner", behind: "bastion" },
      ],
    });
    host1 = hosts.host("host1");
    host2 = hosts.host("host2");
    bastion = hosts.host("bastion");
    inner = hosts.host("inner");
    await Promise.all([host1, host2].map((host) => host.loadImage(IMAGE)));
    await serve(host2);
  });

  after(() => hosts?.stop());

  it("have a Docker daemon each, reached over SSH", async () => {
    const info = ["info", "--format", "{{.Name}} {{.ID}} {{.Driver}}"];
    const answers = await Promise.all([host1, host2, inner].map((h) => h.dockerOverSsh(...info)));
    const column = (at: number) => answers.map((answer) => answer.trim().split(" ")[at]);
    assert.deepEqual(column(0), ["host1", "host2", "inner"]);
    assert.equal(new Set([...column(1), await outerDockerId()]).size, 4);
    assert.deepEqual(column(2), ["overlay2", "overlay2", "overlay2"]);
  });

  it("reach each other's published ports by address", async () => {
    const address = `http://${host2.address}:8080/`;
    assert.equal(await fetchFromContainer(host1, address), "200");
    assert.equal(await status(address), 200);
    if (host2.address6) assert.equal(await status(`http://[${host2.address6}]:8080/`), 200);
  });

  it("are reached by IPv6", async function () {
    if (!host1.address6) return this.skip(); // This machine has no IPv6.
    const { env } = hosts.client;
    const name = await run("docker", ["-H", host2.dockerUrl6, "info", "-f", "{{.Name}}"], { env });
    assert.equal(name, "host2\n");
  });

  it("reach the package index during a build", async () => {
    const dockerfile = `FROM ${IMAGE}
RUN python3 -c 'import urllib.request as u; u.urlopen("https://pypi.org/simple/pip/")'
`;
    await host1.exec("docker build --quiet --tag built -", { input: dockerfile });
    await host1.docker("image", "rm", "built");
  });

  it("share no files with this machine or each other", async () => {
    await host1.exec("echo 1 >/srv/mark; echo 1 >/etc/mark; echo 1 >/tmp/mark; echo 1 >/root/mark");
    for (const file of ["/srv/mark", "/etc/mark", "/root/mark"]) assert.ok(!existsSync(file), file);
    assert.equal(await host2.exec("ls /srv /root /tmp"), "/root:\n\n/srv:\n\n/tmp:\n");
    await host1.exec("rm /srv/mark /etc/mark /tmp/mark /root/mark");
  });

  it("tell what was left on them", async () => {
    const fresh = await host1.inventory();
    assert.deepEqual(fresh.containers, []);
    assert.deepEqual(fresh.networks, ["bridge", "host", "none"]);
    assert.equal(fresh.images.length, 1);

    await host1.docker("network", "create", "left");
    await host1.docker("create", "--name=left", "--volume=left:/data", IMAGE, "true");
    await host1.exec(`mkdir -p "/srv/a folder"; echo >>/etc/profile; rm /etc/issue`);
    const used = await host1.inventory();
    assert.deepEqual(used.containers, ["left"]);
    assert.deepEqual(used.networks, ["bridge", "host", "left", "none"]);
    assert.deepEqual(used.volumes, ["left"]);
    const news = used.files.filter((line) => !fresh.files.includes(line));
    assert.deepEqual(
      news.map((line) => line.replace(/ [0-9a-f]{12}$/, " DIGEST")),
      ["/etc/issue deleted", "/etc/profile DIGEST", "/srv/a folder/"],
    );

    await host1.docker("rm", "--volumes", "left");
    await host1.docker("network", "rm", "left");
    await host1.docker("volume", "rm", "left");
    await host1.exec(`rmdir "/srv/a folder"`);
    const cleared = await host1.inventory();
    assert.deepEqual({ ...cleared, files: [] }, { ...fresh, files: [] });
  });

  it("let in a user who may use Docker, and one who may not", async () => {
    const { env } = hosts.client;
    const ask = (url: string) => run("docker", ["-H", url, "ps", "--quiet"], { env });
    const may = await host2.addUser("may", { dockerGroup: true });
    assert.equal(may.dockerUrl, `ssh://may@${host2.address}:2222`);
    assert.match(await ask(may.dockerUrl), /^[0-9a-f]{12}\n$/);
    const not = await host2.addUser("not");
    assert.equal(await host2.ssh("id --groups --name", "not"), "not\n");
    await assert.rejects(ask(not.dockerUrl), /daemon/);
    await assert.rejects(host2.ssh("docker ps", "not"), /permission denied/);
  });

  it("let in nobody without the key, nor by password", async () => {
    const options = ["-F", "none", "-o", `UserKnownHostsFile=${hosts.client.knownHosts}`];
    const ask = run("ssh", [...options, "-i", "/dev/null", `root@${host1.address}`, "true"]);
    await assert.rejects(ask, /Permission denied \(publickey\)/);
  });

  it("can be behind a bastion", async () => {
    const options = ["-o", "ProxyJump=none", "-o", "ConnectTimeout=1"];
    const target = `root@${inner.address}`;
    const direct = run("ssh", [...hosts.client.sshOpts, ...options, target, "true"]);
    await assert.rejects(direct, /timed out/);
    assert.equal(await inner.ssh("hostname"), "inner\n");
    if (inner.address6) {
      const byIpv6 = await run("ssh", [
        ...hosts.client.sshOpts,
        `root@${inner.address6}`,
        "hostname",
      ]);
      assert.equal(byIpv6, "inner\n");
    }
    assert.match(await inner.ssh("echo $SSH_CONNECTION"), new RegExp(`^${bastion.address} `));
    assert.equal(await inner.exec(`echo >/dev/tcp/${host1.address}/22 && echo open`), "open\n");
    await assert.rejects(bastion.exec("docker ps"), /Is the docker daemon running/);
  });

  it("can be cut off and come back", async () => {
    const address = `http://${host2.address}:8080/`;
    await host2.cutLink();
    await assert.rejects(status(address, 500));
    assert.match(await host2.docker("ps"), /web/);
    await host2.restoreLink();
    assert.equal(await eventually(5, () => status(address, 500)), 200);
  });

  it("can have dockerd stopped or killed, and started again", async () => {
    const address = `http://${host2.address}:8080/`;
    await host2.stopDockerd();
    await assert.rejects(status(address, 500));
    await assert.rejects(host2.dockerOverSsh("ps"), /Is the docker daemon running/);
    await host2.startDockerd();
    assert.equal(await eventually(10, () => status(address, 500)), 200);

    await host2.killDockerd();
    assert.match(await host2.exec("pgrep --exact python3"), /^\d+\n$/);
    await host2.startDockerd();
    assert.equal(await eventually(10, () => status(address, 500)), 200);
  });

  it("come back after a power cut with their disks", async () => {
    const address = `http://${host2.address}:8080/`;
    await host2.exec("echo 1 >/srv/kept; echo 1 >/run/lost");
    const [first] = await host2.processes();
    await host2.powerOff();
    assert.ok(first && !isAlive(first));
    await assert.rejects(status(address, 500));
    await host2.powerOn();
    assert.equal(await host2.ssh("ls /srv; ls /run | grep lost || true"), "kept\n");
    assert.equal(await eventually(10, () => status(address, 500)), 200);
  });

  it("are removed by the next run if their process was killed", async () => {
    const child = spawn(process.execPath, ["-e", CHILD], { stdio: ["ignore", "pipe", "inherit"] });
    const number = await new Promise<number>((resolve, reject) => {
      child.stdout.once("data", (text: Buffer) => resolve(Number(text)));
      child.once("exit", () => reject(new Error("the child ended by itself")));
    });
    const isThere = () => TestHosts.standing().some((each) => each.number === number);
    assert.ok(isThere());
    child.kill("SIGKILL");
    await once(child, "exit");
    const next = await TestHosts.start({ hosts: [{ docker: false }] });
    try {
      assert.ok(next.number === number || !isThere());
      assert.ok(TestHosts.standing().some((each) => each.number === hosts.number));
    } finally {
      await next.stop();
    }
  });

  it("are refused with a message that says what is wrong", async () => {
    const start = (specs: object[]) => TestHosts.start({ hosts: specs });
    await assert.rejects(TestHosts.start({ count: 0 }), /count must be .* from 1 to 200, not 0/);
    await assert.rejects(start([{ name: "A b" }]), /small letters.*"A b"/);
    await assert.rejects(start([{ name: "a" }, { name: "a" }]), /two hosts have the name "a"/);
    await assert.rejects(TestHosts.start({ count: 1, images: ["none:such"] }), /none:such/);
    await assert.rejects(start([{ behind: "b" }]), /host1 is behind "b", which is no other host/);
  });

  it("leave nothing behind", async () => {
    await inner.docker("network", "create", "left");
    const processes = (await Promise.all(hosts.hosts.map((host) => host.processes()))).flat();
    assert.ok(processes.length > 12, `${processes.length} processes`);
    await hosts.stop();
    await hosts.stop();
    assert.deepEqual(processes.filter(isAlive), []);
    assert.deepEqual(others(await eventually(5, settled)), others(machineBefore));
  });

  // The disks are let go a moment after the processes that used them.
  async function settled(): Promise<string[]> {
    const now = await machine();
    if (now.some((line) => line.startsWith("loop")))
      assert.deepEqual(others(now), others(machineBefore));
    return now;
  }

  // What Docker and other test hosts do on this machine meanwhile is none of this test's business.
  function others(lines: string[]): string[] {
    const own = new RegExp(
      `iph${hosts.number}\\b|10\\.77\\.${hosts.number}\\.|^run ${hosts.number}$`,
    );
    const foreign = /docker|veth|br-| 172\.| 192\.168\.|iph\d|10\.77\.|^run /;
    return lines.filter((line) => own.test(line) || !foreign.test(line));
  }
});

async function serve(host: TestHost): Promise<void> {
  const options = ["--detach", "--init", "--name=web", "--restart=always", "--publish=8080:80"];
  await host.docker("run", ...options, IMAGE, "python3", "-m", "http.server", "80");
  await eventually(10, () => status(`http://${host.address}:8080/`));
}

/** Whether a process runs; one that has ended has no command line, even if nobody took note yet. */
function isAlive(pid: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8") !== "";
  } catch {
    return false;
  }
}

function fetchFromContainer(host: TestHost, url: string): Promise<string> {
  const program = "import sys, urllib.request as u; print(u.urlopen(sys.argv[1]).status, end='')";
  return host.docker("run", "--rm", IMAGE, "python3", "-c", program, url);
}

async function status(url: string, timeout = 5000): Promise<number> {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeout) });
  await response.text();
  return response.status;
}

function outerDockerId(): Promise<string> {
  return run("docker", ["info", "--format", "{{.ID}}"]).then((text) => text.trim());
}

/** What there is on this machine of all that hosts are made of, in sorted lines. */
async function machine(): Promise<string[]> {
  const list = async (kind: string, command: string, ...args: string[]) =>
    (await run(command, args))
      .split("\n")
      .filter(Boolean)
      .map((line) => `${kind} ${line}`);
  const folder = (kind: string, path: string) =>
    existsSync(path) ? readdirSync(path).map((name) => `${kind} ${name}`) : [];
  const mounts = readFileSync("/proc/mounts", "utf8").split("\n");
  const rules = [
    ...(await list("rule", "iptables-save")),
    ...(existsSync("/proc/net/if_inet6") ? await list("rule6", "ip6tables-save") : []),
  ];
  return [
    ...folder("link", "/sys/class/net"),
    ...folder("namespace", "/run/netns"),
    // The first namespace on a machine brings this mount, and it stays.
    ...mounts.filter((line) => !line.includes(" /run/netns ")).map((line) => `mount ${line}`),
    ...rules.filter((line) => line.includes(" -A ")),
    ...(await list("loop", "losetup", "--noheadings", "--list", "--output", "BACK-FILE")),
    ...(await list("cgroup", "find", "/sys/fs/cgroup", "-maxdepth", "2", "-name", "iph*")),
    ...folder("run", "/run/ipyparallel-hosts").filter((line) => line !== "run lock"),
    ...folder("file", FILES).filter((line) => line.startsWith("file iph")),
  ].sort();
}
