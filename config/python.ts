import { existsSync, readFileSync } from "node:fs";

import { DEFAULT_PYTHON, officialBase, PYTHONS } from "../components/lib/python";
import type { ClusterConfig } from "./schema";

/** The Python that a cluster has, and why. */
export interface ClusterPython {
  /** Minor version, such as `3.13`. */
  version: string;
  /** Where it comes from, in words. */
  source: string;
  /** Whether the stack file names it. */
  pinned: boolean;
}

/** What setup noted of the user's Python in this clone. */
interface Note {
  version: string;
  source: string;
  /** The Python that clusters got when they were last brought up from here, by their stack. */
  clusters?: Record<string, string>;
}

const NOTE = ".local/python.json";

/**
 * Names the base image of a Python that setup made because it could pull none; see tools/setup. That
 * of the first Python that there was has no version in its name.
 */
const baseImageNote = (python: string) =>
  `.local/base-image${python === DEFAULT_PYTHON ? "" : `-${python}`}`;

/** The base image of a Python that setup made because it could pull none, if it did. */
export function madeBaseImage(python: string): string | undefined {
  const file = baseImageNote(python);
  return existsSync(file) ? readFileSync(file, "utf8").trim() : undefined;
}

/** Whether setup had to make a base image. */
export function lacksRegistry(): boolean {
  return PYTHONS.some((python) => {
    const made = madeBaseImage(python);
    return made !== undefined && made !== officialBase(python);
  });
}

function readNote(): Note | undefined {
  return existsSync(NOTE) ? (JSON.parse(readFileSync(NOTE, "utf8")) as Note) : undefined;
}

/**
 * The Python of images that name none: that of the image `default`, else the one that the user
 * runs, which setup noted, else the library's own default.
 */
export function clusterPython(images: ClusterConfig["images"] = {}): ClusterPython {
  const pinned = images.default?.python;
  if (pinned !== undefined) {
    return { version: String(pinned), source: "images.default.python", pinned: true };
  }
  const { version, source } = readNote() ?? {
    version: DEFAULT_PYTHON,
    source: "the default, since `npm run setup` was not run here",
  };
  return { version, source, pinned: false };
}

/** The Python that a cluster got when it was last brought up from this clone. */
export function broughtUpWith(stack: string): string | undefined {
  return readNote()?.clusters?.[stack];
}

/**
 * What to know before a cluster that runs gets another Python though nobody asked for one.
 *
 * @param running the Python of its controller, `3.11.2`, where that is known.
 * @param own whether this clone brought it up with that Python.
 * @returns the text, and whether an update must not go on; nothing if the Python stays or is pinned.
 */
export function pythonChange(
  { version, source, pinned }: ClusterPython,
  running: string | undefined,
  own: string | undefined,
): { message: string; stops: boolean } | undefined {
  const now = running?.split(".").slice(0, 2).join(".");
  if (now === undefined || now === version || pinned) {
    return undefined;
  }
  return {
    message:
      `the cluster's Python would change from ${now} to ${version}, which replaces every container: ` +
      `images.default.python is not set, and this machine's Python is ${version} (${source}). ` +
      `Set images.default.python: "${now}" in the stack file to keep it, or "${version}" to change it ` +
      "for everyone who uses the cluster",
    stops: now !== own,
  };
}
