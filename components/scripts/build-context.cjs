// The context of a build: what the image is made of, as a hash and as a tar archive.
"use strict";

const { spawn } = require("node:child_process");
const { createHash } = require("node:crypto");
const { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } = require("node:fs");
const { join } = require("node:path");
const dockerignore = require("@balena/dockerignore");

/** What may say which files are no part of a context; the first that is there counts. */
const IGNORE_FILES = ["Dockerfile.dockerignore", ".dockerignore"];

/** Patterns that always count: what Python leaves where its programs ran, and what Docker needs. */
const OWN_PATTERNS = ["**/__pycache__", "!Dockerfile"];

/** When all files of a context were changed, as far as the image can see: no older one fits a zip. */
const MTIME = "2020-01-01T00:00:00Z";

/**
 * A hash of the context of a build, as `packContext` packs it: of each path, its kind and content.
 * What `.dockerignore` excludes does not count, and need not be readable.
 *
 * @param {string} folder the folder that is the context
 * @returns {string} 64 hex digits
 * @throws if something of it can't be read
 */
function hashContext(folder) {
  const hash = createHash("sha256");
  for (const { path, kind, content = "" } of entriesOf(folder)) {
    const contentHash = createHash("sha256").update(content).digest("hex");
    hash.update(`${contentHash} ${kind} ${path}\0`);
  }
  return hash.digest("hex");
}

/**
 * The context of a build as a tar archive: what `hashContext` reads, with the rights that git keeps
 * (may be executed or not), as root's, and of one time: so that a hash stands for one image.
 *
 * @param {string} folder
 * @returns {import("node:child_process").ChildProcess} the `tar` that prints it
 */
function packContext(folder) {
  const paths = entriesOf(folder).map(({ path }) => `./${path}\0`);
  const names = ["--null", "--no-recursion", "--verbatim-files-from", "--files-from=-"];
  const owner = ["--owner=0", "--group=0", "--numeric-owner"];
  const same = ["--format=gnu", "--mode=u=rwX,go=rX", `--mtime=${MTIME}`];
  const args = ["--create", "--directory", folder, ...owner, ...same, ...names];
  const tar = spawn("tar", args, { stdio: ["pipe", "pipe", "inherit"] });
  tar.stdin.on("error", () => undefined); // it has ended early: so does the archive
  tar.stdin.end(paths.join(""));
  return tar;
}

/**
 * Something in a context, as far as the image can depend on it: `content` is a file's, or the target
 * of a link.
 *
 * @typedef {{ path: string, kind: "folder" | "file" | "executable" | "link", content?: Buffer | string }} Entry
 */

/**
 * What a context has, in a fixed order; pipes, sockets and devices are left out.
 *
 * @param {string} folder
 * @returns {Entry[]}
 */
function entriesOf(folder) {
  const patterns = [...ignorePatterns(folder), ...OWN_PATTERNS];
  const ignored = dockerignore({ ignorecase: false }).add(patterns);
  const hasExceptions = patterns.some((pattern) => /^!.*[*/]/.test(pattern));
  const below = (parent) =>
    read(folder, parent, (path) => readdirSync(path, { withFileTypes: true }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .flatMap((entry) => {
        const path = join(parent, entry.name);
        const isIgnored = ignored.ignores(path);
        if (entry.isDirectory()) {
          const kept = isIgnored && !hasExceptions ? [] : below(path);
          return isIgnored && kept.length === 0 ? [] : [{ path, kind: "folder" }, ...kept];
        }
        if (isIgnored) return [];
        if (entry.isSymbolicLink()) {
          return [{ path, kind: "link", content: read(folder, path, (at) => readlinkSync(at)) }];
        }
        if (!entry.isFile()) return [];
        const { mode } = read(folder, path, (at) => lstatSync(at));
        const kind = (mode & 0o100) === 0 ? "file" : "executable";
        return [{ path, kind, content: read(folder, path, (at) => readFileSync(at)) }];
      });
  return below("");
}

/** The patterns of what is no part of a context. */
function ignorePatterns(folder) {
  const file = IGNORE_FILES.find((name) => existsSync(join(folder, name)));
  if (file === undefined) return [];
  return read(folder, file, (path) => readFileSync(path, "utf8"))
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"));
}

/** Reads something of a context. */
function read(folder, path, reader) {
  try {
    return reader(join(folder, path));
  } catch (error) {
    const problem = path === "" ? "must be a folder that can be read" : `${path} must be readable`;
    const remedy =
      path === "" ? "correct the path" : "change its permissions, or list it in .dockerignore";
    throw new Error(`image context ${folder}: ${problem} (got ${error.code}); ${remedy}`);
  }
}

module.exports = { hashContext, packContext };
