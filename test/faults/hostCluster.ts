import { type ChildProcess, spawn } from "node:child_process";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";

import { TestHosts } from "../hosts";
import type { TestHost } from "../hosts/testHost";
import { TestStack } from "../real/testStack";

const PYTHON = resolve(__dirname, "../../.local/venv/bin/python");

/** Where Debian has the library that gives a process another clock. */
const FAKE_CLOCK = "/usr/lib/x86_64-linux-gnu/faketime";

/** The controller's host and those of the workers. */
export type HostName = "head" | "alpha" | "beta";

/** Workers with their hosts and numbers of engines. */
const WORKERS = {
  a: { host: "alpha", engines: 2, memory: "300MiB" },
  b: { host: "beta", engines: 2 },
  // Its clock is what the file /srv/clock/now on its host says.
  c: {
    host: "beta",
    engines: 1,
    env: {
      LD_PRELOAD: "/faketime/libfaketimeMT.so.1",
      FAKETIME_TIMESTAMP_FILE: "/clock/now",
      FAKETIME_CACHE_DURATION: "1",
      FAKETIME_DONT_FAKE_MONOTONIC: "1",
    },
    mounts: [
      { source: FAKE_CLOCK, target: "/faketime", readOnly: true },
      { source: "/srv/clock", target: "/clock", readOnly: true },
    ],
  },
} as const;

/** A worker of the cluster. */
export type WorkerName = keyof typeof WORKERS;

/** All slots: a worker's name and the number of one of its engines. */
export const SLOTS = Object.entries(WORKERS).flatMap(([name, { engines }]) =>
  Array.from({ length: engines }, (_, index) => `${name}-${String(index + 1)}`),
);

/** How tasks ended: a number for each way, such as `done` or `EngineError`. */
export type Ends = Record<string, number>;

/** A cluster on three hosts, brought up by Pulumi, with a user's program that has a client open. */
export class HostCluster {
  private constructor(
    readonly hosts: TestHosts,
    readonly stack: TestStack,
    private readonly program: ChildProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  /** Makes the hosts and brings the cluster up. If that fails, nothing is left behind. */
  static async start(name: string): Promise<HostCluster> {
    const hosts = await TestHosts.start({
      hosts: [{ name: "head" }, { name: "alpha" }, { name: "beta" }],
    });
    let stack: TestStack | undefined;
    try {
      await hosts.host("beta").exec("mkdir /srv/clock; echo +0 >/srv/clock/now");
      const settings = ({ dockerUrl, hostKey }: TestHost) => ({
        docker: dockerUrl,
        hostKey,
        identityFile: hosts.client.identityFile,
      });
      stack = await TestStack.create(name, {
        hosts: Object.fromEntries(hosts.hosts.map((host) => [host.name, settings(host)])),
        controller: { host: "head" },
        workers: Object.entries(WORKERS).map(([worker, options]) => ({ name: worker, ...options })),
      });
      await stack.up();
      const program = spawn(PYTHON, ["-W", "ignore", join(__dirname, "client.py"), name], {
        env: { ...process.env, IPYTHONDIR: stack.ipython },
        stdio: ["pipe", "pipe", "inherit"],
      });
      const lines = createInterface({ input: program.stdout });
      return new HostCluster(hosts, stack, program, lines[Symbol.asyncIterator]());
    } catch (error) {
      await stack?.remove().catch(() => undefined);
      await hosts.stop();
      throw error;
    }
  }

  /** Removes all of it. */
  async stop(): Promise<void> {
    this.program.kill("SIGKILL");
    try {
      await this.stack.remove();
    } finally {
      await this.hosts.stop();
    }
  }

  host(name: HostName): TestHost {
    return this.hosts.host(name);
  }

  /** The host of a worker, or of the controller. */
  hostOf(part: WorkerName | "controller"): TestHost {
    return this.host(part === "controller" ? "head" : WORKERS[part].host);
  }

  /** Name of a part's container. */
  container(part: WorkerName | "controller"): string {
    return `ipp-${this.stack.name}-${part}`;
  }

  /** Runs a shell command in a container, and gives what it printed. */
  inside(part: WorkerName | "controller", command: string): Promise<string> {
    return this.hostOf(part).docker("exec", this.container(part), "sh", "-c", command);
  }

  /** Has the user's program do something; what it answers. */
  async ask<Answer>(what: string, options: object = {}): Promise<Answer> {
    this.program.stdin?.write(`${JSON.stringify({ do: what, ...options })}\n`);
    const answer = await this.answers.next();
    if (answer.done === true) throw new Error(`the user's program ended at "${what}"`);
    return JSON.parse(answer.value) as Answer;
  }

  /** Waits for full strength, as two clients see it; the seconds that took. */
  async fullStrength(within: number): Promise<number> {
    const { seconds, missing } = await this.ask<{ seconds: number; missing: string }>("strength", {
      slots: SLOTS,
      within,
    });
    if (missing === "") return seconds;
    throw new Error(`not at full strength after ${seconds.toFixed(1)} s: ${missing}`);
  }
}
