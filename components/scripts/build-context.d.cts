import type { ChildProcessByStdio } from "node:child_process";
import type { Readable, Writable } from "node:stream";

export function hashContext(folder: string): string;
export function packContext(folder: string): ChildProcessByStdio<Writable, Readable, null>;
