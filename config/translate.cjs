// Runs TypeScript as Pulumi or ts-node would, but translates a file once and keeps the JavaScript in
// .local/program: for the program of a cluster, and as `node -r ./config/translate.cjs FILE.ts`.
// To translate all files at each run is half of the time that one with nothing to do takes.
// `npm test` checks the types.
"use strict";

const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { dirname, join, relative } = require("node:path");

const ROOT = join(__dirname, "..");
const KEPT = join(ROOT, ".local", "program");

const settings = readFileSync(join(ROOT, "tsconfig.json"), "utf8");
const compiler = require("typescript/package.json").version;

/** The JavaScript of a file: the kept one, if it is of the same TypeScript. */
function javaScript(file) {
  const source = readFileSync(file, "utf8");
  const mark = `// ${createHash("sha256").update(`${compiler}\0${settings}\0${source}`).digest("hex")}\n`;
  const path = relative(ROOT, file);
  if (path.startsWith("..")) return translate(source, file);
  const kept = join(KEPT, `${path}.js`);
  try {
    const text = readFileSync(kept, "utf8");
    if (text.startsWith(mark)) return text;
  } catch {
    // There is none yet.
  }
  const text = mark + translate(source, file);
  try {
    mkdirSync(dirname(kept), { recursive: true });
    writeFileSync(`${kept}.${process.pid}`, text);
    renameSync(`${kept}.${process.pid}`, kept);
  } catch {
    // A folder that can't be written to costs time only.
  }
  return text;
}

function translate(source, fileName) {
  const ts = require("typescript");
  const { options } = ts.convertCompilerOptionsFromJson(
    { ...JSON.parse(settings).compilerOptions, inlineSourceMap: true, removeComments: true },
    ROOT,
  );
  return ts.transpileModule(source, { compilerOptions: options, fileName }).outputText;
}

require.extensions[".ts"] = (module, file) => module._compile(javaScript(file), file);
