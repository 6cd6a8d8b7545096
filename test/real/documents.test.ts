import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { type Block, blocks, documents, read } from "../documents";
import { copyOfProject } from "./projectCopy";
import { removeDockerObjects } from "./testStack";

/** The stack that stands for `dev`: a user may have one of that name on this machine. */
const STACK = "test-documents";

/** Why a block may be left out. */
const REASONS = [
  "it needs other machines",
  "it needs a GPU",
  "it needs a registry",
  "it needs a backend of your own",
  "it needs a program of yours",
  "it needs an environment of your own",
  "it is for a folder of your own",
  "it removes a cluster",
  "it would write to the stack file",
  "it is what runs this",
  "the quick checks do the same",
  "it is the next line of the example's test",
  "it removes what other clusters of this machine use",
  "it brings up a cluster, as a test of its own",
  "tests of their own",
  "it is in examples/hello_ipv6.py, which the tests run",
  "the tests have an environment of their own",
  "the tests bring these clusters up in another way",
  "the tests install the package in a folder outside this project",
];

const PLAIN = ["sh", "python"];

/** What is run: commands, programs and changes of the stack file. */
function runnable(document: string): Block[] {
  return blocks(read(document)).filter(
    ({ language, notRun }) => notRun === undefined && [...PLAIN, "diff"].includes(language),
  );
}

/** Numbers and idents differ from run to run, and so do the blanks that follow them. */
function withoutNumbers(line: string): string {
  return line
    .replaceAll(STACK, "dev")
    .replace(/-[0-9a-f]{8}\b/g, "-#")
    .replace(/\d+(\.\d+)*/g, "#")
    .replace(/\s+/g, " ")
    .trim();
}

describe("the documents' commands", function () {
  this.timeout(600_000);
  let folder: string;
  let environment: NodeJS.ProcessEnv;
  /** What each `npm run …` has printed, all runs of it together. */
  const printed = new Map<string, string>();

  before(async () => {
    await removeDockerObjects(STACK); // what a run that was killed has left
    folder = copyOfProject();
    cpSync(join(folder, "stacks/Pulumi.dev.yaml"), join(folder, `stacks/Pulumi.${STACK}.yaml`));
    mkdirSync(join(folder, "ipython"));
    environment = Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !/^(PULUMI|npm)_/.test(key)),
    );
    // By the stack's name in PULUMI_STACK, every npm script takes that stack for dev.
    Object.assign(environment, { PULUMI_STACK: STACK, IPYTHONDIR: join(folder, "ipython") });
  });
  after(async () => {
    // `down` is the last step; what it left is a failure, and removed all the same.
    await shell("npm run down").catch(() => undefined);
    const left = await removeDockerObjects(STACK);
    rmSync(folder, { recursive: true, force: true });
    assert.deepEqual(left, []);
  });

  /** Runs a script as a user would, and returns what it printed. */
  function shell(script: string): Promise<string> {
    return execute("bash", [
      "-euo",
      "pipefail",
      "-c",
      script.replace(/ -s dev\b/g, ` -s ${STACK}`),
    ]);
  }

  function execute(command: string, args: string[], input?: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, { cwd: folder, env: environment });
      let output = "";
      child.stdout.on("data", (data: Buffer) => (output += data.toString()));
      child.stderr.on("data", (data: Buffer) => (output += data.toString()));
      child.on("error", reject);
      child.on("close", (status) => {
        if (status === 0) {
          resolve(output);
        } else {
          reject(
            new Error(`exit status ${String(status)} of ${args.at(-1) ?? command}\n${output}`),
          );
        }
      });
      child.stdin.end(input);
    });
  }

  async function runBlock({ language, text }: Block): Promise<void> {
    if (language === "diff") {
      changeStackFile(text);
    } else if (language === "python") {
      await execute(".local/venv/bin/python", ["-W", "ignore", "-"], text);
    } else {
      // A block is one session; where it has but one command, its output is what is looked at.
      const output = await shell(text);
      for (const [command] of text.matchAll(/^npm run [\w-]+/gm)) {
        printed.set(command, (printed.get(command) ?? "") + output);
      }
    }
  }

  /** Does in the stack file what a block of lines with - and + shows. */
  function changeStackFile(lines: string): void {
    const file = join(folder, `stacks/Pulumi.${STACK}.yaml`);
    const side = (other: string) =>
      lines
        .split("\n")
        .filter((line) => line !== "" && !line.startsWith(other))
        .map((line) => line.slice(1))
        .join("\n");
    const before = readFileSync(file, "utf8");
    assert.ok(before.includes(side("+")), `not in the stack file:\n${side("+")}`);
    writeFileSync(file, before.replace(side("+"), side("-")));
  }

  it("leave out only what can't be run here, and say why", () => {
    for (const document of documents()) {
      for (const { notRun, line } of blocks(read(document))) {
        assert.ok(
          notRun === undefined || REASONS.includes(notRun),
          `${document}, line ${String(line)}: ${String(notRun)}`,
        );
      }
    }
  });

  // The README tells of a cluster's whole life; what the others do comes while it is up.
  const readme = runnable("README.md");
  const end = readme.findIndex(({ text }) => text.includes("npm run down"));
  const others = documents()
    .filter((document) => document !== "README.md")
    .flatMap((document) => runnable(document).map((block) => ({ document, block })))
    .filter(
      ({ block }, index, all) => all.findIndex((one) => one.block.text === block.text) === index,
    );
  const steps = [
    ...readme.slice(0, end).map((block) => ({ document: "README.md", block })),
    ...readme.slice(end + 1).map((block) => ({ document: "README.md", block })),
    ...others,
    { document: "README.md", block: readme[end] as Block },
  ];
  for (const { document, block } of steps) {
    it(`${document}, line ${String(block.line)}: ${block.text.split("\n")[0] as string}`, () =>
      runBlock(block));
  }

  for (const file of ["components/schema.json", "docs/stack-file.md"]) {
    it(`leave ${file} as it is`, () => {
      assert.equal(readFileSync(join(folder, file), "utf8"), read(file));
    });
  }

  it("print what the README shows", () => {
    const shown = blocks(read("README.md")).filter(
      ({ language, text }) => language === "text" && text.startsWith("$ "),
    );
    assert.ok(shown.length >= 2);
    for (const { text } of shown) {
      for (const [, command, lines] of text.matchAll(/^\$ (.+)\n([^]*?)(?=^\$ |$(?![^]))/gm)) {
        const output = (printed.get(command as string) ?? "").split("\n").map(withoutNumbers);
        for (const line of (lines as string).split("\n").map(withoutNumbers)) {
          assert.ok(
            line === "" || line === "…" || output.includes(line),
            `${command as string} does not print: ${line}`,
          );
        }
      }
    }
  });
});
