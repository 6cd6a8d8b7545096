import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

import { safeLoad } from "js-yaml";

import { CHANGES } from "../../config/changes";
import { parseCluster } from "../../config/parse";
import { REFERENCE, stackFileReference } from "../../tools/docs/stackFile";
import { blocks, documents, PROJECT, read } from "../documents";

/** Languages of blocks: those that are run, that change a stack file, that are checked, or shown. */
const LANGUAGES = ["json", "sh", "python", "diff", "yaml", "ts", "dockerfile", "text"];

/** The anchors of a document's headings, as GitHub makes them. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    (heading as string)
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** The section of a map in the reference of stack files; empty where another section has its keys. */
function sectionOf(reference: string, map: string): string {
  const title = new RegExp(
    `^## \`ipyparallel:${map.replaceAll(".", "(?:\\[\\]|\\.NAME)?\\.")}(?:\\[\\]|\\.NAME)?\`$`,
    "m",
  );
  const at = reference.search(title);
  return at < 0 ? "" : (reference.slice(at + 3).split("\n## ")[0] as string);
}

function withoutBlocks(text: string): string {
  return text.replace(/^```[^]*?^```$/gm, "");
}

/** The text of all files below some folders that messages come from. */
function sources(): string {
  const folders = ["components", "config", "docker", "tools/setup", "tools/engine"];
  const files = folders.flatMap((folder) =>
    readdirSync(join(PROJECT, folder), { recursive: true, encoding: "utf8" }).map((name) =>
      join(PROJECT, folder, name),
    ),
  );
  const own = ["index.ts", "tools/pulumi.mjs", "tools/lock.ts", "docker/Dockerfile"].map((name) =>
    join(PROJECT, name),
  );
  return [...own, ...files]
    .filter((file) => /(\.(ts|mjs|cjs|py|go|sh)|Dockerfile)$/.test(file) && statSync(file).isFile())
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
}

describe("documents", () => {
  for (const document of documents()) {
    const text = read(document);

    it(`${document}: every link leads somewhere`, () => {
      for (const [, link] of withoutBlocks(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        const [path = "", anchor] = (link as string).split("#");
        if (path.includes(":")) {
          continue;
        }
        const target = normalize(join(dirname(document), path));
        const file = path === "" ? document : target;
        assert.ok(existsSync(join(PROJECT, file)), `${link as string} leads nowhere`);
        if (anchor !== undefined) {
          assert.ok(anchors(read(file)).includes(anchor), `${link as string}: no such heading`);
        }
      }
    });

    it(`${document}: every npm script that it names is there`, () => {
      const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
      for (const [, script] of text.matchAll(/\bnpm run (?:--silent )?([\w-]+)/g)) {
        assert.ok((script as string) in scripts, `npm run ${script as string}`);
      }
    });

    it(`${document}: every path in back quotes is there`, () => {
      const top = /^(components|config|docker|docs|examples|stacks|test|tools|bench)\/[\w./-]*$/;
      const generated = ["docs/api"];
      for (const [, path] of withoutBlocks(text).matchAll(/`([^`\s]+)`/g)) {
        if (top.test(path as string) && !generated.includes(path as string)) {
          assert.ok(existsSync(join(PROJECT, path as string)), path);
        }
      }
    });

    it(`${document}: every block is of a known kind`, () => {
      const found = blocks(text);
      assert.equal(found.length, (text.match(/^```/gm)?.length ?? 0) / 2);
      for (const { language, line, text } of found) {
        assert.ok(LANGUAGES.includes(language), `line ${String(line)}: "${language}"`);
        if (language === "json") {
          JSON.parse(text);
        }
      }
    });

    for (const block of blocks(text).filter(({ language }) => language === "yaml")) {
      // Where a document says so, a user has an image of their own.
      const text = block.text.replace("./my-image", "docker");
      const value = safeLoad(text) as { config?: Record<string, unknown> };
      if (value.config !== undefined) {
        it(`${document}, line ${String(block.line)}: the stack file has no mistake`, () => {
          parseCluster(value.config?.["ipyparallel:cluster"], [], () => true);
        });
      }
    }
  }

  it("has the reference of the stack file in step with its schema (npm run docs)", async () => {
    assert.equal(readFileSync(REFERENCE, "utf8"), await stackFileReference());
  });

  it("has the effect of changing each key of the stack file, and of no other", () => {
    const reference = readFileSync(REFERENCE, "utf8");
    for (const [map, keys] of Object.entries(CHANGES)) {
      const section = sectionOf(reference, map);
      assert.deepEqual(
        [...section.matchAll(/^\| (?:\*\*)?`(\w+)`(?:\*\*)? +\|/gm)].map(([, key]) => key).sort(),
        Object.keys(keys).sort(),
        map,
      );
    }
  });

  it("names only errors that the code has", () => {
    const code = sources();
    const rows = ["README.md", "docs/troubleshooting.md"].flatMap((document) => [
      ...read(document)
        .replace(/^## Using it$[^]*/m, "")
        .matchAll(/^\| `([^`]+)` +\|(.*)$/gm),
    ]);
    assert.ok(rows.length > 30);
    // What others say: ssh, Docker, Pulumi, and the Python of the user.
    const foreign =
      /^(Host key verification|Permission denied|is currently locked|\[…\] is currently|host key mis|invalid YAML|unable to auth|could not find an)/;
    for (const [, message] of rows) {
      if (foreign.test(message as string)) {
        continue;
      }
      for (const part of (message as string).split(/…:?|there: end/).map((piece) => piece.trim())) {
        if (part.length > 8) {
          assert.ok(code.includes(part), `no such error: ${part}`);
        }
      }
    }
  });
});

describe("the package of components", () => {
  const schema = JSON.parse(read("components/schema.json")) as {
    resources: Record<string, Described>;
    types: Record<string, Described>;
  };
  interface Described {
    description?: string;
    properties?: Record<string, { description?: string }>;
    inputProperties?: Record<string, { description?: string }>;
    required?: string[];
    requiredInputs?: string[];
  }

  it("is one component", () => {
    assert.deepEqual(Object.keys(schema.resources), ["ipyparallel:index:Cluster"]);
    assert.ok(schema.resources["ipyparallel:index:Cluster"]?.description);
  });

  it("describes every property", () => {
    for (const [name, part] of Object.entries({ ...schema.types, ...schema.resources })) {
      for (const [key, { description }] of Object.entries({
        ...part.properties,
        ...part.inputProperties,
      })) {
        assert.ok((description ?? "").length > 10, `${name}: ${key}`);
      }
    }
  });

  it("tells the default of every argument that may be left out", () => {
    const described: Record<string, Record<string, { description?: string }> | undefined> = {};
    const required: Record<string, string[] | undefined> = {};
    for (const [name, part] of Object.entries({ ...schema.types, ...schema.resources })) {
      described[name] = part.inputProperties ?? part.properties;
      required[name] = part.requiredInputs ?? part.required;
    }
    for (const [name, properties] of Object.entries(described)) {
      for (const [key, { description }] of Object.entries(properties ?? {})) {
        if (!(required[name] ?? []).includes(key)) {
          assert.match(description ?? "", /\bDefaults to\b/, `${name}: ${key}`);
        }
      }
    }
  });

  // That all of it is as written, the engine tells (test/real/documents.test.ts); this is quicker.
  it("says what the comments in the sources say", () => {
    const oneLine = (text: string) => text.replace(/\s+(\* )?\s*/g, " ").trim();
    const files = readdirSync(join(PROJECT, "components"), { recursive: true, encoding: "utf8" });
    const comments = files
      .filter((file) => file.endsWith(".ts") && !file.includes("node_modules"))
      .map((file) => oneLine(read(join("components", file))))
      .join(" ");
    for (const [name, part] of Object.entries({ ...schema.types, ...schema.resources })) {
      const properties = { ...part.properties, ...part.inputProperties };
      for (const [key, { description }] of Object.entries({ ...properties, itself: part })) {
        assert.ok(
          comments.includes(oneLine(description ?? "")),
          `${name}: ${key}: run \`npm run schema\``,
        );
      }
    }
  });

  it("needs the versions that the program has", () => {
    const versions = (file: string) =>
      (JSON.parse(read(file)) as { dependencies: Record<string, string> }).dependencies;
    const program = versions("package.json");
    for (const [name, version] of Object.entries(versions("components/package.json"))) {
      assert.equal(program[name], version, name);
    }
    assert.equal(
      versions("examples/typescript/package.json")["@pulumi/pulumi"],
      program["@pulumi/pulumi"],
    );
  });
});
