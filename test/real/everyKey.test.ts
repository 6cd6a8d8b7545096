import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

import { z } from "zod";

import { CHANGES } from "../../config/changes";
import { clusterSchema } from "../../config/schema";
import { changed, docker, TestStack } from "./testStack";

const NAME = "test-keys";
const FOLDERS = mkdtempSync(join(tmpdir(), "ipyparallel-keys-"));

/** A text with all that is special to somebody on its way. */
const ODD = `=,"$HOME" \\n\n\t%s {{.}} ünï'`;

/** A key of a worker that is changed once, and then left out again. */
interface Row {
  /** What is declared at first, then, and at last. */
  values: [object, object, object];
  /** What is run in the container, or looked up in Docker's record of it. */
  run?: string;
  inspect?: string;
  /** What that gives at each of the three times. */
  seen: [string, string, string];
}

/** A key that another test changes on a running cluster, or why none can. */
interface Elsewhere {
  test: string;
}

const folder = (name: string) => join(FOLDERS, name);
const mount = (more: object) => ({ mounts: [{ source: folder("a"), target: "/data/x", ...more }] });
const volume = (name: string) => ({ mounts: [{ volume: name, target: "/data/x" }] });
const note = "cat /data/x/note /data/y/note 2>/dev/null; touch /data/x/new 2>/dev/null && echo new";

const WORKERS: Record<string, Row | Elsewhere> = {
  engines: {
    values: [{}, { engines: 3 }, {}],
    run: `ippctl status | grep -o '"slot"' | wc -l`,
    seen: ["1", "3", "1"],
  },
  image: {
    values: [{}, { image: "own" }, {}],
    run: "ls /opt | grep -c mark",
    seen: ["0", "1", "0"],
  },
  memory: {
    values: [{ memory: "600MiB" }, { memory: "700MiB" }, {}],
    inspect: "{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}",
    seen: ["629145600 629145600", "734003200 734003200", "0 0"],
  },
  cpus: {
    values: [{ cpus: 1.05 }, { cpus: 0.5 }, {}],
    inspect: "{{.HostConfig.CpuQuota}} {{.HostConfig.CpuPeriod}}",
    seen: ["105000 100000", "50000 100000", "0 0"],
  },
  cpuset: {
    values: [{ cpuset: "0" }, { cpuset: "1" }, {}],
    run: "sed -n 's/Cpus_allowed_list:\\t//p' /proc/self/status",
    seen: ["0", "1", "0-1"],
  },
  gpus: { test: "test/unit/cluster.test.ts" },
  shmSize: {
    values: [{ shmSize: "96MiB" }, { shmSize: "80MiB" }, {}],
    run: "df --output=size -m /dev/shm | tail -n 1 | tr -d ' '",
    seen: ["96", "80", "64"],
  },
  tmpSize: {
    values: [{ tmpSize: "20MiB" }, { tmpSize: "30MiB" }, {}],
    run: "df --output=size -m /tmp | tail -n 1 | tr -d ' '",
    seen: ["20", "30", "256"],
  },
  ulimits: {
    values: [{ ulimits: { core: 0, nofile: 2000 } }, { ulimits: { core: 0, nofile: 3000 } }, {}],
    inspect: "{{range .HostConfig.Ulimits}}{{.Name}}={{.Soft}} {{end}}",
    seen: ["core=0 nofile=2000", "core=0 nofile=3000", ""],
  },
  env: {
    values: [{ env: { A: "1", B: "x" } }, { env: { A: ODD } }, { env: {} }],
    run: 'printf "%s|%s" "$A" "$B"',
    seen: ["1|x", `${ODD}|`, "|"],
  },
  "mounts.source": {
    values: [mount({}), mount({ source: folder("b") }), {}],
    run: note,
    seen: ["a\nnew", "b\nnew", ""],
  },
  "mounts.target": {
    values: [mount({}), mount({ target: "/data/y" }), {}],
    run: note,
    seen: ["a\nnew", "a", ""],
  },
  "mounts.readOnly": {
    values: [mount({}), mount({ readOnly: true }), mount({})],
    run: note,
    seen: ["a\nnew", "a", "a\nnew"],
  },
  "mounts.volume": {
    values: [volume("one"), volume("two"), {}],
    inspect: `{{range .Mounts}}{{if eq .Destination "/data/x"}}{{.Name}}{{end}}{{end}}`,
    seen: [`ipp-${NAME}-volume-one`, `ipp-${NAME}-volume-two`, ""],
  },
  threads: {
    values: [{ threads: 3 }, { threads: 5 }, {}],
    run: 'echo "$OMP_NUM_THREADS"',
    seen: ["3", "5", ""],
  },
  restart: {
    values: [{ restart: "no" }, { restart: "on-failure" }, {}],
    inspect: "{{.HostConfig.RestartPolicy.Name}}",
    seen: ["no", "on-failure", "unless-stopped"],
  },
  labels: {
    values: [{ labels: { a: "1", b: "x" } }, { labels: { a: "2" } }, {}],
    inspect: "{{.Config.Labels.a}} {{.Config.Labels.b}}",
    seen: ["1 x", "2 <no value>", "<no value> <no value>"],
  },
  sshPort: {
    values: [{ sshPort: 26611 }, { sshPort: 26612 }, { sshPort: 26613 }],
    inspect: `{{(index (index .NetworkSettings.Ports "2222/tcp") 0).HostPort}}`,
    seen: ["26611", "26612", "26613"],
  },
  host: { test: "test/real/hosts.test.ts" },
  name: { test: "test/real/hosts.test.ts" },
  count: { test: "test/real/hosts.test.ts" },
  overrides: { test: "test/unit/resolve.test.ts" },
};

const OTHERS: Record<string, Elsewhere> = {
  "controller.host": { test: "test/real/hosts.test.ts" },
  "controller.basePort": { test: "test/real/everyKey.test.ts" },
  "controller.heartbeatPeriod": { test: "test/real/everyKey.test.ts" },
  "controller.heartbeatTimeout": { test: "test/real/everyKey.test.ts" },
  "controller.memory": { test: "test/real/everyKey.test.ts" },
  "images.context": { test: "test/real/everyKey.test.ts" },
  "images.python": { test: "test/real/pythons.test.ts" },
  "images.base": { test: "test/unit/cluster.test.ts" },
  "images.packages": { test: "test/real/options.test.ts" },
  "images.aptPackages": { test: "test/real/options.test.ts" },
  "images.reference": { test: "test/real/registry.test.ts" },
  "hosts.docker": { test: "test/real/hosts.test.ts" },
  "hosts.address": { test: "test/real/hosts.test.ts" },
  "hosts.bind": { test: "test/real/everyKey.test.ts" },
  "hosts.bastion": { test: "test/real/hosts.test.ts" },
  "hosts.hostKey": { test: "test/real/hosts.test.ts" },
  "hosts.identityFile": { test: "test/real/hosts.test.ts" },
  "hosts.architecture": { test: "test/unit/preflight.test.ts" },
  "hosts.abandoned": { test: "test/real/hostFaults.test.ts" },
};

interface JsonSchema {
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema;
  items?: JsonSchema;
}

const workerOf = (key: string) => key.toLowerCase().replace(".", "-");
/** The effect of changing a worker's key, as the reference of stack files documents it. */
function effectOf(key: string): string {
  const [name = "", inner] = key.split(".");
  const map = inner === undefined ? "cluster.workers" : "cluster.defaults.mounts";
  return CHANGES[map]?.[inner ?? name] ?? "";
}
const rows = Object.entries(WORKERS).filter((entry): entry is [string, Row] => "seen" in entry[1]);

describe("every key, changed on a running cluster", function () {
  this.timeout(900_000);
  let stack: TestStack;
  const controller = { basePort: 26501, heartbeatPeriod: 250, heartbeatTimeout: 10 };

  const declared = (time: 0 | 1 | 2, more: object = {}) => ({
    images: { own: { context: "own" } },
    timeout: 300,
    workers: rows.map(([key, { values }]) => ({ name: workerOf(key), ...values[time] })),
    controller,
    ...more,
  });
  const look = async (key: string, { run, inspect }: Row) => {
    const container = `ipp-${NAME}-${workerOf(key)}`;
    const args =
      run === undefined
        ? ["inspect", "--format", inspect as string, container]
        : ["exec", container, "bash", "-c", `${run}; true`];
    return (await docker(...args)).trim();
  };
  /** Id of each worker's container. */
  const idsOf = async () => {
    const ids = rows.map(async ([key]) => {
      const container = `ipp-${NAME}-${workerOf(key)}`;
      return [key, await docker("inspect", "--format", "{{.Id}}", container)] as const;
    });
    return new Map(await Promise.all(ids));
  };
  const isSeen = async (time: 0 | 1 | 2) => {
    const found = await Promise.all(rows.map(async ([key, row]) => [key, await look(key, row)]));
    const expected = rows.map(([key, { seen }]) => [key, seen[time]]);
    assert.deepEqual(Object.fromEntries(found), Object.fromEntries(expected));
    assert.deepEqual(changed(await stack.preview({ refresh: true })), []);
  };

  before(async () => {
    for (const name of ["a", "b"]) {
      mkdirSync(folder(name));
      writeFileSync(join(folder(name), "note"), `${name}\n`);
      chmodSync(folder(name), 0o777);
    }
    chmodSync(FOLDERS, 0o755);
    stack = await TestStack.create(NAME, declared(0));
    mkdirSync(join(stack.folder, "own"));
    writeOwn("1");
  });
  after(async () => {
    await stack?.remove();
    rmSync(FOLDERS, { recursive: true, force: true });
  });

  function writeOwn(mark: string) {
    const lines = ["ARG WORKER_IMAGE", "FROM ${WORKER_IMAGE}", "USER root"];
    lines.push(`RUN echo ${mark} >/opt/mark`, "USER ipp", "");
    writeFileSync(join(stack.folder, "own/Dockerfile"), lines.join("\n"));
  }

  it("has a row here, or another test", () => {
    const { properties = {} } = z.toJSONSchema(clusterSchema) as JsonSchema;
    const keysOf = (schema: JsonSchema | undefined) => Object.keys(schema?.properties ?? {});
    const worker = properties.workers?.items;
    const mounts = keysOf(worker?.properties?.mounts?.items).map((key) => `mounts.${key}`);
    const keys = [
      ...keysOf(worker).filter((key) => key !== "mounts"),
      ...mounts,
      ...keysOf(properties.controller).map((key) => `controller.${key}`),
      ...keysOf(properties.images?.additionalProperties).map((key) => `images.${key}`),
      ...keysOf(properties.hosts?.additionalProperties).map((key) => `hosts.${key}`),
    ];
    assert.deepEqual([...Object.keys(WORKERS), ...Object.keys(OTHERS)].sort(), keys.sort());
    for (const [key, row] of Object.entries({ ...WORKERS, ...OTHERS })) {
      if ("test" in row) {
        const file = resolve(__dirname, "../..", row.test);
        assert.ok(existsSync(file), row.test);
        const word = key.split(".").at(-1) as string;
        assert.ok(readFileSync(file, "utf8").includes(word), `${row.test} has nothing of ${word}`);
      }
    }
  });

  it("is there at first", async () => {
    await stack.up();
    await isSeen(0);
  });

  it("is changed in the container, and nothing is left to change", async () => {
    const before = await idsOf();
    stack.declare(declared(1));
    await stack.up({ refresh: true });
    await isSeen(1);
    const after = await idsOf();
    const replaced = rows.map(([key]) => key).filter((key) => before.get(key) !== after.get(key));
    const documented = rows
      .map(([key]) => key)
      .filter((key) => effectOf(key).startsWith("container replaced"));
    assert.deepEqual(replaced, documented);
  });

  it("is as by default when it is left out again", async () => {
    stack.declare(declared(2));
    await stack.up({ refresh: true });
    await isSeen(2);
  });

  it("of controller, images and hosts is changed too", async () => {
    const row = WORKERS.image as Row;
    const local = {
      docker: "unix:///var/run/docker.sock",
      address: "127.0.0.1",
      bind: "127.0.0.2",
    };
    writeOwn("2");
    stack.declare({
      images: { own: { context: "own" } },
      hosts: { local: { ...local, address: "127.0.0.2" } },
      controller: {
        basePort: 26531,
        heartbeatPeriod: 300,
        heartbeatTimeout: 12,
        memory: "640MiB",
      },
      workers: [{ name: workerOf("image"), ...row.values[1] }],
    });
    await stack.up({ refresh: true });
    assert.equal(await docker("exec", `ipp-${NAME}-image`, "cat", "/opt/mark"), "2");
    const ports = await docker("port", `ipp-${NAME}-controller`);
    assert.match(ports, /127\.0\.0\.2:26531/);
    assert.doesNotMatch(ports, /127\.0\.0\.1:|:2650\d/);
    const settings = await docker(
      "exec",
      `ipp-${NAME}-controller`,
      "sh",
      "-c",
      "cat $(find /home/ipp -name ipcontroller_config.py)",
    );
    assert.match(settings, /HeartMonitor\.period = 300\n.*misses = 40\n?/);
    assert.match(settings, /^c\.Controller\.memory = 640 \* 2\*\*20$/m);
    const limit = ["inspect", "--format", "{{.HostConfig.Memory}}", `ipp-${NAME}-controller`];
    assert.equal((await docker(...limit)).trim(), String(640 * 1024 ** 2));
    assert.equal(await stack.python("print(len(c.ids))"), "1");
    assert.deepEqual(changed(await stack.preview({ refresh: true })), []);
  });
});
