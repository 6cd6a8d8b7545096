import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { docker, Failure, TestStack } from "./testStack";

const NAME = "test-options";

/** What an engine of each worker sees of its container. */
interface Seen {
  environment: Record<string, string>;
  nofile: [number, number];
  cpus: number[];
  shm: number;
  memory: number;
  folder: string | null;
  scratch: string[];
  tree: string;
  package: string;
  readOnly: boolean;
}

const LOOK = `
def look():
    import os, resource, shutil
    from importlib.metadata import version
    from pathlib import Path
    limits = [Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes")]
    memory = next(one for one in limits if one.exists()).read_text().strip()
    note = Path("/data/folder/note")
    scratch = Path("/data/scratch")
    if scratch.is_dir():
        (scratch / os.environ["IPP_NAME"]).touch()
    return {
        "environment": dict(os.environ),
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
        "cpus": sorted(os.sched_getaffinity(0)),
        "shm": os.statvfs("/dev/shm").f_blocks * os.statvfs("/dev/shm").f_frsize,
        "memory": 0 if memory == "max" else int(memory),
        "folder": note.read_text() if note.exists() else None,
        "readOnly": not os.access("/data/folder", os.W_OK),
        "scratch": sorted(one.name for one in scratch.iterdir()) if scratch.is_dir() else [],
        "tree": shutil.which("tree"),
        "package": version("humanize"),
    }
import json
print(json.dumps({c._engines[i].split("-")[0]: c[i].apply_sync(look) for i in sorted(c.ids)}))
`;

/** Docker's own record of a worker's container. */
interface Inspected {
  HostConfig: {
    RestartPolicy: { Name: string };
    Memory: number;
    MemorySwap: number;
    CpusetCpus: string;
    ShmSize: number;
    Ulimits: { Name: string; Soft: number; Hard: number }[];
  };
  Config: { Labels: Record<string, string> };
}

describe("what a worker can be given", function () {
  this.timeout(400_000);
  let folder: string;
  let stack: TestStack;
  let declared: { images: object; workers: object[] };
  let seen: Record<string, Seen>;
  const at = (worker: string) => seen[worker] as Seen;
  const inspect = async (worker: string) =>
    (JSON.parse(await docker("inspect", `ipp-${NAME}-${worker}`)) as [Inspected])[0];
  const refused = async (): Promise<string> => {
    const failure: unknown = await stack.up().catch((error: unknown) => error);
    assert.ok(failure instanceof Failure, "it should have failed");
    assert.doesNotMatch(failure.output, /\n\s+at .*\.[jt]s:\d+/, "there is a stack trace");
    return failure.output;
  };

  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "ipyparallel-options-"));
    chmodSync(folder, 0o755); // engines are another user
    writeFileSync(join(folder, "note"), "from the host");
    const scratch = { volume: "scratch", target: "/data/scratch" };
    declared = {
      images: { default: { packages: ["humanize==4.12.3"], aptPackages: ["tree"] } },
      workers: [
        {
          name: "all",
          engines: 2,
          memory: "300MiB",
          cpuset: "0",
          shmSize: "96MiB",
          ulimits: { nofile: { soft: 2000, hard: 3000 }, core: 0 },
          env: { NUMBER: 1.5, YES: true },
          mounts: [{ source: folder, target: "/data/folder", readOnly: true }, scratch],
          restart: "on-failure",
          labels: { team: "optics" },
        },
        { name: "threads", threads: 3, env: { MKL_NUM_THREADS: "5" }, mounts: [scratch] },
      ],
    };
    stack = await TestStack.create(NAME, declared);
  });
  after(async () => {
    await stack?.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  it("comes up with locked packages, and shows no change afterwards", async () => {
    await stack.lock();
    const { output } = await stack.up();
    assert.doesNotMatch(output, /are not locked/);
    seen = JSON.parse(await stack.python(LOOK)) as typeof seen;
    assert.deepEqual((await stack.preview()).steps, []);
  });

  it("are limits: memory, CPUs, shared memory, of processes", async () => {
    const { cpus, shm, memory, nofile } = at("all");
    const mebi = 1024 ** 2;
    assert.deepEqual(
      { cpus, shm, memory, nofile },
      {
        cpus: [0],
        shm: 96 * mebi,
        memory: 300 * mebi,
        nofile: [2000, 3000],
      },
    );
    const { HostConfig } = await inspect("all");
    assert.equal(HostConfig.CpusetCpus, "0");
    assert.deepEqual([HostConfig.Memory, HostConfig.MemorySwap], [300 * mebi, 300 * mebi]);
    assert.equal(HostConfig.ShmSize, 96 * mebi);
    assert.deepEqual(HostConfig.Ulimits.map(({ Name, Soft, Hard }) => [Name, Soft, Hard]).sort(), [
      ["core", 0, 0],
      ["nofile", 2000, 3000],
    ]);
  });

  it("are threads of numerical libraries, which else share the worker's cores", () => {
    const threads = ({ environment }: Seen) =>
      ["OMP", "OPENBLAS", "MKL", "NUMEXPR"].map((name) => environment[`${name}_NUM_THREADS`]);
    assert.deepEqual(threads(at("all")), ["1", "1", "1", "1"]);
    assert.deepEqual(threads(at("threads")), ["3", "3", "5", "3"]);
  });

  it("are environment, labels and a restart policy", async () => {
    const { NUMBER, YES } = at("all").environment;
    assert.deepEqual([NUMBER, YES], ["1.5", "true"]);
    const { HostConfig, Config } = await inspect("all");
    assert.equal(HostConfig.RestartPolicy.Name, "on-failure");
    assert.equal(Config.Labels.team, "optics");
    assert.equal((await inspect("threads")).HostConfig.RestartPolicy.Name, "unless-stopped");
  });

  it("are a folder of the host, and a volume that workers of a host share", () => {
    assert.equal(at("all").folder, "from the host");
    assert.equal(at("all").readOnly, true);
    assert.equal(at("threads").folder, null);
    const written = new Set(Object.values(seen).flatMap(({ scratch }) => scratch));
    assert.deepEqual([...written].sort(), ["all", "threads"]);
    assert.ok(Object.values(seen).some(({ scratch }) => scratch.length === 2));
  });

  it("are Debian packages, and Python packages with the hashes of the lock", async () => {
    assert.equal(at("all").tree, "/usr/bin/tree");
    assert.equal(at("threads").package, "4.12.3");
    const lock = readFileSync(join(stack.folder, `stacks/locks/${NAME}.default.txt`), "utf8");
    const used = await docker("exec", `ipp-${NAME}-all`, "cat", "/opt/ipp/packages.txt");
    assert.equal(used, lock.trim());
  });

  it("are refused where a lock is not that of the packages, or a file not that of the lock", async () => {
    const path = join(stack.folder, `stacks/locks/${NAME}.default.txt`);
    const lock = readFileSync(path, "utf8");
    stack.declare({ ...declared, images: { default: { packages: ["humanize==4.12.2"] } } });
    assert.match(
      await refused(),
      /images\.default\.packages: stacks\/locks\/test-options\.default\.txt locks others; run `npm run lock -- -s test-options`/,
    );
    stack.declare(declared);
    writeFileSync(path, lock.replace(/hash=sha256:[0-9a-f]{64}/g, `hash=sha256:${"0".repeat(64)}`));
    assert.match(await refused(), /THESE PACKAGES DO NOT MATCH THE HASHES/);
    writeFileSync(path, lock);
    assert.deepEqual((await stack.preview()).steps, []);
  });
});
