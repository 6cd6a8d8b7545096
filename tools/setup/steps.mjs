// Runs set-up's steps: only those that are needed, side by side where they don't need each other.
import { closeSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join, relative } from "node:path";
import { cache, local, root } from "./context.mjs";
import { SetupError, withLock } from "./shell.mjs";

/**
 * A step of set-up.
 *
 * @typedef {object} Step
 * @property {string} name      a short name, unique
 * @property {string[]} [after] names of steps that must have been done before, if they are in the run
 * @property {() => Promise<string | undefined>} needed  what is missing, or undefined
 * @property {(log: Log) => Promise<void>} run  does it; throws a SetupError when it can't
 */

/** Marks the lines of a log that people have seen. */
const SAID = "--- ";

/** A step's log: a file for the output of its commands, and `say` for what people see. */
class Log {
  constructor(step, display) {
    this.file = join(local, "log", `setup-${step.name.replaceAll(" ", "-")}.log`);
    this.fd = openSync(this.file, "w");
    this.say = (text) => {
      this.write(`${SAID}${text}\n`);
      display.doing(step, text);
    };
  }

  write(text) {
    writeSync(this.fd, text);
  }

  close() {
    closeSync(this.fd);
  }

  /** The last lines that commands printed, for a message about a failure. */
  tail(lines = 15) {
    const all = readFileSync(this.file, "utf8").split("\n");
    return all.filter((line) => line.trim() && !line.startsWith(SAID)).slice(-lines);
  }
}

export const seconds = (milliseconds) => `${(milliseconds / 1000).toFixed(1)} s`;

/** Prints a line when a step starts something and when it ends, and every 30 s what still runs. */
class Display {
  #running = new Map();
  #timer = setInterval(() => this.#stillRunning(), 30_000);

  doing(step, text) {
    if (!this.#running.has(step)) this.#running.set(step, { since: Date.now() });
    this.#running.get(step).text = text;
    this.#line("  …", step, text);
  }

  done(step) {
    this.#line("  ✔", step, `done in ${this.#took(step)}`);
    this.#running.delete(step);
  }

  failed(step, error, log) {
    this.#line("  ✘", step, `failed after ${this.#took(step)}: ${error.message}`);
    this.#running.delete(step);
    const tail = error.complete ? [] : log.tail();
    if (tail.length > 0) {
      console.error(`    the last lines of ${relative(root, log.file)}:`);
      for (const line of tail) console.error(`    | ${line}`);
    }
    if (error.advice) console.error(`    What to do: ${error.advice}`);
  }

  close() {
    clearInterval(this.#timer);
  }

  #took(step) {
    return seconds(Date.now() - (this.#running.get(step)?.since ?? Date.now()));
  }

  #line(mark, step, text) {
    console.error(`${mark} ${step.name.padEnd(14)} ${text}`);
  }

  #stillRunning() {
    for (const [step, { text }] of this.#running) {
      this.#line("   ", step, `${text} (${this.#took(step)} so far)`);
    }
  }
}

/**
 * Does what is needed of the steps. Throws one SetupError when a step failed; the others that
 * don't need it have then been done all the same.
 *
 * @param {Step[]} steps
 */
export async function runSteps(steps) {
  const started = Date.now();
  const needs = await Promise.all(steps.map((step) => step.needed()));
  if (needs.every((need) => need === undefined)) return;

  mkdirSync(join(local, "log"), { recursive: true });
  mkdirSync(cache, { recursive: true });
  console.error("Set-up");
  const display = new Display();
  try {
    await withLock(
      join(cache, "setup.lock"),
      () => console.error("  … waiting for another set-up of yours to end"),
      async () => {
        const undone = await runInOrder(steps, display);
        if (undone.length > 0) {
          throw new SetupError(
            `set-up is not complete, without: ${undone.join(", ")}; run it again when that is mended`,
          );
        }
      },
    );
  } finally {
    display.close();
  }
  console.error(`Set-up is complete (${seconds(Date.now() - started)})\n`);
}

async function runInOrder(steps, display) {
  const results = new Map();
  for (const step of steps) results.set(step.name, runAfterOthers(step));
  const names = [...results.keys()];
  const ok = await Promise.all(results.values());
  return names.filter((_, index) => !ok[index]);

  /** True when the step is done, whether now or before. */
  async function runAfterOthers(step) {
    await null; // until every step is in `results`
    const before = await Promise.all((step.after ?? []).map((name) => results.get(name) ?? true));
    if (before.includes(false)) return false;
    const need = await step.needed();
    return need === undefined || runOne(step, need);
  }

  async function runOne(step, need) {
    const log = new Log(step, display);
    try {
      log.say(need);
      await step.run(log);
      const still = await step.needed();
      if (still !== undefined) throw new SetupError(`this is still to be done: ${still}`);
      display.done(step);
      return true;
    } catch (error) {
      if (!(error instanceof SetupError)) log.write(`${error.stack}\n`);
      display.failed(step, error, log);
      return false;
    } finally {
      log.close();
    }
  }
}
