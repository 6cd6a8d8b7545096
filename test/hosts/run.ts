import { spawn } from "node:child_process";
import { createReadStream } from "node:fs";
import { join } from "node:path";

/** One folder per run, named after the run's number. The scripts know it, too. */
export const REGISTRY = "/run/ipyparallel-hosts";

const LOCK = join(REGISTRY, "lock");

/** What {@link run} may be told besides the command. */
export interface RunOptions {
  /** Text for the command's standard input. Defaults to none. */
  input?: string;
  /** A file for the command's standard input, in place of `input`. */
  inputFile?: string;
  /** The command's environment. Defaults to {@link environment}. */
  env?: NodeJS.ProcessEnv;
}

/**
 * This process's environment, with the folders of system commands on the PATH, and without what
 * would send `docker` elsewhere.
 */
export function environment(): NodeJS.ProcessEnv {
  const elsewhere = /^DOCKER_(HOST|CONTEXT|TLS_VERIFY|CERT_PATH)$/;
  const kept = Object.entries(process.env).filter(([name]) => !elsewhere.test(name));
  const path = `${process.env.PATH}:/usr/local/sbin:/usr/sbin:/sbin`;
  return { ...Object.fromEntries(kept), PATH: path };
}

/**
 * Runs a command and gives what it wrote to standard output. A command that fails is an error with
 * what it wrote to standard error.
 */
export function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { env: options.env ?? environment() });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) return resolve(stdout);
      const how = signal ? `was ended by ${signal}` : `failed with status ${code}`;
      reject(new Error(`${[command, ...args].join(" ")} ${how}:\n${(stderr || stdout).trim()}`));
    });
    // A command that ends before it has read everything is judged by its status.
    child.stdin.on("error", () => undefined);
    if (options.inputFile) createReadStream(options.inputFile).pipe(child.stdin);
    else child.stdin.end(options.input ?? "");
  });
}

/** The path of one of the scripts beside this file. */
export function script(name: string): string {
  return join(__dirname, name);
}

/**
 * Runs a script that makes part of a run. A removal waits for it, even if this process is killed
 * meanwhile, so that nothing comes into being behind its back.
 */
export function runMaking(name: string, args: string[]): Promise<string> {
  return run("flock", ["--shared", "--close", LOCK, script(name), ...args]);
}

/** Tries every 50 ms until `attempt` no longer throws, for at most `seconds`. */
export async function eventually<T>(seconds: number, attempt: () => Promise<T>): Promise<T> {
  const end = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
