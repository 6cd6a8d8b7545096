import { execFile } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

import { type EngineEvent, LocalWorkspace, type Stack } from "@pulumi/pulumi/automation";

import type { ClusterStatus } from "../../config/status";

const run = promisify(execFile);
const PROJECT = resolve(__dirname, "../..");
const PYTHON = join(PROJECT, ".local/venv/bin/python");

/** What the program is made of; a test may change its own copy. */
const PROGRAM = [
  "Pulumi.yaml",
  "package.json",
  "tsconfig.json",
  "program.cjs",
  "index.ts",
  "components",
  "config",
  "docker",
];

/** One step of a preview or an update, for a resource that does not stay the same. */
export interface Step {
  op: string;
  /** Name of the resource. */
  name: string;
}

/** What an operation did or would do, and what it printed. */
export interface Outcome {
  steps: Step[];
  output: string;
}

/**
 * Names of the resources that an operation changes, sorted, without the stack's own line.
 *
 * @param ops the kinds of change that count; none given, all do.
 */
export function changed({ steps }: Outcome, ...ops: string[]): string[] {
  const names = steps
    .filter(({ op }) => ops.length === 0 || ops.includes(op))
    .map(({ name }) => name);
  return [...new Set(names)].filter((name) => !name.startsWith("ipyparallel-")).sort();
}

/** A command of Pulumi that failed. */
export class Failure extends Error {
  constructor(public readonly output: string) {
    super(output);
  }
}

/**
 * A stack on the real engine and real Docker, with a copy of the program, state and IPython folder
 * of its own in a temporary folder.
 */
export class TestStack {
  private constructor(
    public readonly name: string,
    /** The folder with the copy of the program. */
    public readonly folder: string,
    /** The folder that IPython keeps profiles in. */
    public readonly ipython: string,
    private readonly stack: Stack,
  ) {}

  /**
   * Makes a stack that is declared as given; nothing is brought up yet. What a run of the tests
   * that was killed has left of that name goes first.
   *
   * @param ipython folder that IPython keeps profiles in, where it is to be another's.
   */
  static async create(name: string, cluster: unknown, ipython?: string): Promise<TestStack> {
    await removeDockerObjects(name);
    const folder = mkdtempSync(join(tmpdir(), `ipyparallel-${name}-`));
    for (const part of PROGRAM) {
      cpSync(join(PROJECT, part), join(folder, part), { recursive: true });
    }
    cpSync(join(PROJECT, "tools"), join(folder, "tools"), {
      recursive: true,
      filter: (source) => !source.endsWith("tools/engine"),
    });
    symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
    for (const base of [".local/base-image", ".local/base-image-3.13", ".local/python.json"]) {
      if (existsSync(join(PROJECT, base))) {
        cpSync(join(PROJECT, base), join(folder, base));
      }
    }
    mkdirSync(join(folder, "stacks"));
    mkdirSync(join(folder, "state"));
    writeConfig(folder, name, cluster);
    const ipythonDir = ipython ?? join(folder, "ipython");
    const stack = await LocalWorkspace.createOrSelectStack(
      { stackName: name, workDir: folder },
      {
        envVars: {
          PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
          PULUMI_CONFIG_PASSPHRASE: "only for a test",
          PULUMI_SKIP_UPDATE_CHECK: "true",
          PULUMI_DIY_BACKEND_GZIP: "false", // so that what is kept can be searched
          PULUMI_NODEJS_TRANSPILE_ONLY: "true",
          IPYTHONDIR: ipythonDir,
        },
      },
    );
    return new TestStack(name, folder, ipythonDir, stack);
  }

  /**
   * Declares another cluster.
   *
   * @param others further keys of the stack's configuration.
   */
  declare(cluster: unknown, others: object = {}): void {
    writeConfig(this.folder, this.name, cluster, others);
  }

  /** Sets a secret as `npm run pulumi -- config set --secret --path` does in a clone. */
  async setSecret(path: string, value: string): Promise<void> {
    const args = ["config", "set", "--secret", "--path", path, value, "--stack", this.name];
    const env = { ...process.env, ...this.stack.workspace.envVars };
    await run("pulumi", args, { cwd: this.folder, env });
  }

  /** Locks the packages of images as `npm run lock` does in a clone. */
  async lock(...args: string[]): Promise<void> {
    await run("node", ["tools/cli.mjs", "lock", "-s", this.name, ...args], { cwd: this.folder });
  }

  up(settings: Settings = {}): Promise<Outcome> {
    return outcome((options) => this.stack.up({ ...settings, ...options }));
  }

  preview(settings: Settings = {}): Promise<Outcome> {
    return outcome((options) => this.stack.preview({ ...settings, ...options }));
  }

  refresh(): Promise<Outcome> {
    return outcome((options) => this.stack.refresh(options));
  }

  destroy(settings: Settings = {}): Promise<Outcome> {
    return outcome((options) => this.stack.destroy({ ...settings, ...options }));
  }

  /** Outputs of the stack. */
  async output(name: string): Promise<unknown> {
    return (await this.stack.outputs())[name]?.value;
  }

  /** The secret that all keys derive from. */
  async seed(): Promise<string> {
    const { stdout } = await run(
      "pulumi",
      ["stack", "export", "--show-secrets", "--stack", this.name],
      {
        cwd: this.folder,
        env: { ...process.env, ...this.stack.workspace.envVars },
        maxBuffer: 64 * 1024 * 1024,
      },
    );
    return seedOf(JSON.parse(stdout));
  }

  /**
   * Runs Python as a user of the cluster would, on this machine; `c` is a client of the cluster.
   *
   * @param before what the program says before it connects.
   * @returns what it printed.
   */
  async python(code: string, profile = this.name, before = ""): Promise<string> {
    const program = `import ipyparallel as ipp, zmq\n${before}\nc = ipp.Client(profile=${JSON.stringify(profile)}, timeout=20)\n${code}`;
    const { stdout } = await run(PYTHON, ["-W", "ignore", "-c", program], {
      env: { ...process.env, IPYTHONDIR: this.ipython },
      timeout: 120_000,
    });
    return stdout.trim();
  }

  /** What `npm run status` tells, and the seconds that it took. */
  async status(): Promise<ClusterStatus & { seconds: number }> {
    const started = Date.now();
    const words = ["tools/cli.mjs", "status", "-s", this.name, "--json"];
    const env = { ...process.env, ...this.stack.workspace.envVars };
    const { stdout } = await run("node", words, { cwd: this.folder, env }).catch(
      (error: unknown) => error as { stdout: string },
    );
    const seconds = (Date.now() - started) / 1000;
    return { ...(JSON.parse(stdout) as ClusterStatus), seconds };
  }

  /** Removes all that the stack made, whatever state it is in. */
  async remove(): Promise<void> {
    try {
      await this.stack.cancel().catch(() => undefined);
      await this.destroy();
    } finally {
      await removeDockerObjects(this.name);
      rmSync(this.folder, { recursive: true, force: true });
    }
  }
}

function writeConfig(folder: string, name: string, cluster: unknown, others: object = {}): void {
  const settings = { config: { "ipyparallel:cluster": cluster, ...others } };
  writeFileSync(
    join(folder, "stacks", `Pulumi.${name}.yaml`),
    JSON.stringify(settings, undefined, 2),
  );
}

/** Settings of an operation, as the npm scripts have them. */
export interface Settings {
  /** Looks first what of the state is still there. */
  refresh?: boolean;
  /** Goes on with what does not depend on something that failed. */
  continueOnError?: boolean;
}

interface Options {
  onOutput: (text: string) => void;
  onError: (text: string) => void;
  onEvent: (event: EngineEvent) => void;
}

async function outcome(operation: (options: Options) => Promise<unknown>): Promise<Outcome> {
  const steps: Step[] = [];
  let output = "";
  const collect = (text: string) => {
    output += text;
  };
  try {
    await operation({
      onOutput: collect,
      onError: collect,
      onEvent: ({ resourcePreEvent }) => {
        const metadata = resourcePreEvent?.metadata;
        if (metadata !== undefined && metadata.op !== "same" && metadata.op !== "refresh") {
          steps.push({ op: metadata.op, name: metadata.urn.split("::").at(-1) ?? "" });
        }
      },
    });
  } catch (error) {
    throw new Failure(`${output}\n${error instanceof Error ? error.message : String(error)}`);
  }
  return { steps, output };
}

/** The secret that all keys derive from, in a state with its secrets in plain text. */
export function seedOf(state: unknown): string {
  const { deployment } = state as {
    deployment: { resources: { urn: string; outputs?: { stdout?: { plaintext: string } } }[] };
  };
  const resource = deployment.resources.find(({ urn }) => urn.endsWith("-keys-seed"));
  return JSON.parse(resource?.outputs?.stdout?.plaintext ?? '""') as string;
}

/** What an operation says that must fail. */
export async function failureOf(operation: Promise<Outcome>): Promise<string> {
  let done: Outcome;
  try {
    done = await operation;
  } catch (error) {
    if (error instanceof Failure) {
      return error.output;
    }
    throw error;
  }
  throw new Error(`it should have failed, and did\n${done.output}`);
}

/** Runs docker on this machine and returns what it printed. */
export async function docker(...args: string[]): Promise<string> {
  const { stdout } = await run("docker", args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout.trim();
}

/** A container, network or volume. */
export interface DockerObject {
  kind: "container" | "network" | "volume";
  id: string;
}

/** All that a cluster has on this machine's Docker, volumes without a name included. */
export async function dockerObjects(cluster: string): Promise<DockerObject[]> {
  const label = `label=ipyparallel.cluster=${cluster}`;
  const lines = async (...args: string[]) => (await docker(...args)).split("\n").filter(Boolean);
  const containers = await lines("ps", "--all", "--quiet", "--filter", label);
  const networks = await lines("network", "ls", "--quiet", "--filter", label);
  const volumes = await lines("volume", "ls", "--quiet", "--filter", label);
  const mounted = "{{range .Mounts}}{{if .Name}}{{println .Name}}{{end}}{{end}}";
  if (containers.length > 0) {
    volumes.push(...(await lines("inspect", "--format", mounted, ...containers)));
  }
  return [
    ...containers.map((id) => ({ kind: "container" as const, id })),
    ...networks.map((id) => ({ kind: "network" as const, id })),
    ...[...new Set(volumes)].map((id) => ({ kind: "volume" as const, id })),
  ];
}

/** Whether Docker still has an object. */
export async function exists({ kind, id }: DockerObject): Promise<boolean> {
  return docker(kind, "inspect", id).then(
    () => true,
    () => false,
  );
}

/** Removes all that a cluster has on this machine's Docker, and returns what that was. */
export async function removeDockerObjects(cluster: string): Promise<DockerObject[]> {
  const objects = await dockerObjects(cluster);
  for (const { kind, id } of objects) {
    const words = kind === "network" ? [] : ["--force"]; // Docker 20.10 knows no more
    await docker(kind, "rm", ...words, id).catch(String);
  }
  return objects;
}
