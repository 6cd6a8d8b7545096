// The Docker of this machine: the one that the user's `docker` command talks to. Set-up and the program
// both ask here, so that they never mean two different ones. Set-up runs before npm ci, so this is
// plain JavaScript.
"use strict";

const { createHash } = require("node:crypto");
const { existsSync, readFileSync } = require("node:fs");
const { homedir } = require("node:os");
const { join } = require("node:path");

const DEFAULT_SOCKET = "/var/run/docker.sock";

/** A setting of Docker's that can't be followed; the message names it. */
class LocalDockerError extends Error {}

/**
 * The endpoint that `docker` uses, by the same rules: DOCKER_HOST, then DOCKER_CONTEXT, then the
 * current context of its settings, then the usual socket. Where there is none of these, a rootless
 * Docker's socket counts too, which `docker` itself would have to be pointed to.
 *
 * @returns the endpoint, and what names it; nothing does where it is the usual socket.
 * @throws LocalDockerError if a context is named that does not exist.
 */
function localDocker(env = process.env, exists = existsSync) {
  if (env.DOCKER_HOST) {
    return { endpoint: env.DOCKER_HOST, source: `DOCKER_HOST=${env.DOCKER_HOST}` };
  }
  const folder = env.DOCKER_CONFIG || join(env.HOME || homedir(), ".docker");
  const settings = join(folder, "config.json");
  const current = readJson(settings)?.currentContext;
  const context = env.DOCKER_CONTEXT || current;
  if (context && context !== "default") {
    const source = env.DOCKER_CONTEXT
      ? `DOCKER_CONTEXT=${context}`
      : `the current Docker context ${context}`;
    const id = createHash("sha256").update(context).digest("hex");
    const endpoint = readJson(join(folder, "contexts", "meta", id, "meta.json"))?.Endpoints?.docker
      ?.Host;
    if (!endpoint) {
      throw new LocalDockerError(
        `${source}: must be a Docker context with an endpoint (there is none in ${folder}); ` +
          "choose one of `docker context ls`",
      );
    }
    return { endpoint, source };
  }
  const rootless = env.XDG_RUNTIME_DIR && join(env.XDG_RUNTIME_DIR, "docker.sock");
  if (rootless && !exists(DEFAULT_SOCKET) && exists(rootless)) {
    return { endpoint: `unix://${rootless}`, source: `the rootless Docker at ${rootless}` };
  }
  return { endpoint: `unix://${DEFAULT_SOCKET}` };
}

/** The content of a JSON file; undefined if there is none, as `docker` has it. */
function readJson(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch {
    return undefined;
  }
}

exports.localDocker = localDocker;
exports.LocalDockerError = LocalDockerError;
