import { existsSync } from "node:fs";

import { z } from "zod";

import { Mistake } from "../components/lib/mistake";
import { checkReferences } from "./references";
import { type ClusterConfig, clusterSchema } from "./schema";
import { show, suggestion } from "./words";

/** All mistakes of a stack file in one error. */
export class ConfigError extends Mistake {
  constructor(public readonly mistakes: string[]) {
    super(
      [
        mistakes.length === 1
          ? "The stack file has a mistake; nothing was changed."
          : `The stack file has ${String(mistakes.length)} mistakes; nothing was changed.`,
        ...mistakes.map((mistake) => `  ${mistake}`),
      ].join("\n"),
    );
  }
}

/** The keys of the project in a stack file. */
const KEYS = ["cluster", "registryPassword"];

/**
 * Checks the value of `ipyparallel:cluster`, whole.
 *
 * @param keys all keys of the project in the stack file, without `ipyparallel:`.
 * @param exists whether there is a file, as seen from the program's folder.
 * @throws ConfigError with every mistake: its path, what was given and what is allowed.
 */
export function parseCluster(
  value: unknown,
  keys: string[] = [],
  exists: (path: string) => boolean = existsSync,
): ClusterConfig {
  const others = keys
    .filter((key) => !KEYS.includes(key))
    .map(
      (key) =>
        `ipyparallel:${key}: unknown key${suggestion(key, KEYS)}; ` +
        `allowed are ${KEYS.map((known) => `ipyparallel:${known}`).join(" and ")}`,
    );
  if (value === undefined) {
    throw new ConfigError([
      ...others,
      'ipyparallel:cluster: is missing; at least "workers" is needed there',
    ]);
  }
  const parsed = clusterSchema.safeParse(value);
  const mistakes = [
    ...others,
    // One value can break several rules of its form; they are told as one.
    ...new Set((parsed.error?.issues ?? []).flatMap((issue) => describe(issue, value))),
    ...checkReferences(value, exists),
  ];
  if (!parsed.success || mistakes.length > 0) {
    throw new ConfigError(mistakes);
  }
  return parsed.data;
}

function describe(issue: z.core.$ZodIssue, value: unknown): string[] {
  const path = showPath(issue.path);
  const node = schemaAt(issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(node?.properties ?? {});
    known.push(...(node?.propertyNames?.enum ?? []).map(String));
    return issue.keys.map(
      (key) =>
        `${showPath([...issue.path, key])}: unknown key${suggestion(key, known)}; ` +
        `allowed are ${known.join(", ")}`,
    );
  }
  if (issue.code === "invalid_key") {
    const key = issue.path.at(-1);
    const known = keySchemaAt(issue.path);
    const near = suggestion(String(key), (known?.enum ?? []).map(String));
    return [`${path}: ${show(key)} can't be a name here${near}; allowed are ${phrase(known)}`];
  }
  const given = valueAt(value, issue.path);
  const what = given === undefined ? "is missing" : `${show(given)} is given`;
  return [`${path}: ${what}; allowed is ${phrase(node)}`];
}

interface JsonSchema {
  type?: string;
  properties?: Record<string, JsonSchema>;
  additionalProperties?: JsonSchema | boolean;
  propertyNames?: JsonSchema;
  items?: JsonSchema;
  anyOf?: JsonSchema[];
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  allowed?: string;
}

const jsonSchema = z.toJSONSchema(clusterSchema) as JsonSchema;

function schemaAt(path: PropertyKey[]): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((node, step) => {
    const variants = [node, ...(node?.anyOf ?? [])];
    if (typeof step === "number") {
      return variants.find((variant) => variant?.items !== undefined)?.items;
    }
    const map = variants.find((variant) => variant?.type === "object");
    const rest = map?.additionalProperties;
    return map?.properties?.[String(step)] ?? (typeof rest === "object" ? rest : undefined);
  }, jsonSchema);
}

function keySchemaAt(path: PropertyKey[]): JsonSchema | undefined {
  return schemaAt(path.slice(0, -1))?.propertyNames;
}

/** In words, what a part of the schema allows. */
function phrase(node: JsonSchema | undefined): string {
  if (node?.allowed !== undefined) {
    return node.allowed;
  }
  if (node?.enum !== undefined) {
    return `one of ${node.enum.map(show).join(", ")}`;
  }
  if (node?.const !== undefined) {
    return show(node.const);
  }
  if (node?.anyOf !== undefined) {
    return node.anyOf.map(phrase).join(", or ");
  }
  switch (node?.type) {
    case "integer":
      return `a whole number${range(node)}`;
    case "number":
      return `a number${range(node)}`;
    case "string":
      return "a text";
    case "boolean":
      return "true or false";
    case "array":
      return `a list${node.minItems === undefined ? "" : ` of at least ${String(node.minItems)}`}`;
    case "object":
      return node.properties === undefined
        ? "a map"
        : `a map with the keys ${Object.keys(node.properties).join(", ")}`;
    default:
      return "nothing";
  }
}

function range({ minimum, maximum }: JsonSchema): string {
  return minimum === undefined || maximum === undefined
    ? ""
    : ` from ${String(minimum)} to ${String(maximum)}`;
}

function showPath(path: PropertyKey[]): string {
  const text = path
    .map((step) => (typeof step === "number" ? `[${String(step)}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");
  return text === "" ? "ipyparallel:cluster" : text;
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, step) =>
      typeof part === "object" && part !== null
        ? (part as Record<PropertyKey, unknown>)[step]
        : undefined,
    value,
  );
}
