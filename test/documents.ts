import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** The project's folder. */
export const PROJECT = resolve(__dirname, "..");

/** One fenced block of a document. */
export interface Block {
  /** Its language, as behind the fence. */
  language: string;
  text: string;
  /** Why it is not run, as the comment above it says. */
  notRun?: string;
  /** Its first line in the document, from 1. */
  line: number;
}

/** The documents, by their paths in the project. */
export function documents(): string[] {
  const inFolder = (folder: string) =>
    readdirSync(join(PROJECT, folder))
      .filter((name) => name.endsWith(".md"))
      .map((name) => join(folder, name));
  return [...inFolder("."), ...inFolder("docs"), ...inFolder("examples")];
}

/** The text of a document. */
export function read(document: string): string {
  return readFileSync(join(PROJECT, document), "utf8");
}

/** The fenced blocks of a document, in their order. */
export function blocks(text: string): Block[] {
  const pattern = /(?:<!-- not run: ([^\n]+?) -->\n\n)?^```(\w*)\n([^]*?)^```$/gm;
  return [...text.matchAll(pattern)].map(({ 0: all, 1: notRun, 2: language, 3: body, index }) => ({
    language: language as string,
    text: body as string,
    notRun,
    line: text.slice(0, index + all.indexOf("```")).split("\n").length,
  }));
}
