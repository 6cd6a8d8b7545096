import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

import { PROJECT } from "../documents";
import { removeDockerObjects } from "./testStack";

/** A copy of the project, as a new clone of it would be, with all that set-up would fetch. */
export function copyOfProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "ipyparallel-copy-"));
  const files = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    { cwd: PROJECT },
  );
  for (const file of files.toString().split("\0").filter(Boolean)) {
    cpSync(join(PROJECT, file), join(folder, file));
  }
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

/** How an npm script ended, and what it printed. */
export interface Ended {
  status: number | null;
  output: string;
}

/** An npm script that runs. */
export interface Started {
  pid: number;
  ended: Promise<Ended>;
  /** Resolves when it has printed something that matches. */
  prints: (pattern: RegExp) => Promise<void>;
  /** Takes away the reader of what it prints. */
  hangUp: () => void;
}

/** A copy of the project in which npm scripts are run on one stack, as a user would. */
export class ProjectCopy {
  readonly folder = copyOfProject();
  /** The profile's connection file. */
  readonly clientFile: string;
  /** What all scripts have printed. */
  printed = "";
  /** Further variables of the user's environment. */
  variables: NodeJS.ProcessEnv = {};

  /**
   * Makes the copy; what set-up makes once is taken from this project. What a run of the tests that
   * was killed has left of the stack goes first.
   */
  static async create(stack: string): Promise<ProjectCopy> {
    await removeDockerObjects(stack);
    return new ProjectCopy(stack);
  }

  private constructor(
    /** The stack that scripts are run on. */
    public stack: string,
  ) {
    for (const file of ["base-image", "base-image-3.13", "engine.json", "python.json", "venv"]) {
      const from = join(PROJECT, ".local", file);
      if (existsSync(from)) {
        cpSync(from, join(this.folder, ".local", file), { recursive: true });
      }
    }
    mkdirSync(join(this.folder, "ipython"));
    this.clientFile = join(
      this.folder,
      `ipython/profile_${stack}/security/ipcontroller-client.json`,
    );
  }

  /** Writes the stack file. */
  declare(cluster: object): void {
    writeFileSync(
      join(this.folder, `stacks/Pulumi.${this.stack}.yaml`),
      JSON.stringify({ config: { "ipyparallel:cluster": cluster } }),
    );
  }

  /** Has Pulumi write a secret into the stack file, and returns what the file holds then. */
  keepSecret(key: string, value: string): string {
    const words = ["tools/cli.mjs", "pulumi", "config", "set", "--secret", key, value];
    execFileSync("node", words, { cwd: this.folder, env: this.environment(), stdio: "pipe" });
    return readFileSync(join(this.folder, `stacks/Pulumi.${this.stack}.yaml`), "utf8");
  }

  /** Runs Pulumi with these arguments; returns what it printed. */
  pulumi(...words: string[]): string {
    return execFileSync("npm", ["run", "--silent", "pulumi", "--", ...words], {
      cwd: this.folder,
      env: this.environment(),
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
  }

  /** Starts an npm script in a process group of its own. */
  start(script: string): Started {
    return this.launch("npm", ["run", script]);
  }

  /**
   * Starts a program as a user would, in a process group of its own.
   *
   * @param more variables of its environment besides the user's own.
   */
  launch(command: string, args: string[], more: NodeJS.ProcessEnv = {}): Started {
    const child = spawn(command, args, {
      cwd: this.folder,
      env: { ...this.environment(), ...more },
      detached: true,
    });
    let output = "";
    const seen = new EventEmitter();
    const collect = (data: Buffer) => {
      output += data.toString();
      seen.emit("output");
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    const prints = async (pattern: RegExp) => {
      while (!pattern.test(output)) {
        await once(seen, "output");
      }
    };
    const hangUp = () => {
      child.stdout.destroy();
      child.stderr.destroy();
    };
    const ended = new Promise<Ended>((resolve, reject) => {
      child.on("error", reject);
      child.on("close", (status) => {
        this.printed += output;
        resolve({ status, output });
      });
    });
    return { pid: child.pid as number, ended, prints, hangUp };
  }

  /** A user's environment: nothing in it leads to the state of this project. */
  private environment(): NodeJS.ProcessEnv {
    // PULUMI_HOME has the plugins that set-up found: the copy is to use the same.
    const kept = Object.entries(process.env).filter(
      ([key]) => key === "PULUMI_HOME" || !/^(PULUMI|npm)_/.test(key),
    );
    return {
      ...Object.fromEntries(kept),
      PULUMI_STACK: this.stack,
      IPYTHONDIR: join(this.folder, "ipython"),
      ...this.variables,
    };
  }

  /** The stack's state, with its secrets in plain text. */
  state(): unknown {
    const words = ["tools/cli.mjs", "pulumi", "stack", "export", "--show-secrets"];
    const text = execFileSync("node", words, {
      cwd: this.folder,
      env: this.environment(),
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    return JSON.parse(text.slice(text.indexOf("{")));
  }

  /** The files of the stack's state as they are kept, those that are compressed as what they hold. */
  keptState(): string {
    const folder = join(this.folder, ".local/state");
    return readdirSync(folder, { recursive: true, encoding: "utf8" })
      .map((name) => join(folder, name))
      .filter((file) => statSync(file).isFile())
      .map((file) => readFileSync(file))
      .map((data) => (data[0] === 0x1f && data[1] === 0x8b ? gunzipSync(data) : data).toString())
      .join("\n");
  }

  /** Runs an npm script, which must succeed. */
  async run(script: string): Promise<string> {
    const { status, output } = await this.start(script).ended;
    assert.equal(status, 0, `npm run ${script}:\n${output}`);
    return output;
  }

  /** Runs an npm script, which must fail, and returns what it said. */
  async fails(script: string): Promise<string> {
    const { status, output } = await this.start(script).ended;
    assert.notEqual(status, 0, `npm run ${script} should have failed:\n${output}`);
    return output;
  }

  /** Says hello from every engine, as a client that has a connection file: `<engines> {…}`. */
  hello(file = this.clientFile): string {
    return this.python('print(len(c.ids), set(c[:].apply_sync(lambda: "Hello World")))', file);
  }

  /** Runs Python code with a client `c` that has a connection file; returns what it prints. */
  python(code: string, file = this.clientFile): string {
    const program = `import ipyparallel as ipp
c = ipp.Client(${JSON.stringify(file)}, timeout=10)
${code}`;
    return execFileSync(join(PROJECT, ".local/venv/bin/python"), ["-W", "ignore", "-c", program], {
      encoding: "utf8",
      timeout: 60_000,
      stdio: ["ignore", "pipe", "pipe"],
    }).trim();
  }

  /** Takes the cluster down, in whatever state it is, and removes the copy. */
  async remove(): Promise<void> {
    await this.start("down").ended.catch(() => undefined);
    await removeDockerObjects(this.stack);
    rmSync(this.folder, { recursive: true, force: true });
  }
}
