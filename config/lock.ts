import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { DEFAULT_PYTHON } from "../components/lib/python";
import { clusterPython } from "./python";
import type { ClusterConfig } from "./schema";

type Images = NonNullable<ClusterConfig["images"]>;

/** What ipyparallel needs in every image, locked; packages of users are locked to go with it. */
const PINS = "docker/requirements.txt";

const MADE_FROM = "# Made from ";

/** An image's lock: a requirements file with versions and hashes. */
export interface Lock {
  /** Name of the image. */
  image: string;
  /** The packages that the stack file names. */
  packages: string[];
  /** The image's Python. */
  python: string;
  /** Path of the file. */
  file: string;
  /** What the file holds, or undefined where there is none. */
  text?: string;
  /** Whether the file was made from these packages. */
  upToDate: boolean;
}

/** The locks that a stack's images should have: of each that has packages. */
export function locks(stack: string, images: Images = {}): Lock[] {
  const { version } = clusterPython(images);
  return Object.entries(images).flatMap(([image, { packages = [], python }]) => {
    if (packages.length === 0) {
      return [];
    }
    const file = join("stacks", "locks", `${stack}.${image}.txt`);
    const text = existsSync(file) ? readFileSync(file, "utf8") : undefined;
    const made = { image, packages, python: String(python ?? version), file, text };
    const upToDate = text?.split("\n").includes(MADE_FROM + madeFrom(made)) === true;
    return [{ ...made, upToDate }];
  });
}

/** A hash of all that a lock is made from; locks for the first Python that there was say none. */
function madeFrom({ packages, python }: Pick<Lock, "packages" | "python">): string {
  const other = python === DEFAULT_PYTHON ? [] : [python];
  const from = JSON.stringify([[...packages].sort(), pins(), ...other]);
  return `sha256:${createHash("sha256").update(from).digest("hex")}`;
}

/** What every image has, as `name==version`. */
export function pins(): string[] {
  return readFileSync(PINS, "utf8").match(/^[A-Za-z0-9][^\s;]*==[^\s;]+/gm) ?? [];
}

/**
 * The text of a lock.
 *
 * @param locked requirements with hashes, for `pip install --require-hashes`.
 */
export function lockText(lock: Lock, locked: string): string {
  return [
    `# What \`packages\` of the image ${lock.image} bring, locked by \`npm run lock\`: keep it beside the stack`,
    "# file. Edit the stack file instead, and lock again.",
    MADE_FROM + madeFrom(lock),
    locked,
  ].join("\n");
}
