import { createHash } from "node:crypto";

import * as buildContext from "../scripts/build-context.cjs";
import { Mistake } from "./mistake";

/**
 * A hash of the context of a build: of the path, kind and content of each file that
 * `.dockerignore` does not exclude.
 *
 * @param folder the folder that is the context.
 * @returns 64 hex digits.
 * @throws Mistake if something of it can't be read.
 */
export function hashContext(folder: string): string {
  try {
    return buildContext.hashContext(folder);
  } catch (error) {
    throw new Mistake(error instanceof Error ? error.message : String(error));
  }
}

/** A short hash of texts, for names. */
export function digest(...texts: string[]): string {
  return createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 12);
}
