import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const PROJECT = resolve(__dirname, "../..");

describe("program.cjs", function () {
  this.timeout(60_000);
  let folder: string;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "ipyparallel-program-"));
    for (const name of ["program.cjs", "config/translate.cjs", "tsconfig.json"]) {
      cpSync(join(PROJECT, name), join(folder, name));
    }
    symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  });

  after(() => {
    rmSync(folder, { recursive: true });
  });

  /** What index.ts exports, and whether the compiler was loaded for it. */
  function load(index: string): string {
    writeFileSync(join(folder, "index.ts"), index);
    const script =
      'const value = require("./program.cjs");' +
      'const compiled = Object.keys(require.cache).some((file) => file.endsWith("typescript.js"));' +
      'console.log(value, compiled ? "translated" : "kept");';
    const { stdout, stderr } = spawnSync(process.execPath, ["-e", script], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.equal(stderr, "");
    return stdout.trim();
  }

  it("translates what has changed, and nothing else", () => {
    writeFileSync(join(folder, "other.ts"), "export const other: number = 1;");
    const index = 'import { other } from "./other";\nexport = other as number;';
    assert.equal(load(index), "1 translated");
    assert.equal(load(index), "1 kept");
    writeFileSync(join(folder, "other.ts"), "export const other: number = 2;");
    assert.equal(load(index), "2 translated");
    assert.equal(load(index), "2 kept");
  });

  it("tells of a syntax error by the file's name", () => {
    writeFileSync(join(folder, "index.ts"), "export = ] ;");
    const { status, stderr } = spawnSync(process.execPath, ["program.cjs"], {
      cwd: folder,
      encoding: "utf8",
    });
    assert.notEqual(status, 0);
    assert.match(stderr, /index\.ts/);
    assert.match(stderr, /SyntaxError/);
  });

  it("is run with what the SDK rarely needs left for later", () => {
    const script = `
      require("./config/early.cjs");
      const isLoaded = () => Object.keys(require.cache).some((f) => f.endsWith("/typescript.js"));
      const pulumi = require("@pulumi/pulumi");
      const before = isLoaded();
      pulumi.runtime.serializeFunction(() => 42).then(({ text }) => {
        console.log(before, isLoaded(), text.includes("42"));
      });
    `;
    const run = () =>
      spawnSync(process.execPath, ["--no-warnings", "-e", script], {
        cwd: PROJECT,
        encoding: "utf8",
      });
    run(); // translates what is not translated yet, which takes the compiler
    assert.equal(run().stdout.trim(), "false true true");
  });

  it("is what Pulumi runs", () => {
    const { main } = JSON.parse(readFileSync(join(PROJECT, "package.json"), "utf8")) as {
      main: string;
    };
    assert.equal(main, "program.cjs");
  });
});
