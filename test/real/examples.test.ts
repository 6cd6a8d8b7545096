import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";

import { LocalWorkspace, type Stack } from "@pulumi/pulumi/automation";

import { dockerObjects, TestStack } from "./testStack";

const run = promisify(execFile);
const PROJECT = resolve(__dirname, "../..");
const EXAMPLES = join(PROJECT, "examples");
const VENV = join(PROJECT, ".local/venv-examples");

/** Makes an environment with what the programs need on the user's machine, unless it is there. */
async function pythonEnvironment(): Promise<void> {
  const files = [join(PROJECT, "docker/requirements.txt"), join(EXAMPLES, "requirements.txt")];
  const hash = createHash("sha256");
  files.forEach((file) => hash.update(readFileSync(file)));
  const wanted = hash.digest("hex");
  const stamp = join(VENV, "made-from");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    return;
  }
  rmSync(VENV, { recursive: true, force: true });
  await run(join(PROJECT, ".local/venv/bin/python"), ["-m", "venv", VENV]);
  for (const file of files) {
    await run(join(VENV, "bin/pip"), ["install", "--quiet", "-r", file]);
  }
  writeFileSync(stamp, wanted);
}

/** A stack that is declared by an example's stack file. */
async function stackOf(name: string, stackFile: string): Promise<TestStack> {
  const stack = await TestStack.create(name, {});
  cpSync(stackFile, join(stack.folder, "stacks", `Pulumi.${name}.yaml`));
  await stack.up();
  return stack;
}

describe("examples: programs that use a cluster", function () {
  this.timeout(600_000);
  before(pythonEnvironment);

  /** Runs a program as a user would, and returns what it printed. */
  async function python(stack: TestStack, ...args: string[]): Promise<string> {
    const { stdout } = await run(join(VENV, "bin/python"), ["-W", "ignore", ...args], {
      cwd: stack.folder,
      env: { ...process.env, IPYTHONDIR: stack.ipython },
      timeout: 300_000,
    });
    return stdout;
  }

  describe("of the stack dev", () => {
    let stack: TestStack;
    before(async () => {
      stack = await stackOf("test-example-dev", join(PROJECT, "stacks/Pulumi.dev.yaml"));
    });
    after(() => stack.remove());

    it("hello.py greets from every engine", async () => {
      const output = await python(stack, join(EXAMPLES, "hello.py"));
      assert.match(output, /^\[0, 1, 2, 3\]\n\['Hello World'(, 'Hello World'){3}\]\n$/);
    });

    it("monte-carlo/ finds the price, and draws a plot", async () => {
      const program = join(EXAMPLES, "monte-carlo/main.py");
      const output = await python(stack, program, "--batches", "16", "--plot", "plot.png");
      const number = (pattern: RegExp) => Number(pattern.exec(output)?.[1]);
      const exact = number(/^geometric mean, exactly: ([\d.]+)$/m);
      assert.ok(Math.abs(exact - 5.6) < 0.1, output);
      assert.ok(Math.abs(number(/^geometric mean: ([\d.]+) ±/m) - exact) < 0.06, output);
      assert.ok(number(/^arithmetic mean: ([\d.]+) ±/m) > exact, output);
      assert.match(output, /^320000 paths in 16 tasks on 4 engines$/m);
      assert.ok(statSync(join(stack.folder, "plot.png")).size > 10_000);
    });

    it("notebook/ runs from its first cell to its last", async () => {
      const notebook = join(EXAMPLES, "notebook/cluster.ipynb");
      const script = join(__dirname, "runNotebook.py");
      const output = await python(stack, script, notebook);
      assert.match(output, /^\[0, 1, 2, 3\]$/m);
      assert.match(output, /^\[\('w\d', '3\.11\.\d+'\)(, \('w\d', '3\.11\.\d+'\)){3}\]$/m);
      assert.equal(output.match(/^\[stdout:\d\] 0\.\d\d$/gm)?.length, 4, output);
      assert.match(output, /^\[0, 1, 4, 9, 16, 25, 36, 49, 64, 81\]$/m);
    });
  });

  it("sklearn/ searches the grid on all engines", async () => {
    const stack = await stackOf(
      "test-example-sklearn",
      join(EXAMPLES, "sklearn/Pulumi.sklearn.yaml"),
    );
    try {
      const output = await python(stack, join(EXAMPLES, "sklearn/main.py"));
      assert.match(output, /^best: \{'svc__C': 10, 'svc__gamma': 0\.01\}, 0\.9\d\d of the digits/m);
      const tasks = [...output.matchAll(/^engine \d: (\d+) tasks$/gm)].map(([, n]) => Number(n));
      assert.equal(tasks.length, 2);
      assert.ok(Math.min(...tasks) > 0, output);
    } finally {
      await stack.remove();
    }
  });

  it("mixed/ runs each part where its packages are", async () => {
    const stack = await stackOf("test-example-mixed", join(EXAMPLES, "mixed/Pulumi.mixed.yaml"));
    try {
      const output = await python(stack, join(EXAMPLES, "mixed/main.py"));
      assert.match(output, /^antiderivative of x\*cos\(x\): x\*sin\(x\) \+ cos\(x\)$/m);
      const integral = (x: number) => x * Math.sin(x) + Math.cos(x);
      const areas = [0, 1, 2, 3].map((x) => (integral(x + 1) - integral(x)).toFixed(4));
      assert.ok(output.includes(`areas: [${areas.join(", ")}]\n`), output);
    } finally {
      await stack.remove();
    }
  });
});

/** The base image that set-up made where none could be pulled. */
function baseImage(): string {
  const file = join(PROJECT, ".local/base-image");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "python:3.11-slim-bookworm";
}

/**
 * Brings up a program of one's own outside this project, looks for its two workers, changes one,
 * and takes all down again.
 */
async function tryProgram(name: string, folder: string): Promise<void> {
  const ipython = join(folder, "ipython");
  mkdirSync(join(folder, "state"));
  const stack: Stack = await LocalWorkspace.createStack(
    { stackName: name, workDir: folder },
    {
      envVars: {
        PULUMI_BACKEND_URL: `file://${join(folder, "state")}`,
        PULUMI_CONFIG_PASSPHRASE: "only for a test",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        IPYTHONDIR: ipython,
      },
    },
  );
  try {
    await stack.setConfig("baseImage", { value: baseImage() });
    const { outputs } = await stack.up();
    assert.equal(outputs.profile?.value, name);
    assert.equal((outputs.engines?.value as unknown[]).length, 2);
    const hello = `import ipyparallel as ipp; print(ipp.Client(profile="${name}")[:].apply_sync(lambda: 6 * 7))`;
    const { stdout } = await run(
      join(PROJECT, ".local/venv/bin/python"),
      ["-W", "ignore", "-c", hello],
      { env: { ...process.env, IPYTHONDIR: ipython } },
    );
    assert.equal(stdout, "[42, 42]\n");

    await stack.preview({ expectNoChanges: true });
    await stack.setConfig("engines", { value: "2" });
    assert.equal((await stack.preview()).changeSummary.update, 1);
  } finally {
    await stack.destroy();
    rmSync(folder, { recursive: true, force: true });
  }
  assert.deepEqual(await dockerObjects(name), []);
}

describe("examples: programs that declare a cluster", function () {
  this.timeout(600_000);

  /** A copy of an example in a folder outside this project. */
  function copyOf(example: string): string {
    const folder = mkdtempSync(join(tmpdir(), `ipyparallel-example-${example}-`));
    cpSync(join(EXAMPLES, example), folder, { recursive: true });
    return folder;
  }

  it("typescript/ with the npm package, from a folder outside this project", async () => {
    const { stdout } = await run(process.execPath, [join(PROJECT, "tools/cli.mjs"), "package"]);
    const tarball = stdout.trim();
    const folder = copyOf("typescript");
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as {
      dependencies: Record<string, string>;
    };
    const declared = manifest.dependencies.ipyparallel as string;
    assert.equal(resolve(EXAMPLES, "typescript", declared.replace("file:", "")), tarball);
    manifest.dependencies.ipyparallel = `file:${tarball}`;
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline"], { cwd: folder });
    await run(join(folder, "node_modules/.bin/tsc"), ["--project", "."], { cwd: folder });
    await tryProgram("test-example-typescript", folder);
  });

  it("yaml/ with the components as a plugin, which leaves the project's own as they were", async () => {
    const listing = () => readdirSync(join(PROJECT, "components")).sort();
    const before = listing();
    await run(process.execPath, [join(PROJECT, "tools/cli.mjs"), "package"]);
    const folder = copyOf("yaml");
    const file = join(folder, "Pulumi.yaml");
    const text = readFileSync(file, "utf8");
    const plugin = /ipyparallel: (.+)/.exec(text)?.[1] as string;
    const made = join(PROJECT, ".local/package/plugin/components");
    assert.equal(resolve(EXAMPLES, "yaml", plugin), made);
    const name = "test-example-yaml"; // of the cluster too, instead of the example's
    writeFileSync(file, text.replace(plugin, made).replaceAll("words", name));
    await withYaml(async () => {
      // As a user would look at the arguments; Pulumi may install packages into the folder.
      await run("pulumi", ["package", "get-schema", join(made, "pulumi-resource-ipyparallel")]);
      await tryProgram(name, folder);
    });
    assert.deepEqual(listing(), before);
  });
});

/**
 * Runs an action with a Pulumi that knows YAML: an official one does; where it was built here, its
 * host for YAML is built as well.
 */
async function withYaml(action: () => Promise<void>): Promise<void> {
  const path = process.env.PATH ?? "";
  const has = (name: string) =>
    path.split(delimiter).find((folder) => existsSync(join(folder, name)));
  const host = "pulumi-language-yaml";
  if (has(host) === undefined) {
    const { stdout } = await run("bash", [join(PROJECT, "tools/engine/build.sh"), "yaml"]);
    const built = stdout.trim().replace(/^yaml=/, "");
    assert.equal(basename(built), host);
    process.env.PATH = [dirname(built), path].join(delimiter);
  }
  try {
    await action();
  } finally {
    process.env.PATH = path;
  }
}
