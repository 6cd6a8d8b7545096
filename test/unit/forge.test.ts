import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

import { load } from "js-yaml";

const ROOT = resolve(__dirname, "../..");

/** Every text in a value, at any depth. */
function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsOf) : [];
}

function yamlFiles(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".yml"))
    .map((name) => join(folder, name));
}

const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };

describe("files for a public forge", () => {
  for (const file of yamlFiles(".github")) {
    it(`${file}: is YAML, and every npm script that it runs exists`, () => {
      const commands = textsOf(load(read(file))).join("\n");
      for (const [, name] of commands.matchAll(/npm run (?:--silent )?([a-z-]+)/g)) {
        assert.ok(name !== undefined && name in scripts, `${String(name)} is no script`);
      }
    });
  }

  it("workflows: the tests that they name exist, and what they run from the project is there", async () => {
    const { suites } = (await import(join(ROOT, "tools/test/suites.mjs"))) as {
      suites: () => { name: string; group: string }[];
    };
    const known = new Set(suites().flatMap(({ name, group }) => [name, group]));
    const commands = yamlFiles(".github/workflows").flatMap((file) => textsOf(load(read(file))));
    const tests = commands.flatMap((text) =>
      [...text.matchAll(/npm test -- ([a-z ]+)/g)].flatMap(([, names = ""]) => names.split(" ")),
    );
    assert.ok(tests.length > 0);
    assert.deepEqual(
      tests.filter((name) => !known.has(name)),
      [],
    );
    const ran = commands.flatMap((text) => [...text.matchAll(/\bbash (\S+)/g)]);
    assert.deepEqual(
      ran.map(([, path = ""]) => path).filter((path) => !existsSync(join(ROOT, path))),
      [],
    );
  });

  it("dependabot: every folder that it watches has a manifest", () => {
    const { updates } = load(read(".github/dependabot.yml")) as {
      updates: { directory?: string; directories?: string[] }[];
    };
    const folders = updates.flatMap(({ directory, directories = [] }) => [
      ...(directory === undefined ? [] : [directory]),
      ...directories,
    ]);
    for (const folder of folders) {
      assert.ok(existsSync(join(ROOT, folder.replace(/\/?\*$/, ""))), `${folder} is missing`);
    }
  });

  it("editor and dev container: their files are JSON, and name files that exist", () => {
    for (const file of [
      ".vscode/settings.json",
      ".vscode/extensions.json",
      ".devcontainer/devcontainer.json",
    ]) {
      JSON.parse(read(file));
    }
    const { build } = JSON.parse(read(".devcontainer/devcontainer.json")) as {
      build: { dockerfile: string };
    };
    assert.ok(existsSync(join(ROOT, ".devcontainer", build.dockerfile)));
    const settings = JSON.parse(read(".vscode/settings.json")) as {
      "yaml.schemas": Record<string, string>;
    };
    for (const schema of Object.keys(settings["yaml.schemas"])) {
      assert.ok(existsSync(join(ROOT, schema)), `${schema} is missing`);
    }
  });
});
