import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import {
  cutLink,
  type HostFault,
  fillDisk,
  HOST_FAULTS,
  recovery,
  setClock,
  timing,
} from "../faults/faults";
import { type Ends, HostCluster, SLOTS, type WorkerName } from "../faults/hostCluster";
import { soak } from "../faults/soak";
import { eventually, run } from "../hosts/run";

/** Seconds that a task takes which is running when a fault begins. */
const TASK_SECONDS = 8;
/** Seconds within which every task has ended, in whatever way. */
const NO_HANG_SECONDS = 35;

describe("faults of hosts, with nobody at the keyboard", function () {
  this.timeout(400_000);
  let cluster: HostCluster;
  const timings: string[] = [];

  before(async () => {
    cluster = await HostCluster.start("test-faults");
  });
  after(async () => {
    console.log(["", "seconds to full strength", ...timings].join("\n      "));
    await cluster?.stop();
  });

  const work = () => cluster.ask("work", { seconds: TASK_SECONDS, balanced: 16 });
  const engines = async (worker: WorkerName) => {
    const status = JSON.parse(await cluster.inside(worker, "ippctl status")) as {
      engines: { slot: number; ident: string; restarts: number }[];
    };
    return status.engines.map(({ slot, ident, restarts }) => ({ slot, ident, restarts }));
  };
  /** How often Docker has started a container again. */
  const starts = async (worker: WorkerName) => {
    const words = ["inspect", "-f", "{{.RestartCount}}", cluster.container(worker)];
    return (await cluster.hostOf(worker).docker(...words)).trim();
  };
  const missing = async () => (await cluster.stack.status()).missing.join("\n");

  /** Every task has ended: done, or with EngineError where it may be lost. */
  async function assertEnds({ lost, queueLost }: HostFault, within: number): Promise<void> {
    const { direct, balanced } = await cluster.ask<{
      direct: Record<string, string>;
      balanced: Ends;
    }>("outcomes", { within });
    assert.deepEqual(
      direct,
      Object.fromEntries(SLOTS.map((slot) => [slot, lost.includes(slot) ? "EngineError" : "done"])),
    );
    const { done = 0, EngineError: failed = 0, ...others } = balanced;
    assert.deepEqual(others, {});
    assert.equal(done + failed, 16);
    if (queueLost !== true) assert.ok(failed <= lost.length, `${String(failed)} tasks were lost`);
  }

  for (const fault of HOST_FAULTS) {
    it(`${fault.name}: full strength within ${String(fault.allowed)} s, no task hangs`, async () => {
      await cluster.fullStrength(20);
      await work();
      const started = Date.now();
      const taken = await recovery(cluster, fault);
      timings.push(timing(fault.name, taken, fault.allowed));
      await assertEnds(fault, NO_HANG_SECONDS - (Date.now() - started) / 1000);
    });
  }

  it("a worker's link is cut for 60 s: the others go on, status names it, it comes back", async () => {
    await cluster.fullStrength(20);
    const fault = cutLink(60);
    await work();
    const recovered = recovery(cluster, fault);
    recovered.catch(() => undefined); // looked at below
    await assertEnds(fault, NO_HANG_SECONDS);
    assert.match(await missing(), /^a: host alpha does not answer/m);
    const others = SLOTS.filter((slot) => !slot.startsWith("a-"));
    assert.deepEqual((await cluster.ask<string[]>("answering", { only: others })).sort(), others);
    timings.push(timing(fault.name, await recovered, fault.allowed));
  });

  it("a full disk is said by status, and engines are repaired all the same", async () => {
    const before = Object.values(await cluster.ask<Record<string, string>>("idents"));
    const emptyDisk = await fillDisk(cluster, "alpha");
    try {
      assert.match(await missing(), /^a: the disk of host alpha is full$/m);
      await cluster.host("alpha").exec("pkill -9 -o -x ipengine");
      await eventually(20, async () => {
        const idents = Object.values(await cluster.ask<Record<string, string>>("idents"));
        assert.ok(idents.filter((ident) => before.includes(ident)).length === before.length - 1);
      });
      const taken = await cluster.fullStrength(20);
      timings.push(timing("an engine is killed, the disk is full", taken, 20));
    } finally {
      await emptyDisk();
    }
    await eventually(10, async () => {
      assert.equal(await missing(), "");
    });
    assert.equal(await starts("a"), "0");
  });

  it("a clock that is off by an hour is said by status, and stops nothing", async () => {
    const before = await engines("c");
    try {
      for (const ahead of [3600, -3600]) {
        await setClock(cluster, ahead);
        await eventually(10, async () =>
          assert.match(
            await missing(),
            /^c: its clock is -?3(600|599|601) s ahead of the controller's$/m,
          ),
        );
        await cluster.fullStrength(5);
      }
    } finally {
      await setClock(cluster, 0);
    }
    await eventually(10, async () => {
      assert.equal(await missing(), "");
    });
    assert.deepEqual(await engines("c"), before);
    assert.equal(await starts("c"), "0");
  });

  it("no text that is computed on can be read between the hosts", async () => {
    const file = join(cluster.stack.folder, "traffic.pcap");
    const tcpdump = spawn("tcpdump", ["-i", cluster.hosts.bridge, "-U", "-w", file]);
    const ended = once(tcpdump, "close");
    try {
      await once(tcpdump.stderr, "data"); // it listens
      const [marker, plain] = [randomBytes(24).toString("hex"), randomBytes(24).toString("hex")];
      const reversed = [...marker].reverse().join("");
      const answers = await cluster.ask<Record<string, string>>("echo", { text: marker });
      assert.deepEqual(answers, Object.fromEntries(SLOTS.map((slot) => [slot, reversed + marker])));
      // What is sent in plain text is found, so that what is not found was not there.
      await cluster.host("alpha").exec(`echo ${plain} >/dev/udp/${cluster.host("head").address}/9`);
      await eventually(5, () => {
        assert.ok(readFileSync(file).includes(plain));
        return Promise.resolve();
      });
      const traffic = readFileSync(file);
      assert.ok(traffic.length > 10_000);
      for (const text of [marker, reversed]) {
        const base64 = Buffer.from(text).toString("base64");
        assert.ok(!traffic.includes(text) && !traffic.includes(base64));
      }
    } finally {
      tcpdump.kill("SIGINT");
      await ended;
    }
  });

  it("nobody without the keys can list engines, register or run anything", async () => {
    const idents = await cluster.ask<Record<string, string>>("idents");
    const clientFile = join(
      cluster.stack.ipython,
      `profile_${cluster.stack.name}`,
      "security/ipcontroller-client.json",
    );
    const intruder = resolve(__dirname, "../faults/intruder.py");
    const python = resolve(__dirname, "../../.local/venv/bin/python");
    const printed = await run(python, ["-W", "ignore", intruder, clientFile, idents["b-1"] ?? ""]);
    const { right, ...others } = JSON.parse(printed) as Record<string, object>;
    assert.deepEqual(right, { lists: true, registers: true, runs: true });
    assert.equal(Object.keys(others).length, 5);
    for (const [keys, attempts] of Object.entries(others)) {
      assert.deepEqual(attempts, { lists: false, registers: false, runs: false }, keys);
    }
    const files = "cd /tmp && ls right none wrong-hmac no-hmac wrong-curve plain-zmq 2>/dev/null";
    assert.equal((await cluster.inside("b", `${files}; true`)).trim(), "right");
    await cluster.fullStrength(30); // who only said hello is no engine
  });

  it("just the ports of the plan listen on the hosts, besides sshd", async () => {
    const rules = (await cluster.stack.output("ports")) as {
      host: string;
      address: string;
      from: number;
      to: number;
    }[];
    for (const host of cluster.hosts.hosts) {
      const planned = rules
        .filter((rule) => rule.host === host.name)
        .flatMap(({ address, from, to }) =>
          Array.from({ length: to - from + 1 }, (_, index) => `${address}:${String(from + index)}`),
        );
      const listening = (await host.exec("ss -Hltn | awk '{ print $4 }'"))
        .split("\n")
        .filter(Boolean);
      const sshd = ["0.0.0.0:22", "[::]:22"];
      assert.deepEqual(listening.filter((one) => !sshd.includes(one)).sort(), planned.sort());
    }
  });

  it("faults at random while load-balanced tasks go on: none is lost, nothing grows", async () => {
    const seed = Date.now() % 1_000_000;
    const wrong = await soak(cluster, 75, seed, (line) => console.log(`      ${line}`));
    assert.deepEqual(wrong, []);
  });
});
