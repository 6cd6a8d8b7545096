import { z } from "zod";

import { CONTROLLER } from "../components/lib/names";
import { type ClusterConfig, clusterSchema } from "./schema";

/** All mistakes of a stack file in one error. */
export class ConfigError extends Error {
  constructor(public readonly mistakes: string[]) {
    super(
      [
        mistakes.length === 1
          ? "The stack file has a mistake; nothing was changed."
          : `The stack file has ${String(mistakes.length)} mistakes; nothing was changed.`,
        ...mistakes.map((mistake) => `  ${mistake}`),
      ].join("\n"),
    );
    this.name = "ConfigError";
  }
}

/**
 * Checks the value of `ipyparallel:cluster`, whole.
 *
 * @throws ConfigError with every mistake: its path, what was given and what is allowed.
 */
export function parseCluster(value: unknown): ClusterConfig {
  if (value === undefined) {
    throw new ConfigError(['ipyparallel:cluster: is missing; at least "workers" is needed there']);
  }
  const parsed = clusterSchema.safeParse(value);
  const mistakes = [
    ...(parsed.error?.issues ?? []).flatMap((issue) => describe(issue, value)),
    ...checkReferences(value),
  ];
  if (!parsed.success || mistakes.length > 0) {
    throw new ConfigError(mistakes);
  }
  return parsed.data;
}

/**
 * What a schema alone cannot say: names that are used twice or not there. Parts that the schema
 * refuses are passed over, since they are named already.
 */
function checkReferences(value: unknown): string[] {
  const mistakes: string[] = [];
  const cluster = record(value);
  const hosts = Object.keys(record(cluster.hosts ?? { local: {} }));
  const checkHost = (path: string, host: unknown) => {
    if (typeof host === "string" && !hosts.includes(host)) {
      mistakes.push(`${path}: ${show(host)} is not a host${suggestion(host, hosts)}; hosts are ${hosts.join(", ")}`);
    }
  };
  if (hosts.length === 0) {
    mistakes.push("hosts: is empty; leave it out for this machine's Docker, or name a host");
  }
  checkHost("controller.host", record(cluster.controller).host);
  const seen = new Map<unknown, number>();
  (Array.isArray(cluster.workers) ? cluster.workers : []).map(record).forEach((worker, index) => {
    const path = `workers[${String(index)}]`;
    checkHost(`${path}.host`, worker.host);
    if (typeof worker.name !== "string") {
      return;
    }
    const first = seen.get(worker.name);
    if (first !== undefined) {
      mistakes.push(`${path}.name: ${show(worker.name)} is already the name of workers[${String(first)}]`);
    }
    seen.set(worker.name, first ?? index);
    if (worker.name === CONTROLLER) {
      mistakes.push(`${path}.name: ${show(CONTROLLER)} is the controller's own name`);
    }
  });
  return mistakes;
}

/** The value if it is a map, else an empty one. */
function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function describe(issue: z.core.$ZodIssue, value: unknown): string[] {
  const path = showPath(issue.path);
  const node = schemaAt(issue.path);
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(node?.properties ?? {});
    return issue.keys.map(
      (key) =>
        `${showPath([...issue.path, key])}: unknown key${suggestion(key, known)}; ` +
        `allowed are ${known.join(", ")}`,
    );
  }
  if (issue.code === "invalid_key") {
    const key = issue.path.at(-1);
    return [`${path}: ${show(key)} can't be a name here; allowed are ${phrase(keySchemaAt(issue.path))}`];
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
  minimum?: number;
  maximum?: number;
  minItems?: number;
  allowed?: string;
}

const jsonSchema = z.toJSONSchema(clusterSchema) as JsonSchema;

function schemaAt(path: PropertyKey[]): JsonSchema | undefined {
  return path.reduce<JsonSchema | undefined>((node, step) => {
    if (typeof step === "number") {
      return node?.items;
    }
    const rest = node?.additionalProperties;
    return node?.properties?.[String(step)] ?? (typeof rest === "object" ? rest : undefined);
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
      return "something else";
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

function show(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function valueAt(value: unknown, path: PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (part, step) =>
      typeof part === "object" && part !== null ? (part as Record<PropertyKey, unknown>)[step] : undefined,
    value,
  );
}

/** `: did you mean "x"?` where one of the known words is near. */
function suggestion(word: string, known: string[]): string {
  const best = known
    .map((candidate) => ({ candidate, distance: editDistance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance)[0];
  return best !== undefined && best.distance <= Math.max(1, Math.floor(word.length / 3))
    ? `, did you mean ${show(best.candidate)}?`
    : "";
}

/** Number of characters to insert, remove or change (Levenshtein). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = (row[j - 1] as number) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] as number) + 1, (next[j - 1] as number) + 1, change));
    }
    row = next;
  }
  return row[b.length] as number;
}
