import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/**
 * A hash of every file below a folder: of its path, its content, and whether it can be executed.
 *
 * @param folder the folder, as a Docker build context.
 * @returns 64 hex digits.
 * @throws if the folder can't be read.
 */
export function hashFolder(folder: string): string {
  const hash = createHash("sha256");
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("__pycache__"))
    .sort();
  for (const path of files) {
    const content = createHash("sha256").update(readFileSync(path)).digest("hex");
    const executable = (statSync(path).mode & 0o100) !== 0 ? "x" : "-";
    hash.update(`${content} ${executable} ${path.slice(folder.length + 1)}\n`);
  }
  return hash.digest("hex");
}

/** A short hash of texts, for names. */
export function digest(...texts: string[]): string {
  return createHash("sha256").update(texts.join("\0")).digest("hex").slice(0, 12);
}
