// What Pulumi runs: index.ts, whose files are translated to JavaScript once and kept in
// .local/program. Pulumi's own way to run TypeScript translates all of them at each run, which is
// half of the time that a run with nothing to do takes. `npm test` checks the types.
"use strict";

const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { dirname, join, relative } = require("node:path");

const KEPT = join(__dirname, ".local", "program");

const settings = readFileSync(join(__dirname, "tsconfig.json"), "utf8");
const compiler = require("typescript/package.json").version;

/** The JavaScript of a file: the kept one, if it is of the same TypeScript. */
function javaScript(file) {
  const source = readFileSync(file, "utf8");
  const mark = `// ${createHash("sha256").update(`${compiler}\0${settings}\0${source}`).digest("hex")}\n`;
  const kept = join(KEPT, `${relative(__dirname, file)}.js`);
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
    __dirname,
  );
  return ts.transpileModule(source, { compilerOptions: options, fileName }).outputText;
}

require.extensions[".ts"] = (module, file) => module._compile(javaScript(file), file);
module.exports = require("./index.ts");
