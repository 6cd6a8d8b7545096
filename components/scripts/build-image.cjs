// Builds an image on a host's Docker, unless it has one of that name: `node build-image.cjs < JSON`.
//
// The plugin for Docker could build too. But the official one builds for another machine on this one,
// or else shows neither progress nor what a failed step has printed.
"use strict";

const { spawn } = require("node:child_process");
const { readFileSync } = require("node:fs");
const { homedir } = require("node:os");
const { join } = require("node:path");

const { packContext } = require("./build-context.cjs");

const COPY_SCRIPT = join(__dirname, "copy-image.sh");

/** Lines that are shown of a step that failed. */
const SHOWN_LINES = 40;

/** Milliseconds between two lines of progress: all of them would stay in the stack's state. */
const PROGRESS_PERIOD = 1000;

/**
 * What is read from stdin.
 *
 * @typedef {object} Request
 * @property {string} docker  the Docker endpoint
 * @property {string[]} shell  a command that runs another one, its last word, where that Docker is
 * @property {string} image  name of the image
 * @property {string} context  folder that is the build's context, with the Dockerfile
 * @property {Record<string, string>} buildArgs  arguments of the Dockerfile
 * @property {{ image: string, from: string }} [copiedBase]  name of an image that a host gets from
 *     another Docker endpoint, if it lacks it
 */

/** @param {Request} request */
async function main({ docker, shell, image, context, buildArgs, copiedBase }) {
  const isRemote = docker.startsWith("ssh:");
  if (copiedBase !== undefined && copiedBase.from !== docker) {
    const { image: base, from } = copiedBase;
    const { status, lines } = await run(["sh", COPY_SCRIPT, base, from, ...shell]);
    if (status !== 0) fail(`the base image ${base} can't be copied: ${lines.join("\n")}`);
  }
  const proxies = isRemote ? proxyArguments(docker) : {};
  const settings = [
    `arguments=${quote(Object.keys(buildArgs).join(" "))}`,
    `proxies=${quote(Object.keys(proxies).join(" "))}`,
    ...Object.entries({ ...proxies, ...buildArgs }).map(
      ([name, value]) => `export ${name}=${quote(value)}`,
    ),
  ].join("\n");
  const script = readFileSync(join(__dirname, "build-image.sh"), "utf8");
  const words = ["sh", "-c", script, "build-image", image, ...(isRemote ? [] : [docker])];
  let shown = 0;
  const { status, lines } = await run(
    [...shell, words.map(quote).join(" ")],
    (stdin) => {
      stdin.write(`${Buffer.byteLength(settings)}\n${settings}`);
      const tar = packContext(context);
      tar.on("error", (error) => fail(`tar can't be run: ${error.message}`));
      tar.stdout.pipe(stdin);
      // Where the image is there already, nobody reads the archive to its end.
      stdin.on("close", () => tar.kill());
    },
    (line) => {
      const text = progressOf(line);
      if (text === "" || Date.now() - shown < PROGRESS_PERIOD) return;
      shown = Date.now();
      console.log(text);
    },
  );
  if (status !== 0) fail(explainBuild(lines));
}

function fail(message) {
  console.log(message);
  process.exit(1);
}

/** Quotes a word for a POSIX shell. */
const quote = (word) => `'${word.replaceAll("'", `'\\''`)}'`;

/** Runs a command; resolves to its status and the lines that it printed. */
function run([program, ...args], feed = (stdin) => stdin.end(), print = () => undefined) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    const lines = [];
    const add = (line) => {
      const text = lastUpdate(line);
      lines.push(text);
      print(text);
    };
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        const parts = (rest + text).split("\n");
        rest = parts.pop();
        parts.forEach(add);
      });
      stream.on("end", () => rest !== "" && add(rest));
    }
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, lines }));
    child.stdin.on("error", () => undefined); // it ended without reading all: its status says why
    feed(child.stdin);
  });
}

/** What a line shows in the end whose start was written over, as by a progress bar. */
function lastUpdate(line) {
  return line.replace(/\r+$/, "").replace(/^(#\d+ \d+\.\d+ )?[^]*\r/, "$1");
}

/** BuildKit's marks: `#7 [3/9] RUN …` begins a step, `#7 0.312 …` is what it prints. */
const STEP = /^#(\d+) (\[.*)$/;
const PRINTED = /^#(\d+) \d+\.\d+ ?(.*)$/;
const FAILED = /^#(\d+) ERROR:? /;

/** Those of the builder before it: `Step 3/9 : RUN …`; what it says of images and containers. */
const OLD_STEP = /^Step \d+\/\d+ : /;
const OLD_REMARK = /^( ---> |Removing intermediate |DEPRECATED: | {12}\S)/;

/** A line of a build without its marks; empty if it says nothing of the build's progress. */
function progressOf(line) {
  const marked = PRINTED.exec(line) ?? STEP.exec(line);
  return marked?.[2] ?? (/^#\d+ /.test(line) || OLD_REMARK.test(line) ? "" : line);
}

/**
 * Why a build failed: the error, the step and the last lines that it printed.
 *
 * @param {string[]} lines what the build printed
 * @returns {string}
 */
function explainBuild(lines) {
  const all = lines.filter((line) => line.trim() !== "");
  const { step, printed } = failedStep(all);
  const shown = printed.slice(-SHOWN_LINES).map((line) => `  ${line}`);
  const heading =
    printed.length > shown.length
      ? `It printed ${printed.length} lines, the last of them:`
      : "It printed:";
  return [
    `docker build: ${all.at(-1) ?? "it printed nothing"}`,
    ...(step === undefined ? [] : [`The step that failed: ${step}`]),
    ...(shown.length === 0 ? [] : [heading, ...shown]),
  ].join("\n");
}

/** The step of a build that failed, if one did, and what it printed, or else all that is known. */
function failedStep(lines) {
  const id = lines.map((line) => FAILED.exec(line)?.[1]).find((found) => found !== undefined);
  if (id !== undefined) {
    const step = lines.map((line) => STEP.exec(line)).find((found) => found?.[1] === id);
    const printed = lines.map((line) => PRINTED.exec(line)).filter((found) => found?.[1] === id);
    return { step: step?.[2], printed: printed.map(([, , text]) => text) };
  }
  const start = lines.findLastIndex((line) => OLD_STEP.test(line));
  const printed = lines.slice(start + 1, -1).filter((line) => !OLD_REMARK.test(line));
  return { step: lines[start]?.replace(OLD_STEP, ""), printed };
}

/** The arguments of builds by the names of settings in Docker's configuration file. */
const PROXY_ARGUMENTS = {
  httpProxy: "HTTP_PROXY",
  httpsProxy: "HTTPS_PROXY",
  ftpProxy: "FTP_PROXY",
  noProxy: "NO_PROXY",
  allProxy: "ALL_PROXY",
};

/**
 * The proxies of builds on a Docker endpoint by Docker's configuration file on this machine, as
 * `docker build` takes them: Docker keeps arguments of these names out of images.
 *
 * @param {string} endpoint
 * @returns {Record<string, string>}
 */
function proxyArguments(endpoint) {
  const folder = process.env.DOCKER_CONFIG || join(homedir(), ".docker");
  let proxies;
  try {
    ({ proxies } = JSON.parse(readFileSync(join(folder, "config.json"), "utf8")));
  } catch {
    return {}; // there is none; `docker` itself complains of one that is broken
  }
  return Object.fromEntries(
    Object.entries(proxies?.[endpoint] ?? proxies?.default ?? {}).flatMap(([key, value]) => {
      const name = PROXY_ARGUMENTS[key];
      return name === undefined
        ? []
        : [
            [name, value],
            [name.toLowerCase(), value],
          ];
    }),
  );
}

module.exports = { explainBuild, progressOf, proxyArguments };

if (require.main === module) {
  main(JSON.parse(readFileSync(0, "utf8"))).catch((error) => fail(error.message));
}
