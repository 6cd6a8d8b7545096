import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

import { hostCommand } from "../../components/lib/hosts";
import { type TestHost, TestHosts } from "../hosts";
import type { Inventory } from "../hosts/testHost";
import { changed as changedResources, failureOf, type Outcome, TestStack } from "./testStack";

const run = promisify(execFile);
const NAME = "test-hosts";

/** Each engine's worker, host name of its container, process, and the variable `mark`. */
type Engines = Record<string, { worker: string; pid: number; mark: string | null }>;

const LOOK = `
import json
def about():
    import os
    return {"worker": os.environ["IPP_NAME"], "pid": os.getpid(), "mark": globals().get("mark")}
print(json.dumps({c._engines[i]: c[i].apply_sync(about) for i in c.ids}))
`;

/** Data of 20 MB to each engine and back: more than any buffer on the way holds. */
const CARRY = `
data = bytes(range(256)) * 80_000
c[:].push({"data": data}, block=True)
print(all(one == data for one in c[:].pull("data", block=True)))
`;

/** Names of the resources that an operation changes, without the stack's own name before them. */
function changed(outcome: Outcome, ...ops: string[]): string[] {
  return changedResources(outcome, ...ops)
    .map((name) => name.replace(`${NAME}-`, ""))
    .sort();
}

/** What two inventories differ in, apart from images, which stay on hosts as a cache. */
function difference(before: Inventory, after: Inventory): string[] {
  const kinds = ["containers", "networks", "volumes", "files"] as const;
  return kinds.flatMap((kind) => [
    ...after[kind].filter((one) => !before[kind].includes(one)).map((one) => `+ ${one}`),
    ...before[kind].filter((one) => !after[kind].includes(one)).map((one) => `- ${one}`),
  ]);
}

const FOLDER = `/srv/it's a "folder" of $HOME`;
const TEXT = `it's "quoted", $HOME \\ 100 % ünïcode`;

/** An image with a Python package whose version is another one on each host. */
const DIFFERS = `ARG WORKER_IMAGE
FROM \${WORKER_IMAGE}
USER root
RUN version=$(date +%N) \\
 && folder=$(python3 -c 'import site; print(site.getsitepackages()[0])')/thing-$version.dist-info \\
 && mkdir "$folder" \\
 && printf 'Metadata-Version: 2.1\\nName: thing\\nVersion: %s\\n' "$version" >"$folder/METADATA"
USER ipp
`;

/** What ssh, dockerd or the command provider print of a connection that was refused. */
const REFUSED = /refused|drop|retry|kex_exchange|after \d+ failed attempts/i;

/**
 * What the command provider prints when a container does not answer at once: one that was just
 * started has no sshd for some hundredths of a second. Of a bastion it says "Dial proxy".
 */
const DIALS_AGAIN = /\bDial \d+\/\d+ failed: retrying/;

describe("a cluster on several hosts", function () {
  this.timeout(400_000);
  let hosts: TestHosts;
  let stack: TestStack;
  let inventories: Inventory[];
  let declared: { hosts: object; workers: object[]; controller?: object };

  const settings = (host: TestHost) => ({
    docker: host.dockerUrl,
    hostKey: host.hostKey,
    identityFile: hosts.client.identityFile,
  });
  /**
   * The three hosts: as root; with another SSH port; by IPv6 where there is one, as a user in the
   * docker group, behind a bastion.
   */
  const three = () => {
    const [first, second, third] = ["host1", "host2", "host3"].map((name) => hosts.host(name)) as [
      TestHost,
      TestHost,
      TestHost,
    ];
    const bastion = hosts.host("bastion");
    return {
      host1: settings(first),
      host2: settings(second),
      host3: {
        ...settings(third),
        docker: `ssh://worker@${third.address6 === undefined ? third.address : `[${third.address6}]`}`,
        bastion: { host: bastion.address6 ?? bastion.address, hostKey: bastion.hostKey },
      },
    };
  };
  const workerA = { name: "a", host: "host1", engines: 2 };
  const workerD = (host: string) => ({ name: "d", host });
  const groupOf = (memory: string) => ({ name: "b", host: "host2", count: 2, memory });
  const withFolder = {
    name: "c",
    host: "host3",
    env: { TEXT },
    mounts: [{ source: FOLDER, target: "/data/in put" }],
  };
  const look = async () => JSON.parse(await stack.python(LOOK)) as Engines;
  const untouched = async (before: Engines, ...workers: string[]) => {
    const now = await look();
    for (const [ident, engine] of Object.entries(before)) {
      if (workers.includes(engine.worker)) {
        assert.deepEqual(now[ident], engine);
      }
    }
  };

  before(async () => {
    hosts = await TestHosts.start({
      hosts: [{}, { sshPort: 2222 }, { behind: "bastion" }, { name: "bastion", docker: false }],
    });
    await hosts.host("host3").addUser("worker", { dockerGroup: true });
    await hosts.host("host3").exec(`mkdir "${FOLDER.replaceAll(/["$]/g, "\\$&")}"
      echo "from the host" >"${FOLDER.replaceAll(/["$]/g, "\\$&")}/a file"`);
    inventories = await Promise.all(hosts.hosts.map((host) => host.inventory()));
    declared = {
      hosts: three(),
      workers: [workerA, groupOf("256MiB"), withFolder, workerD("host3")],
    };
    stack = await TestStack.create(NAME, declared);
  });
  after(async () => {
    await stack?.remove();
    await hosts?.stop();
  });

  it("comes up in one go and says hello from every engine", async () => {
    await stack.up();
    await stack.python('c[:].push({"mark": "kept"}, block=True)');
    assert.equal(
      await stack.python('print(len(c), set(c[:].apply_sync(lambda: "Hello World")))'),
      "6 {'Hello World'}",
    );
    const engines = (await stack.output("engines")) as { worker: string }[];
    assert.deepEqual(engines.map(({ worker }) => worker).sort(), [
      "a",
      "a",
      "b-1",
      "b-2",
      "c",
      "d",
    ]);
  });

  it("carries large data to and from engines on all hosts", async () => {
    assert.equal(await stack.python(CARRY), "True");
  });

  it("shows no change afterwards, also after a refresh", async () => {
    assert.deepEqual((await stack.preview()).steps, []);
    await stack.refresh();
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("gives engines a folder and a text with spaces, quotes and dollars as they are", async () => {
    const read = `
def read():
    import os
    open("/data/in put/a file").read()
    return [os.environ["TEXT"], open("/data/in put/a file").read()]
import json
print(json.dumps([c[i].apply_sync(read) for i in c.ids if c._engines[i].startswith("c-")]))`;
    assert.deepEqual(JSON.parse(await stack.python(read)), [[TEXT, "from the host\n"]]);
  });

  it("changes the memory of a group in place, with all engines untouched", async () => {
    const before = await look();
    declared.workers = [workerA, groupOf("384MiB"), withFolder, workerD("host3")];
    stack.declare(declared);
    assert.deepEqual(changed(await stack.preview()), ["b-1-container", "b-2-container"]);
    await stack.up();
    assert.deepEqual(await look(), before);
    const limit = await hosts
      .host("host2")
      .docker("inspect", "-f", "{{.HostConfig.Memory}}", `ipp-${NAME}-b-2`);
    assert.equal(limit.trim(), String(384 * 1024 * 1024));
  });

  it("moves a worker to another host, and touches nothing else", async () => {
    const before = await look();
    declared.workers = [workerA, groupOf("384MiB"), withFolder, workerD("host2")];
    stack.declare(declared);
    const touched = ["d-container", "d-engines-start", "readiness-check"];
    assert.deepEqual(changed(await stack.preview()), touched);
    assert.deepEqual(changed(await stack.up()), touched);
    assert.equal(Object.keys(await look()).length, 6);
    await untouched(before, "a", "b-1", "b-2", "c");
    assert.deepEqual((await hosts.host("host3").inventory()).containers, [`ipp-${NAME}-c`]);
  });

  it("removes a host with its workers, and touches nothing else", async () => {
    const before = await look();
    const { host1, host2 } = three();
    declared = { hosts: { host1, host2 }, workers: [workerA, groupOf("384MiB"), workerD("host2")] };
    stack.declare(declared);
    const preview = await stack.preview();
    assert.deepEqual(changed(preview, "delete"), [
      "c",
      "c-container",
      "c-engines",
      "c-engines-start",
      "host3",
      "image-default-host3",
      "image-default-host3-build",
      "image-default-host3-image",
      "network-host3",
    ]);
    const others = changed(preview).filter((name) => !/^(c|host3)(-|$)|-host3(-|$)/.test(name));
    assert.deepEqual(others, ["readiness-check"]);
    await stack.up();
    assert.equal(Object.keys(await look()).length, 5);
    await untouched(before, "a", "b-1", "b-2", "d");
    const left = difference(inventories[2] as Inventory, await hosts.host("host3").inventory());
    assert.deepEqual(left, []);
  });

  it("adds a host, and touches nothing else", async () => {
    const before = await look();
    declared.hosts = three();
    declared.workers.push({ name: "e", host: "host3", engines: "cores" });
    stack.declare(declared);
    const preview = await stack.preview();
    assert.deepEqual(changed(preview, "create"), [
      "e",
      "e-container",
      "e-engines",
      "e-engines-start",
      "host3",
      "image-default-host3",
      "image-default-host3-build",
      "image-default-host3-image",
      "network-host3",
    ]);
    const others = changed(preview).filter((name) => !/^(e|host3)(-|$)|-host3(-|$)/.test(name));
    assert.deepEqual(others, ["readiness-check"]);
    await stack.up();
    assert.equal(Object.keys(await look()).length, 5 + availableParallelism());
    await untouched(before, "a", "b-1", "b-2", "d");
  });

  it("moves the controller to another host; engines and the profile here follow", async () => {
    declared.controller = { host: "host2" };
    stack.declare(declared);
    const kept = /^(a|b-1|b-2|d|e)-container|network|image|keys/;
    assert.deepEqual(
      changed(await stack.preview()).filter((name) => kept.test(name)),
      [],
    );
    await stack.up();
    const engines = await look();
    assert.deepEqual(
      Object.values(engines)
        .map(({ worker }) => worker)
        .sort(),
      ["a", "a", "b-1", "b-2", "d", ...Array.from({ length: availableParallelism() }, () => "e")],
    );
    assert.deepEqual(
      (await hosts.host("host1").inventory()).volumes.filter((name) => name.endsWith("controller")),
      [],
    );
    assert.deepEqual((await stack.preview()).steps, []);
    assert.equal(await stack.python(CARRY), "True");
  });

  it("stands beside another cluster of 30 workers, brought up through sshd's default limits", async () => {
    const before = await look();
    const thirty = await TestStack.create("test-thirty", {
      hosts: three(),
      timeout: 120,
      workers: ["host1", "host2", "host3"].map((host) => ({ name: `on-${host}`, host, count: 10 })),
    });
    try {
      const { output } = await thirty.up();
      const refusals = output
        .split("\n")
        .filter((line) => REFUSED.test(line.replace(DIALS_AGAIN, "")));
      assert.deepEqual(refusals, []);
      assert.equal(
        await thirty.python('print(len(c), set(c[:].apply_sync(lambda: "Hello World")))'),
        "30 {'Hello World'}",
      );
      assert.deepEqual(await look(), before);
      await thirty.destroy();
    } finally {
      await thirty.remove();
    }
    assert.deepEqual(await look(), before);
  });

  it("names the packages in which an image differs between hosts", async () => {
    const { host1, host2 } = three();
    const other = await TestStack.create("test-differs", {
      hosts: { host1, host2 },
      images: { default: { context: "own" } },
      workers: [
        { name: "a", host: "host1" },
        { name: "b", host: "host2" },
      ],
    });
    try {
      mkdirSync(join(other.folder, "own"));
      writeFileSync(join(other.folder, "own/Dockerfile"), DIFFERS);
      assert.match(
        await failureOf(other.up()),
        /image default is not the same on workers a and b: .*thing \d+ \/ \d+/,
      );
    } finally {
      await other.remove();
    }
  });

  it("previews within seconds while a host swallows packets, and says which", async () => {
    await hosts
      .host("host2")
      .exec(
        "iptables -I INPUT -p tcp --dport 2222 -j DROP; ip6tables -I INPUT -p tcp --dport 2222 -j DROP",
      );
    try {
      const fresh = await TestStack.create("test-cut-off", {
        hosts: three(),
        workers: [{ name: "a", host: "host2" }],
      });
      try {
        const started = Date.now();
        const { output } = await fresh.preview();
        assert.match(output, /host host2: no Docker Engine answers at .*no answer within/);
        assert.match(output, /test-cut-off-a-container create/);
        assert.ok(Date.now() - started < 40_000);
      } finally {
        await fresh.remove();
      }
    } finally {
      await hosts
        .host("host2")
        .exec(
          "iptables -D INPUT -p tcp --dport 2222 -j DROP; ip6tables -D INPUT -p tcp --dport 2222 -j DROP",
        );
    }
  });

  it("says from which host the controller's ports can't be reached, before anything is made", async () => {
    const rule = "INPUT -p tcp --dport 31400:31418 -j DROP";
    await hosts.host("host1").exec(`iptables -I ${rule}`);
    const fresh = await TestStack.create("test-blocked", {
      hosts: three(),
      controller: { host: "host1", basePort: 31400 },
      workers: [{ name: "a", host: "host2" }],
    });
    try {
      const output = await failureOf(fresh.up());
      assert.match(
        output,
        /host host2: the controller at \S+:31400 can't be reached from there \(no answer within 4 s\)/,
      );
      assert.match(output, /Nothing was changed/);
    } finally {
      await hosts.host("host1").exec(`iptables -D ${rule}`);
      await fresh.remove();
    }
  });

  it("leaves all hosts as they were when it is destroyed", async () => {
    await stack.destroy();
    for (const [index, host] of hosts.hosts.entries()) {
      assert.deepEqual(
        difference(inventories[index] as Inventory, await host.inventory()),
        [],
        host.name,
      );
    }
  });

  it("reaches an sshd that drops most of many connections at once", async () => {
    const host = hosts.host("host1");
    const [program = "", ...args] = hostCommand(settings(host), "echo reached");
    const without = args.filter(
      (word, index) =>
        !/^ProxyCommand/.test(args[index + 1] ?? word) && !/^ProxyCommand/.test(word),
    );
    const attempts = (words: string[]) =>
      Promise.all(
        Array.from({ length: 30 }, () =>
          run(program, words).then(
            ({ stdout }) => stdout,
            () => "dropped\n",
          ),
        ),
      );
    assert.ok((await attempts(without)).includes("dropped\n"), "sshd should drop some");
    assert.deepEqual(new Set(await attempts(args)), new Set(["reached\n"]));
  });
});
