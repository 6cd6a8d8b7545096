// Running other programs: with their output in a log, as a question with a short answer, as root.
import { spawn, spawnSync } from "node:child_process";
import { accessSync, constants, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const children = new Set();

/** Ends the commands that run with this process, while there are any. */
function endWithThis() {
  for (const child of children) child.kill("SIGTERM");
  process.exit(143);
}

function started(child) {
  if (children.size === 0) process.on("SIGTERM", endWithThis);
  children.add(child);
}

function ended(child) {
  children.delete(child);
  if (children.size === 0) process.off("SIGTERM", endWithThis);
}

/**
 * An error that says what to do. Where the message has the whole reason (`complete`), what commands
 * printed last is not shown with it.
 */
export class SetupError extends Error {
  constructor(message, { advice, complete = false } = {}) {
    super(message);
    this.advice = advice;
    this.complete = complete;
  }
}

/** The path of an executable on the PATH, or undefined. `folders` replaces the PATH. */
export function which(name, folders = (process.env.PATH ?? "").split(delimiter)) {
  return folders
    .filter(Boolean)
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

export function isExecutable(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Folders where Debian keeps what only root needs; not on every user's PATH. */
const sbin = ["/usr/local/sbin", "/usr/sbin", "/sbin"];
export const whichRoot = (name) => which(name) ?? which(name, sbin);

export const isRoot = process.getuid?.() === 0;

/** A short command's output without the last newline, or undefined when it fails. */
export function ask(command, args, { timeout = 15_000, env = process.env } = {}) {
  const { status, stdout } = spawnSync(command, args, {
    encoding: "utf8",
    timeout,
    env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? stdout.trimEnd() : undefined;
}

/**
 * Runs a command to its end and resolves to its standard output.
 *
 * Both outputs go to the file descriptor `log` (standard output only when it is not asked for with
 * `capture`). `firstOutput` ends a command that has printed nothing after so many milliseconds.
 */
export function run(command, args, { log, capture = false, firstOutput, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const watched = capture || firstOutput !== undefined;
    const child = spawn(command, args, {
      ...options,
      stdio: [options.input === undefined ? "ignore" : "pipe", watched ? "pipe" : log.fd, log.fd],
    });
    started(child);
    let output = "";
    let silent = false;
    const watchdog =
      firstOutput &&
      setTimeout(() => {
        silent = true;
        child.kill("SIGKILL");
      }, firstOutput);
    child.stdout?.on("data", (data) => {
      clearTimeout(watchdog);
      output += data;
      log.write(data);
    });
    child.stdin?.end(options.input);
    child.on("error", (error) => {
      ended(child);
      clearTimeout(watchdog);
      reject(new SetupError(`${command} could not be started: ${error.message}`));
    });
    child.on("close", (status, signal) => {
      ended(child);
      clearTimeout(watchdog);
      if (status === 0) resolve(output);
      else if (silent)
        reject(new SetupError(`${command} gave no answer for ${String(firstOutput / 1000)} s`));
      else
        reject(new SetupError(`\`${[command, ...args].join(" ")}\` failed (${signal ?? status})`));
    });
  });
}

let lastInstall = Promise.resolve();
let listsAreFresh = false;

/** Installs Debian packages, one call after the other. Needs root and apt-get. */
export function aptInstall(packages, log) {
  const install = lastInstall.then(async () => {
    if (!isRoot || !which("apt-get")) {
      throw new SetupError(`${packages.join(" and ")} missing`, {
        advice: `Install ${packages.join(" and ")} (as root: apt-get install ${packages.join(" ")}), then run this again.`,
      });
    }
    const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
    const apt = (...args) =>
      run("apt-get", ["-qy", "-o", "DPkg::Lock::Timeout=300", ...args], { log, env });
    if (!listsAreFresh) {
      // A source that does not answer need not be the one that has the package.
      await apt("update").catch((error) => log.write(`${error.message}\n`));
      listsAreFresh = true;
    }
    await apt("install", "--no-install-recommends", ...packages);
  });
  lastInstall = install.catch(() => {});
  return install;
}

/**
 * Downloads a file; false when it could not be had, or nothing came for `patience` seconds. The
 * address goes by standard input, since it may hold a password.
 */
export async function download(url, file, log, patience = 10) {
  if (!which("curl") && !which("wget")) await aptInstall(["curl", "ca-certificates"], log);
  const time = String(patience);
  const [command, args, input] = which("curl")
    ? [
        "curl",
        [
          "-fsSL",
          "--connect-timeout",
          "5",
          "--speed-limit",
          "1",
          "--speed-time",
          time,
          "-o",
          file,
        ].concat(["--config", "-"]),
        `url = ${JSON.stringify(url)}\n`,
      ]
    : [
        "wget",
        ["-q", "--tries=1", "--connect-timeout=5", `--read-timeout=${time}`, "-O", file, "-i", "-"],
        `${url}\n`,
      ];
  try {
    await run(command, args, { log, input, env: withProxies(process.env) });
    return true;
  } catch {
    return false;
  }
}

/** An environment with the proxies under both names that programs look for them. */
export function withProxies(env) {
  const names = ["http_proxy", "https_proxy", "no_proxy"];
  const both = names.flatMap((name) => {
    const value = env[name] || env[name.toUpperCase()];
    return value ? [[name, value]] : [];
  });
  return { ...env, ...Object.fromEntries(both) };
}

/**
 * Runs `action` while no other set-up of this user does, on this machine. The lock is the
 * kernel's, so it goes with the process; without `flock` (not Linux) there is none.
 */
export async function withLock(file, onWait, action) {
  if (!which("flock")) return action();
  const holder = spawn("flock", [file, "sh", "-c", "echo; exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const gone = new Promise((resolve) => holder.once("exit", resolve));
  const waiting = setTimeout(onWait, 1000);
  await new Promise((resolve, reject) => {
    holder.stdout.once("data", resolve);
    holder.once("error", reject);
    void gone.then(() => reject(new SetupError(`${file} can't be locked`)));
  });
  clearTimeout(waiting);
  try {
    return await action();
  } finally {
    // Whatever blocks this process next would keep the lock.
    holder.stdin.end();
    await gone;
  }
}
