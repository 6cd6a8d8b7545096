import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { once } from "node:events";
import { createServer } from "node:http";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import yaml from "js-yaml";

import { verbs } from "../../tools/cli/verbs.mjs";
import { certificates } from "../../tools/setup/base-image.mjs";
import { root } from "../../tools/setup/context.mjs";
import { dockerSocket, useOneDocker } from "../../tools/setup/docker.mjs";
import {
  atLeast,
  builtBefore,
  pulumiEnvironment,
  rememberBuilt,
  userHome,
} from "../../tools/setup/engine.mjs";
import { eventLog } from "../../tools/setup/events.mjs";
import { firstDifference } from "../../tools/setup/packages.mjs";
import { pluginUrl } from "../../tools/setup/plugins.mjs";
import { cliUrl, downloadCli } from "../../tools/setup/pulumi.mjs";
import {
  commandOf,
  exists as processExists,
  isStale,
  runProcesses,
  runVariable,
  waitUntil,
} from "../../tools/setup/runs.mjs";
import { run, withLock } from "../../tools/setup/shell.mjs";
import {
  configurationCopy,
  declaresHosts,
  declaresPackages,
  engineTable,
} from "../../tools/setup/stack.mjs";

const { safeLoad } = yaml;

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "setup-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

function logIn(name) {
  const file = join(folder, name);
  const fd = openSync(file, "w");
  return { fd, write: (text) => writeSync(fd, text), text: () => readFileSync(file, "utf8") };
}

describe("the lock of a user's set-ups", () => {
  const free = (file) => spawnSync("flock", ["--nonblock", file, "true"]).status === 0;

  it("is held while something is done, and free at once afterwards", async () => {
    const file = join(folder, "lock");
    assert.equal(await withLock(file, assert.fail, () => Promise.resolve(free(file))), false);
    // This process does nothing else meanwhile, as when Pulumi runs next.
    assert.equal(free(file), true);
  });
});

describe("the log of Pulumi's events", () => {
  /** What is kept of a log that another process writes. */
  async function kept(script) {
    const log = eventLog(/^keep/);
    const [, path] = log.options;
    assert.ok(statSync(path).isFIFO(), "secrets would be in a file");
    const child = spawn("sh", ["-c", script, "sh", path]);
    await new Promise((resolve) => child.on("close", resolve));
    const lines = await log.close();
    assert.equal(existsSync(path), false);
    return lines;
  }

  it("is what matches of any number of lines, the last one cut off, too", async () => {
    const lines = await kept('{ seq -f "keep %g" 20000; seq 20000; printf "keep cut"; } >"$1"');
    assert.equal(lines.length, 20001);
    assert.equal(lines.at(-1), "keep cut");
  });

  it("is empty where nobody wrote it", async () => {
    assert.deepEqual(await kept("true"), []);
  });
});

describe("what a stack file's text says", () => {
  const configuration = "config:\n  a:b: 1\n";
  const salt = "encryptionsalt: v1:abc=\n";

  it("leaves out the salt of another machine's passphrase", async () => {
    for (const text of [configuration, `# not secure: at all\n${configuration}`]) {
      assert.deepEqual(safeLoad(await configurationCopy(salt + text)), { config: { "a:b": 1 } });
    }
  });

  it("keeps the salt that a secret in the file needs", async () => {
    for (const secret of ["a:b:\n    secure: v1:xyz", "a:b: { c: [{ secure: v1:xyz }] }"]) {
      const text = `${salt}config:\n  ${secret}\n`;
      assert.equal(await configurationCopy(text), text);
    }
  });

  it("leaves a text alone that has no salt, or is no YAML", async () => {
    for (const text of [configuration, "", "a: [", "- 1\n"]) {
      assert.equal(await configurationCopy(text), text);
    }
  });

  const cluster = (text) => `config:\n  ipyparallel:cluster:\n    ${text}\n`;

  it("has hosts where it has the key, not where a comment or a name has the word", async () => {
    assert.equal(await declaresHosts(cluster("hosts: {}")), true);
    assert.equal(await declaresHosts(cluster('"hosts": { a: {} }')), true);
    assert.equal(await declaresHosts(cluster("workers: [{ name: hosts }] # hosts")), false);
    for (const text of ["", "config:\n", "a: ["]) assert.equal(await declaresHosts(text), false);
  });

  it("has packages where an image has the key", async () => {
    assert.equal(await declaresPackages(cluster("images: { gpu: { packages: [numpy] } }")), true);
    assert.equal(await declaresPackages(cluster("images: { packages: {} } # packages")), false);
    assert.equal(await declaresPackages(cluster("images: [packages]")), false);
    for (const text of ["", "a: ["]) assert.equal(await declaresPackages(text), false);
  });
});

describe("engineTable", () => {
  it("sorts and aligns the engines, and counts them", () => {
    const engine = { host: "c1", python: "3.11.2", ipyparallel: "9.2.0" };
    const table = engineTable([
      { ...engine, id: 0, ident: "w10-1-a", worker: "w10", slot: 1 },
      { ...engine, id: 10, ident: "w2-2-b", worker: "w2", slot: 2 },
      { ...engine, id: 1, ident: "w2-1-c", worker: "w2", slot: 1 },
    ]);
    assert.deepEqual(table.split("\n"), [
      "worker  engine  id  ident    host  python  ipyparallel",
      "w2      1       1   w2-1-c   c1    3.11.2  9.2.0",
      "w2      2       10  w2-2-b   c1    3.11.2  9.2.0",
      "w10     1       0   w10-1-a  c1    3.11.2  9.2.0",
      "",
      "3 engines on 2 workers ready",
    ]);
  });
});

describe("firstDifference", () => {
  const lock = {
    packages: {
      "": { version: "1.0.0" },
      "node_modules/a": { version: "1.2.3" },
      "node_modules/a/node_modules/b": { version: "2.0.0" },
      "node_modules/only-elsewhere": { version: "1.0.0", optional: true },
    },
  };
  const installed = () => ({
    packages: {
      "node_modules/a": { version: "1.2.3" },
      "node_modules/a/node_modules/b": { version: "2.0.0" },
    },
  });

  it("is nothing when all is installed but what belongs to other platforms", () => {
    assert.equal(firstDifference(lock, installed()), undefined);
  });

  it("names a package that is missing", () => {
    const without = installed();
    delete without.packages["node_modules/a"];
    assert.equal(firstDifference(lock, without), "a");
  });

  it("names a nested package of another version", () => {
    const other = installed();
    other.packages["node_modules/a/node_modules/b"].version = "2.0.1";
    assert.equal(firstDifference(lock, other), "b");
  });
});

describe("atLeast", () => {
  for (const [version, oldest, expected] of [
    ["3.200.0", "3.200.0", true],
    ["3.259.0", "3.200.0", true],
    ["4.0.0", "3.200.0", true],
    ["3.199.9", "3.200.0", false],
    ["2.300.0", "3.200.0", false],
    ["3.201.0-alpha.1", "3.200.0", true],
    ["3.200.1", "3.200.0", true],
  ]) {
    it(`says ${String(expected)} for ${version} and ${oldest}`, () => {
      assert.equal(atLeast(version, oldest), expected);
    });
  }
});

describe("what was built before", () => {
  it("is used where all of its parts are still there, of the same sources", () => {
    mkdirSync(join(folder, "engine"));
    const file = (name) => {
      writeFileSync(join(folder, name), "", { mode: 0o755 });
      return join(folder, name);
    };
    const paths = { cli: file("pulumi"), nodejs: file("pulumi-language-nodejs") };
    rememberBuilt(paths, "abc", folder);
    const parts = Object.keys(paths);
    assert.deepEqual(builtBefore(parts, "abc", folder), paths);
    assert.equal(builtBefore(parts, "abd", folder), undefined, "other sources");
    assert.equal(builtBefore([...parts, "yaml"], "abc", folder), undefined, "not built");
    rmSync(paths.cli);
    assert.equal(builtBefore(parts, "abc", folder), undefined, "removed");
  });
});

describe("dockerSocket", () => {
  it("is the path in the endpoint, and none for a host elsewhere", () => {
    const socket = (endpoint) => dockerSocket({ endpoint });
    assert.equal(socket("unix:///run/user/1000/docker.sock"), "/run/user/1000/docker.sock");
    assert.equal(socket("ssh://user@host"), undefined);
    assert.equal(socket("tcp://127.0.0.1:2375"), undefined);
  });
});

describe("useOneDocker", () => {
  const after = (docker, env) => {
    useOneDocker(docker, env);
    return env;
  };

  it("names the same Docker to all that is run", () => {
    const docker = { endpoint: "unix:///run/a.sock", source: "the current Docker context a" };
    assert.deepEqual(after(docker, { DOCKER_CONTEXT: "a", HOME: "/root" }), {
      DOCKER_HOST: "unix:///run/a.sock",
      HOME: "/root",
    });
  });

  it("leaves alone what it can't say better", () => {
    const env = { DOCKER_CONTEXT: "tls" };
    assert.deepEqual(after({ endpoint: "unix:///var/run/docker.sock" }, {}), {});
    assert.deepEqual(after({ endpoint: "tcp://h:2376", source: "DOCKER_CONTEXT=tls" }, env), env);
  });
});

describe("download addresses", () => {
  it("name version and machine as Pulumi does", () => {
    assert.match(cliUrl("3.1.0", "linux", "x64"), /\/pulumi-v3\.1\.0-linux-x64\.tar\.gz$/);
    const plugin = { name: "docker", version: "5.2.0" };
    assert.match(
      pluginUrl(plugin, "linux", "x64"),
      /\/pulumi-resource-docker-v5\.2\.0-linux-amd64\.tar\.gz$/,
    );
    assert.match(pluginUrl(plugin, "darwin", "arm64"), /-v5\.2\.0-darwin-arm64\.tar\.gz$/);
  });
});

describe("downloadCli", () => {
  /** Serves requests with `answer` on a loopback port while `action` runs. */
  async function serving(answer, action) {
    const server = createServer(answer).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    try {
      return await action(`http://127.0.0.1:${String(server.address().port)}/pulumi.tar.gz`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("unpacks what it gets, and leaves no archive", async () => {
    mkdirSync(join(folder, "made", "pulumi"), { recursive: true });
    writeFileSync(join(folder, "made", "pulumi", "pulumi"), "the CLI", { mode: 0o755 });
    const archive = join(folder, "archive.tar.gz");
    spawnSync("tar", ["-czf", archive, "-C", join(folder, "made"), "pulumi"]);
    const target = join(folder, "pulumi-1.0.0");
    const answer = (_, response) => response.end(readFileSync(archive));
    assert.equal(await serving(answer, (url) => downloadCli(logIn("log"), url, target)), true);
    assert.equal(readFileSync(join(target, "pulumi"), "utf8"), "the CLI");
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("pulumi-")),
      ["pulumi-1.0.0"],
    );
  });

  it("says no when there is no such file", async () => {
    const answer = (_, response) => response.writeHead(404).end();
    const target = join(folder, "pulumi-1.0.0");
    assert.equal(await serving(answer, (url) => downloadCli(logIn("log"), url, target)), false);
    assert.equal(existsSync(target), false);
  });

  it("says no when nobody listens", async () => {
    const url = await serving(
      () => {},
      (address) => address,
    );
    assert.equal(await downloadCli(logIn("log"), url, join(folder, "pulumi-1.0.0")), false);
  });

  it("loses patience with a server that accepts and never answers", async () => {
    const started = Date.now();
    const target = join(folder, "pulumi-1.0.0");
    const got = await serving(
      () => {},
      (url) => downloadCli(logIn("log"), url, target, 2),
    );
    assert.equal(got, false);
    assert.ok(Date.now() - started < 8000);
  }).timeout(20_000);

  it("loses patience with a download that stops half-way", async () => {
    const stops = (_, response) => {
      response.writeHead(200, { "content-length": "1000000" });
      response.write("the beginning");
    };
    const target = join(folder, "pulumi-1.0.0");
    const got = await serving(stops, (url) => downloadCli(logIn("log"), url, target, 2));
    assert.equal(got, false);
    assert.equal(existsSync(target), false);
  }).timeout(20_000);
});

describe("run", () => {
  it("gives the output, and keeps both outputs in the log", async () => {
    const log = logIn("log");
    const output = await run("sh", ["-c", "echo out; echo err >&2"], { log, capture: true });
    assert.equal(output, "out\n");
    assert.deepEqual(log.text().trim().split("\n").sort(), ["err", "out"]);
  });

  it("names a command that failed, with its status", async () => {
    await assert.rejects(
      run("sh", ["-c", "exit 3"], { log: logIn("log") }),
      /`sh -c exit 3` failed \(3\)/,
    );
  });

  it("names a command that is not there", async () => {
    await assert.rejects(
      run("no-such-command", [], { log: logIn("log") }),
      /no-such-command could not/,
    );
  });

  it("ends a command that prints nothing for too long", async () => {
    const started = Date.now();
    const silent = run("sleep", ["30"], { log: logIn("log"), firstOutput: 100 });
    await assert.rejects(silent, /sleep gave no answer for 0.1 s/);
    assert.ok(Date.now() - started < 5000);
  });

  it("lets a command go on that has begun to print", async () => {
    await run("sh", ["-c", "echo begun; sleep 0.3"], { log: logIn("log"), firstOutput: 200 });
  });
});

describe("certificates", () => {
  it("are the blocks of a bundle, whatever stands between them", () => {
    const one = "-----BEGIN CERTIFICATE-----\nAAA\n-----END CERTIFICATE-----";
    const two = "-----BEGIN CERTIFICATE-----\nBBB\n-----END CERTIFICATE-----";
    assert.deepEqual(certificates(`# a comment\n${one}\n\nname\n${two}\n`), [one, two]);
    assert.deepEqual(certificates(""), []);
  });
});

describe("pulumiEnvironment", () => {
  const record = {
    cli: { pulumi: "/engine/bin/pulumi", nodejs: "/engine/bin/pulumi-language-nodejs" },
    plugins: { home: "/engine/home" },
  };

  it("keeps state, passphrase and log-in in this folder by default", () => {
    const env = pulumiEnvironment(record, { PATH: "/usr/bin:/bin" });
    assert.equal(env.PATH, "/engine/bin:/usr/bin:/bin");
    assert.equal(env.PULUMI_HOME, "/engine/home");
    assert.equal(env.PULUMI_BACKEND_URL, `file://${root}/.local/state`);
    assert.equal(env.PULUMI_CONFIG_PASSPHRASE_FILE, join(root, ".local", "passphrase"));
    assert.ok(env.PULUMI_CREDENTIALS_PATH.startsWith(join(root, ".local")));
    assert.equal(env.PULUMI_DIY_BACKEND_GZIP, "true");
  });

  it("names the folder of the plugins, which HOME and the user database may see differently", () => {
    assert.equal(pulumiEnvironment({}, { PATH: "/bin" }).PULUMI_HOME, userHome);
    const users = { ...record, plugins: { home: userHome } };
    assert.equal(pulumiEnvironment(users, { PATH: "/bin" }).PULUMI_HOME, userHome);
  });

  it("clears what would turn the Docker plugin to TLS", () => {
    const { PATH } = process.env;
    const env = pulumiEnvironment(record, {
      PATH,
      DOCKER_CERT_PATH: "/certs",
      DOCKER_TLS_VERIFY: "1",
    });
    assert.equal(env.DOCKER_CERT_PATH, "");
    assert.equal(env.DOCKER_TLS_VERIFY, "");
    assert.equal("DOCKER_KEY_MATERIAL" in env, false);
  });

  it("keeps the Docker plugin's own log off, unless it is asked for", () => {
    assert.equal(pulumiEnvironment(record, { PATH: "/bin" }).TF_LOG, "off");
    assert.equal(pulumiEnvironment(record, { PATH: "/bin", TF_LOG: "debug" }).TF_LOG, "debug");
  });

  it("clears SSH_AUTH_SOCK if no agent answers there, and only then", async () => {
    const { PATH } = process.env;
    const socketFor = (path) =>
      pulumiEnvironment(record, { PATH, SSH_AUTH_SOCK: path }).SSH_AUTH_SOCK;
    assert.equal(socketFor(join(folder, "nobody")), "");
    const agent = join(folder, "agent");
    const child = spawn("ssh-agent", ["-D", "-a", agent], { stdio: ["ignore", "pipe", "inherit"] });
    try {
      await new Promise((resolve) => child.stdout.once("data", resolve));
      assert.equal(socketFor(agent), undefined);
    } finally {
      child.kill("SIGKILL");
      await new Promise((resolve) => child.once("close", resolve));
    }
    assert.equal(existsSync(agent), true, "the socket of the agent is left");
    assert.equal(socketFor(agent), "");
  });

  it("leaves a backend of the user's choice alone, with their log-in and passphrase", () => {
    const env = pulumiEnvironment(record, { PATH: "/bin", PULUMI_BACKEND_URL: "s3://bucket" });
    assert.equal(env.PULUMI_BACKEND_URL, undefined);
    assert.equal(env.PULUMI_CONFIG_PASSPHRASE_FILE, undefined);
    assert.equal(env.PULUMI_CREDENTIALS_PATH, userHome);
  });

  it("leaves a passphrase of the user's choice alone", () => {
    const env = pulumiEnvironment(record, { PATH: "/bin", PULUMI_CONFIG_PASSPHRASE: "theirs" });
    assert.equal(env.PULUMI_CONFIG_PASSPHRASE_FILE, undefined);
  });
});

describe("a lock on the state", () => {
  const lock = (pid, host = hostname()) => ({ pid, hostname: host });

  it("is stale when its holder has ended, or its PID is another program's", () => {
    const { pid } = spawnSync("true");
    assert.equal(isStale(lock(pid)), true);
    assert.equal(
      isStale(lock(process.pid), () => "vim notes"),
      true,
    );
  });

  it("is held while its holder runs, whatever machine this is", () => {
    for (const text of ["pulumi up", "/opt/pulumi/bin/pulumi destroy --yes"]) {
      assert.equal(
        isStale(lock(process.pid), () => text),
        false,
      );
    }
    assert.equal(
      isStale(lock(process.pid), () => undefined),
      false,
      "nothing says what it is",
    );
  });

  it("is held on another machine, as far as this one knows", () => {
    assert.equal(isStale(lock(spawnSync("true").pid, "another")), false);
  });

  it("has a holder that `ps` shows, on Linux and macOS", () => {
    const ps = (line) => () => line;
    assert.equal(commandOf(process.pid, ps("S+   pulumi up --yes\n")), "pulumi up --yes");
    assert.equal(commandOf(process.pid, ps("Z    [pulumi] <defunct>\n")), "", "it has ended");
    assert.match(commandOf(process.pid), /mocha|node/);
    assert.match(commandOf(process.pid, ps(undefined)), /mocha|node/, "without ps");
  });
});

describe("the processes of a run", () => {
  const [[name, value]] = Object.entries(runVariable);
  const [, clone] = value.split("@");

  it("are those with its variable in their environment", () => {
    const child = spawn("sleep", ["60"], { env: { ...process.env, [name]: `4711@${clone}` } });
    try {
      assert.deepEqual(
        runProcesses().filter(({ owner }) => owner === 4711),
        [{ pid: child.pid, owner: 4711 }],
      );
    } finally {
      child.kill();
    }
  });

  it("are found by ps elsewhere", () => {
    const lines = [
      `  100 /usr/local/bin/pulumi up HOME=/Users/me ${name}=99@${clone} TERM=xterm`,
      `  101 pulumi-resource-docker 127.0.0.1:5 ${name}=99@${clone}`,
      `  102 pulumi up ${name}=98@another`,
      `  103 -zsh`,
    ];
    assert.deepEqual(
      runProcesses("darwin", () => lines.join("\n")),
      [100, 101].map((pid) => ({ pid, owner: 99 })),
    );
  });

  it("have ended when nobody can send them a signal", () => {
    assert.equal(processExists(process.pid), true);
    assert.equal(processExists(1), true, "of another user, or init");
    assert.equal(processExists(spawnSync("true").pid), false);
  });
});

describe("runForeground", () => {
  /** Runs a shell script in a wrapper without a terminal; `interrupt` gets the wrapper. */
  async function wrapped(script, interrupt = () => {}) {
    const foreground = join(root, "tools", "setup", "foreground.mjs");
    const program = `
      import { runForeground } from ${JSON.stringify(foreground)};
      process.exitCode = await runForeground("sh", ["-c", process.env.SCRIPT], process.env);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      env: { ...process.env, SCRIPT: script },
      detached: true,
      stdio: ["ignore", "pipe", "inherit"],
    });
    let output = "";
    child.stdout.on("data", (data) => {
      if (!output) interrupt(child);
      output += data;
    });
    const status = await new Promise((resolve) => child.on("close", resolve));
    return { status, output };
  }
  const counting = `
    trap 'echo interrupted' INT
    trap 'echo terminated' TERM
    echo ready
    n=0; while [ $n -lt 10 ]; do sleep 0.1; n=$((n + 1)); done
    exit 7`;

  it("gives the exit status", async () => {
    assert.equal((await wrapped("exit 3")).status, 3);
    assert.equal((await wrapped("kill -KILL $$")).status, 137);
  });

  it("passes on an interrupt of the wrapper, and waits for the program's end", async () => {
    const result = await wrapped(counting, (child) => child.kill("SIGINT"));
    assert.deepEqual(result, { status: 7, output: "ready\ninterrupted\n" });
  });

  it("lets the program see an interrupt of the whole group once", async () => {
    const result = await wrapped(counting, (child) => {
      process.kill(-child.pid, "SIGINT");
      child.kill("SIGINT");
    });
    assert.deepEqual(result, { status: 7, output: "ready\ninterrupted\n" });
  });

  /** Runs a script in a wrapper that is killed when it prints; resolves when all of it has ended. */
  async function killed(script, kill, wrap = (...command) => command) {
    const foreground = join(root, "tools", "setup", "foreground.mjs");
    const program = `
      import { runForeground } from ${JSON.stringify(foreground)};
      import { eventLog } from ${JSON.stringify(foreground.replace("foreground", "events"))};
      const events = eventLog(/./);
      const env = { ...process.env, EVENTS: events.path, OWNER: String(process.pid) };
      process.exitCode = await runForeground("sh", ["-c", process.env.SCRIPT], env,
        { events: events.path });
      await events.close();`;
    writeFileSync(join(folder, "wrapper.mjs"), program);
    const [command, ...args] = wrap(process.execPath, join(folder, "wrapper.mjs"));
    const child = spawn(command, args, {
      env: { ...process.env, SCRIPT: script, TMPDIR: folder, RESULT: join(folder, "result") },
      detached: true,
      stdio: ["pipe", "pipe", "ignore"],
    });
    const [owner] = await once(child.stdout, "data");
    const left = () => runProcesses().filter((one) => one.owner === Number(owner));
    assert.ok(left().length >= 2, "the script and what it has started");
    kill(child, Number(owner));
    assert.ok(await waitUntil(() => left().length === 0, 20_000), "something is left");
    const isGone = () => !readdirSync(folder).some((name) => name.startsWith("ipyparallel-"));
    assert.ok(await waitUntil(isGone, 10_000), "the log of events is left");
    return readFileSync(join(folder, "result"), "utf8");
  }

  /** As Pulumi, it has a child in another session, and writes a log of events. */
  const working = `
    setsid sleep 600 &
    exec 5<>"$EVENTS"
    end() {
      head -c 200000 /dev/zero >&5
      echo cancelled >>"$RESULT"
      exit 1
    }
    trap end TERM
    echo "$OWNER"
    while :; do sleep 0.1; done`;

  for (const [how, kill] of [
    ["the wrapper is killed", (_, owner) => process.kill(owner, "SIGKILL")],
    ["the wrapper's group is killed", (child) => process.kill(-child.pid, "SIGKILL")],
    ["the wrapper's group loses its terminal", (child) => process.kill(-child.pid, "SIGHUP")],
  ]) {
    it(`cancels the program, and leaves none of its children: ${how}`, async () => {
      assert.equal(await killed(working, kill), "cancelled\n");
    }).timeout(60_000);
  }

  for (const name of ["SIGTERM", "SIGKILL"]) {
    it(`cancels the program, and leaves none of its children: ${name} to the terminal`, async () => {
      // `script` has a terminal for what it runs; with it, the terminal goes.
      const inTerminal = (...command) => {
        const program = `exec ${command.join(" ")}`;
        return ["script", "--quiet", "--return", "--command", program, "/dev/null"];
      };
      assert.equal(await killed(working, (child) => child.kill(name), inTerminal), "cancelled\n");
    }).timeout(60_000);
  }

  it("leaves no children where the program itself is killed", async () => {
    const script = `: >"$RESULT"; setsid sleep 600 & echo "$OWNER"; sleep 2; kill -KILL $$`;
    assert.equal(await killed(script, () => {}), "");
  }).timeout(60_000);

  it("passes on a request to end", async () => {
    const result = await wrapped(counting, (child) => child.kill("SIGTERM"));
    assert.deepEqual(result, { status: 7, output: "ready\nterminated\n" });
  });
});

describe("the command line", () => {
  /** Runs it in a copy of the project that nothing was set up for. */
  function wrapper(...args) {
    cpSync(join(root, "tools"), join(folder, "tools"), {
      recursive: true,
      filter: (path) => !path.includes(join("tools", "engine")),
    });
    for (const name of ["package.json", "Pulumi.yaml", "config/localDocker.cjs"])
      cpSync(join(root, name), join(folder, name));
    mkdirSync(join(folder, "stacks"), { recursive: true });
    writeFileSync(join(folder, "stacks", "Pulumi.dev.yaml"), "config: {}\n");
    writeFileSync(join(folder, "stacks", "Pulumi.lab.yaml"), "config: {}\n");
    const env = { ...process.env, PULUMI_BACKEND_URL: "", PULUMI_STACK: "" };
    const options = { cwd: folder, env, encoding: "utf8" };
    return spawnSync(process.execPath, ["tools/cli.mjs", ...args], options);
  }

  it("refuses a stack without a file, and names those that have one", () => {
    const { status, stderr } = wrapper("up", "-s", "lba");
    assert.equal(status, 1);
    assert.equal(stderr, "error: there is no stacks/Pulumi.lba.yaml; the stacks are dev, lab\n");
  });

  for (const command of ["down", "refresh"]) {
    it(`has nothing to do for ${command} in a new clone, and sets nothing up for it`, () => {
      const { status, stdout, stderr } = wrapper(command);
      assert.equal(status, 0);
      assert.match(stdout, /Stack dev has not been brought up from this folder: nothing to do/);
      assert.equal(stderr, "");
      assert.equal(existsSync(join(folder, ".local")), false);
    });
  }

  it("explains itself and its verbs, and sets nothing up for it", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const args of [[], ...Object.keys(scripts).map((verb) => [verb])]) {
      const { status, stdout } = wrapper(...args, "--help");
      assert.equal(status, 0, args.join(" "));
      assert.match(stdout, args.length === 0 ? /^ {2}soak +\w/m : /-h, --help/);
    }
    assert.equal(existsSync(join(folder, ".local")), false);
  }).timeout(30_000);

  it("has a verb for each npm script", () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const [name, script] of Object.entries(scripts)) {
      assert.equal(script, `exec node tools/cli.mjs ${name}`);
    }
    assert.deepEqual(Object.keys(scripts).sort(), Object.keys(verbs).sort());
  });

  for (const [args, message] of [
    [["statsu"], 'unknown verb "statsu", did you mean status?'],
    [["soak", "--seconds", "soon"], '--seconds: must be a whole number from 1 (got "soon")'],
    [["test", "unti"], 'unknown argument "unti"; allowed are '],
    [["setup", "test", "lock"], 'unknown argument "lock": one PURPOSE is enough'],
  ]) {
    it(`rejects ${args.join(" ")} in one line, with exit status 2`, () => {
      const { status, stderr } = wrapper(...args);
      assert.equal(status, 2);
      assert.ok(stderr.startsWith(`error: ${message}`), stderr);
      assert.equal(stderr.trimEnd().split("\n").length, 1);
      assert.equal(existsSync(join(folder, ".local")), false);
    });
  }

  it("asks for a command", () => {
    const { status, stderr } = wrapper("pulumi", "-s", "lab");
    assert.equal(status, 2);
    assert.match(stderr, /^error: a command is missing/);
  });
});

describe("runSteps", () => {
  /** Runs steps, given as source text, in a copy of set-up with folders of its own. */
  function start(steps) {
    if (!existsSync(join(folder, "tools"))) {
      cpSync(join(root, "tools", "setup"), join(folder, "tools", "setup"), { recursive: true });
      cpSync(join(root, "package.json"), join(folder, "package.json"));
    }
    const program = `
      import { appendFileSync, existsSync, writeFileSync } from "node:fs";
      import { setTimeout as sleep } from "node:timers/promises";
      import { SetupError } from "./tools/setup/shell.mjs";
      import { state } from "./tools/setup/state.mjs";
      import { runSteps } from "./tools/setup/steps.mjs";
      const makes = (name, after, action = () => {}) => ({
        name,
        after,
        needed: async () => (existsSync(name) ? undefined : "making " + name),
        run: async (log) => {
          appendFileSync("order", name + " ");
          await action(log);
          writeFileSync(name, "");
        },
      });
      try {
        await runSteps([${steps}]);
      } catch (error) {
        console.error(error instanceof SetupError ? error.message : error.stack);
        process.exit(1);
      }`;
    const env = { ...process.env, XDG_CACHE_HOME: join(folder, "cache") };
    const child = spawn(process.execPath, ["--input-type=module", "-e", program], {
      cwd: folder,
      env,
    });
    let text = "";
    child.stderr.on("data", (data) => (text += data));
    return new Promise((resolve) => child.on("close", (status) => resolve({ status, text })));
  }
  const read = (name) => readFileSync(join(folder, name), "utf8");

  it("does each step after those that it needs, and says so", async () => {
    const { status, text } = await start(`makes("c", ["b"]), makes("b", ["a"]), makes("a")`);
    assert.equal(status, 0, text);
    assert.equal(read("order"), "a b c ");
    assert.match(text, /✔ a +done in \d+\.\d s/);
  });

  it("does nothing, and says nothing, when nothing is needed", async () => {
    await start(`makes("a")`);
    const { status, text } = await start(`makes("a")`);
    assert.equal(status, 0);
    assert.equal(text, "");
    assert.equal(read("order"), "a ");
  });

  it("does the others when a step fails, and tells what failed and what to do", async () => {
    const failing = `makes("a", [], (log) => {
      log.write("details\\n");
      throw new SetupError("no luck", { advice: "Try harder." });
    })`;
    const { status, text } = await start(`${failing}, makes("b", ["a"]), makes("c")`);
    assert.equal(status, 1);
    assert.match(text, /✘ a +failed after .*: no luck/);
    assert.match(text, /\| details/);
    assert.match(text, /What to do: Try harder\./);
    assert.match(text, /set-up is not complete, without: a, b;/);
    assert.equal(existsSync(join(folder, "b")), false);
    assert.equal(existsSync(join(folder, "c")), true);
  });

  it("fails when a step did not bring about what it was for", async () => {
    const idle = `{ name: "idle", needed: async () => "something", run: async () => {} }`;
    const { status, text } = await start(idle);
    assert.equal(status, 1);
    assert.match(text, /this is still to be done: something/);
  });

  it("does a step once when two set-ups run at the same time", async () => {
    const slow = `makes("a", [], () => sleep(500))`;
    const both = await Promise.all([start(slow), start(slow)]);
    assert.deepEqual(
      both.map(({ status }) => status),
      [0, 0],
      both.map(({ text }) => text).join("\n"),
    );
    assert.equal(read("order"), "a ");
  });

  it("makes a passphrase that only the user can read, and keeps it", async () => {
    assert.equal((await start("state")).status, 0);
    const file = join(folder, ".local", "passphrase");
    const passphrase = readFileSync(file, "utf8");
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.ok(passphrase.trim().length >= 40);
    rmSync(join(folder, ".local", "state"), { recursive: true });
    assert.equal((await start("state")).status, 0);
    assert.equal(readFileSync(file, "utf8"), passphrase);
  });

  it("makes no new passphrase for a state that needs the lost one", async () => {
    const stacks = join(folder, ".local", "state", ".pulumi", "stacks", "ipyparallel");
    mkdirSync(stacks, { recursive: true });
    writeFileSync(join(stacks, "dev.json"), "{}");
    const { status, text } = await start("state");
    assert.equal(status, 1);
    assert.match(text, /passphrase is gone/);
    assert.equal(existsSync(join(folder, ".local", "passphrase")), false);
  });
}).timeout(20_000);
