// Docker Engine: one that answers is used as it is; else it is installed and started, as root.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { localDocker, LocalDockerError } from "../../config/localDocker.cjs";
import { local } from "./context.mjs";
import { SetupError, aptInstall, ask, isRoot, run, which, whichRoot } from "./shell.mjs";

const daemonLog = join(local, "log", "dockerd.log");

let found;

/** The Docker that is used here, found once; a SetupError when its settings name none. */
function dockerHere() {
  try {
    return (found ??= localDocker());
  } catch (error) {
    throw error instanceof LocalDockerError ? new SetupError(error.message) : error;
  }
}

/** The socket of that Docker, or undefined when it is reached in another way. */
export function dockerSocket({ endpoint } = dockerHere()) {
  return endpoint.startsWith("unix://") ? endpoint.slice("unix://".length) : undefined;
}

/**
 * Has all that this process runs use one Docker: a rootless one is not found by `docker`, and
 * DOCKER_CONTEXT means more to some programs than to others.
 */
export function useOneDocker({ endpoint, source } = dockerHere(), env = process.env) {
  if (source === undefined || !/^(unix|ssh):/.test(endpoint)) return;
  env.DOCKER_HOST = endpoint;
  delete env.DOCKER_CONTEXT;
}

/** Asks Docker's API over its socket: the HTTP status, or the error's code (such as ENOENT). */
function askSocket(path, timeout = 5000) {
  return new Promise((resolve) => {
    const asked = request({ socketPath: dockerSocket(), path, timeout }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    asked.on("timeout", () => asked.destroy(Object.assign(new Error(), { code: "no answer" })));
    asked.on("error", (error) => resolve(error.code));
    asked.end();
  });
}

/** Undefined when Docker answers, else why not. */
async function whyNoAnswer() {
  if (dockerSocket()) {
    const answer = await askSocket("/_ping");
    return answer === 200 ? undefined : answer;
  }
  const { error, status, stderr } = spawnSync("docker", ["version"], {
    encoding: "utf8",
    timeout: 15_000,
  });
  if (status === 0) return undefined;
  return error?.code ?? stderr.trim().split("\n").at(-1);
}

/** Whether Docker has an image of that name. */
export async function imageExists(name) {
  if (dockerSocket()) return (await askSocket(`/images/${encodeURI(name)}/json`)) === 200;
  return ask("docker", ["image", "inspect", "--format", "{{.Id}}", name]) !== undefined;
}

export const docker = {
  name: "docker",

  async needed() {
    if ((await whyNoAnswer()) !== undefined) return "starting Docker Engine";
    return which("docker") ? undefined : "installing Docker's command line";
  },

  async run(log) {
    const reason = await whyNoAnswer();
    if (reason !== undefined) {
      await startEngine(reason, log);
    }
    if (!which("docker")) await aptInstall(["docker-cli"], log);
  },
};

async function startEngine(reason, log) {
  const { endpoint, source } = dockerHere();
  const socket = dockerSocket({ endpoint });
  if (reason === "EACCES") {
    throw new SetupError(`no permission to use ${socket}`, {
      advice:
        "Add yourself to the group docker (as root: usermod -aG docker NAME) and log in anew.",
    });
  }
  if (source !== undefined) {
    throw new SetupError(`Docker does not answer at ${endpoint} (${reason})`, {
      advice: `It is what ${source} names: start it, or choose another.`,
    });
  }
  if (!isRoot) {
    throw new SetupError(`Docker does not answer at ${socket} (${reason})`, {
      advice: "Start Docker Engine, set DOCKER_HOST to one that runs, or run this once as root.",
    });
  }
  if (!whichRoot("dockerd")) {
    log.say("installing Docker Engine");
    await aptInstall(["docker.io"], log);
    log.say("starting Docker Engine");
  }
  if (existsSync("/run/systemd/system")) {
    await run("systemctl", ["start", "docker"], { log });
  } else if ((await whyNoAnswer()) !== undefined) {
    await startDaemon();
  }
}

/** Starts dockerd in a session of its own, so that it outlives this process, and waits for it. */
async function startDaemon() {
  mkdirSync(join(local, "log"), { recursive: true });
  const output = openSync(daemonLog, "a");
  const daemon = spawn(whichRoot("dockerd"), [], {
    cwd: "/",
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  daemon.unref();
  let ended;
  daemon.once("exit", (status, signal) => (ended = `dockerd ended (${signal ?? status})`));
  daemon.once("error", (error) => (ended = `dockerd can't be started: ${error.message}`));
  let deadline = Date.now() + 60_000;
  while ((await whyNoAnswer()) !== undefined) {
    // Another dockerd may have come first, started by the package: it gets time to answer.
    if (ended) deadline = Math.min(deadline, Date.now() + 5000);
    if (Date.now() > deadline) {
      const last = readFileSync(daemonLog, "utf8").trimEnd().split("\n").slice(-5).join("\n");
      throw new SetupError(`${ended ?? "dockerd did not answer within 60 s"}:\n${last}`, {
        advice: `See ${daemonLog}; Docker Engine needs root, cgroups and iptables.`,
      });
    }
    await sleep(200);
  }
}
