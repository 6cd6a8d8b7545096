// `node -r ./tools/typescript.cjs FILE.ts`: runs TypeScript as ts-node does without its checks, and
// keeps what it has translated in .local/translated: the translator alone takes half a second.
const { createHash } = require("node:crypto");
const { mkdirSync, readFileSync, renameSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const folder = join(__dirname, "..", ".local", "translated");

function translated(file) {
  const source = readFileSync(file, "utf8");
  const kept = join(folder, `${createHash("sha256").update(source).digest("hex")}.js`);
  try {
    return readFileSync(kept, "utf8");
  } catch {
    const { ModuleKind, ScriptTarget, transpileModule } = require("typescript");
    const { outputText } = transpileModule(source, {
      compilerOptions: {
        module: ModuleKind.CommonJS,
        target: ScriptTarget.ES2022,
        esModuleInterop: true,
      },
    });
    mkdirSync(folder, { recursive: true });
    const written = `${kept}.${String(process.pid)}`;
    writeFileSync(written, outputText);
    renameSync(written, kept);
    return outputText;
  }
}

require.extensions[".ts"] = (module, file) => module._compile(translated(file), file);
