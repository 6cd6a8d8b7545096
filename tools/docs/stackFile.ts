// Writes docs/stack-file.md from the schema of stack files: `npm run docs`.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";

import * as prettier from "prettier";
import { z } from "zod";

import { CHANGES } from "../../config/changes";
import { clusterSchema } from "../../config/schema";

/** Where the reference is. */
export const REFERENCE = resolve(__dirname, "../../docs/stack-file.md");

interface Schema {
  type?: string;
  description?: string;
  allowed?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: Schema | boolean;
  items?: Schema;
  anyOf?: Schema[];
  enum?: unknown[];
  const?: string;
  minimum?: number;
  maximum?: number;
}

const INTRODUCTION = `# The stack file

<!-- Written by \`npm run docs\` from config/schema.ts. -->

One file in [stacks/](../stacks) declares one cluster: \`stacks/Pulumi.dev.yaml\` is the stack \`dev\`. It is checked whole before anything is touched, and every mistake is told with its key, what was given and what is allowed. An editor with YAML's language server checks it as you write, by [stacks/schema.json](../stacks/schema.json). [stacks/Pulumi.lab.yaml](../stacks/Pulumi.lab.yaml) is an example with every kind of setting.

Keys that are **bold** are needed; the others have defaults. The last column is the effect of changing the key on a running cluster.
`;

/** The reference, as Markdown. */
export async function stackFileReference(): Promise<string> {
  const cluster = z.toJSONSchema(clusterSchema) as Schema;
  const text = [INTRODUCTION, ...section("ipyparallel:cluster", cluster)].join("\n");
  return prettier.format(text, { parser: "markdown" });
}

/**
 * A table of a map's keys, and a section for each key that has keys of its own.
 *
 * @param told the maps that have a section already.
 */
function section(path: string, schema: Schema, told = new Set<string>()): string[] {
  const entries = Object.entries(schema.properties ?? {});
  const rows = entries.map(([key, value]) => {
    const name = (schema.required ?? []).includes(key) ? `**\`${key}\`**` : `\`${key}\``;
    const change = changeOf(path, key);
    return `| ${name} | ${cell(allowed(value))} | ${cell(value.description ?? "")} | ${change} |`;
  });
  const further = entries.flatMap(([key, value]) => {
    const [suffix, inner] = mapInside(value);
    if (inner === undefined || told.has(JSON.stringify(inner))) {
      return [];
    }
    told.add(JSON.stringify(inner));
    return section(`${path}.${key}${suffix}`, inner, told);
  });
  const table = ["| key | allowed | meaning | on change |", "| --- | --- | --- | --- |", ...rows];
  return [`\n## \`${path}\`\n`, ...table, ...further];
}

/**
 * The effect of changing a key.
 *
 * @param path the path of its map, as in the reference.
 * @throws if none is documented.
 */
function changeOf(path: string, key: string): string {
  const map = path.replace("ipyparallel:", "").replaceAll("[]", "").replaceAll(".NAME", "");
  const change = CHANGES[map]?.[key];
  if (change === undefined) {
    throw new Error(`config/changes.ts: the effect of changing ${map}.${key} is missing`);
  }
  return change;
}

/** The map with known keys in a value: itself, an item of a list, or a value under any name. */
function mapInside(value: Schema): [string, Schema | undefined] {
  const values = value.additionalProperties;
  const candidates: [string, Schema | undefined][] = [
    ["", value],
    ["[]", value.items],
    [".NAME", typeof values === "object" ? values : undefined],
  ];
  return candidates.find(([, schema]) => schema?.properties !== undefined) ?? ["", undefined];
}

/** In words, what a value may be. */
function allowed(schema: Schema): string {
  const { minimum, maximum, additionalProperties } = schema;
  if (schema.allowed !== undefined) {
    return schema.allowed;
  }
  if (schema.const !== undefined) {
    return `\`${schema.const}\``;
  }
  if (schema.enum !== undefined) {
    return schema.enum.map((value) => `\`${String(value)}\``).join(", ");
  }
  if (schema.anyOf !== undefined) {
    return schema.anyOf.map(allowed).join(" or ");
  }
  const range =
    minimum === undefined || maximum === undefined || Math.abs(minimum) > 1e12
      ? ""
      : ` from ${String(minimum)} to ${String(maximum)}`;
  switch (schema.type) {
    case "integer":
      return `whole number${range}`;
    case "number":
      return `number${range}`;
    case "boolean":
      return "`true`, `false`";
    case "array":
      return `list: ${allowed(schema.items ?? {})}`;
    case "object":
      return typeof additionalProperties === "object"
        ? `map of names: ${allowed(additionalProperties)}`
        : "map, see below";
    default:
      return "text";
  }
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

async function main() {
  writeFileSync(REFERENCE, await stackFileReference());
}

if (require.main === module) {
  void main();
}
