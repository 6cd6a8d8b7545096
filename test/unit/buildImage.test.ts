import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const SCRIPT = require.resolve("../../components/scripts/build-image.cjs");

/** A `docker` that writes down how it was asked to build; %VERSION% and %BUILDX% say what it is. */
const FAKE_DOCKER = `#!/bin/sh
case "$1 $2" in
  "image inspect") [ -e "$FAKE/has-image" ] ;;
  "buildx version") %BUILDX% ;;
  "version --format") echo %VERSION% ;;
  "context inspect") echo "\${DOCKER_HOST:+default}" ;;
  "build --tag")
    printf '%s\\n' "$@" > "$FAKE/args"
    env > "$FAKE/env"
    config=\${DOCKER_CONFIG:-$HOME/.docker}
    cat "$config/config.json" > "$FAKE/config" 2>&1
    mkdir -p "$config/buildx"
    echo me | tee "$config/.buildNodeID" > "$config/buildx/note"
    echo "$0" > "$FAKE/which"
    tar --list > "$FAKE/files"
    cat "$FAKE/prints"
    exit "$(cat "$FAKE/status")"
    ;;
esac
`;

describe("the build of an image", () => {
  let fake: string;

  beforeEach(() => {
    fake = mkdtempSync(join(tmpdir(), "ipyparallel-build-"));
    mkdirSync(join(fake, "context"));
    mkdirSync(join(fake, "home"));
    mkdirSync(join(fake, "tmp"));
    writeFileSync(join(fake, "context/Dockerfile"), "FROM scratch\n");
    writeFileSync(join(fake, "prints"), "");
    writeFileSync(join(fake, "status"), "0");
    // No `docker` but those of the test.
    mkdirSync(join(fake, "tools"));
    for (const tool of [
      "sh",
      "tar",
      "head",
      "grep",
      "env",
      "cat",
      "ln",
      "mkdir",
      "mktemp",
      "rm",
      "tee",
    ]) {
      symlinkSync(join("/bin", tool), join(fake, "tools", tool));
    }
  });
  afterEach(() => {
    rmSync(fake, { recursive: true, force: true });
  });

  const addDocker = (folder: string, version: string, buildx: boolean) => {
    mkdirSync(join(fake, folder));
    const text = FAKE_DOCKER.replace("%VERSION%", version).replace("%BUILDX%", String(buildx));
    writeFileSync(join(fake, folder, "docker"), text);
    chmodSync(join(fake, folder, "docker"), 0o755);
    return join(fake, folder);
  };
  const build = (path: string[], env: NodeJS.ProcessEnv = {}, request: object = {}) => {
    const input = JSON.stringify({
      docker: "unix:///run/mine.sock",
      shell: ["sh", "-c"],
      image: "mine:1",
      context: join(fake, "context"),
      buildArgs: { BASE_IMAGE: "some:base", PACKAGES: "a 'quoted' \"one\" $(id)" },
      ...request,
    });
    return spawnSync(process.execPath, [SCRIPT], {
      input,
      timeout: 30_000, // one that hangs fails with a signal
      encoding: "utf8",
      env: {
        HOME: join(fake, "home"),
        TMPDIR: join(fake, "tmp"),
        FAKE: fake,
        PATH: [...path, join(fake, "tools")].join(":"),
        ...env,
      },
    });
  };
  const noted = (name: string) => readFileSync(join(fake, name), "utf8").trimEnd().split("\n");
  const environment = () =>
    Object.fromEntries(
      noted("env").map((line) => line.split(/=(.*)/).slice(0, 2)),
    ) as NodeJS.ProcessEnv;

  it("goes to the endpoint that is declared, whatever the user's environment says", () => {
    const docker = addDocker("bin", "29.0.1", true);
    const { status, stdout } = build([docker], {
      DOCKER_HOST: "tcp://elsewhere:2375",
      DOCKER_CONTEXT: "elsewhere",
      BUILDX_BUILDER: "a-container",
    });
    assert.equal(status, 0, stdout);
    const env = environment();
    assert.equal(env.DOCKER_HOST, "unix:///run/mine.sock");
    assert.equal(env.DOCKER_CONTEXT, undefined);
    assert.equal(env.BUILDX_BUILDER, "default");
    assert.equal(env.BUILDX_NO_DEFAULT_ATTESTATIONS, "1");
    assert.equal(env.PACKAGES, "a 'quoted' \"one\" $(id)");
    assert.deepEqual(noted("args"), [
      ...["build", "--tag", "mine:1", "--build-arg", "BASE_IMAGE", "--build-arg", "PACKAGES", "-"],
    ]);
    assert.deepEqual(noted("files"), ["./Dockerfile"]);
  });

  it("builds nothing where there is an image of that name", () => {
    const docker = addDocker("bin", "29.0.1", true);
    writeFileSync(join(fake, "has-image"), "");
    assert.equal(build([docker]).status, 0);
    assert.equal(existsSync(join(fake, "args")), false);
  });

  it("ends although nobody reads the context to its end", () => {
    const docker = addDocker("bin", "29.0.1", true);
    writeFileSync(join(fake, "has-image"), "");
    writeFileSync(join(fake, "context/large"), Buffer.alloc(8 << 20, "x"));
    const { status, signal } = build([docker]);
    assert.deepEqual([status, signal], [0, null]);
  });

  for (const [state, status] of [
    ["was built", "0"],
    ["could not be built", "1"],
  ] as const) {
    it(`leaves nothing beside Docker's settings, which count, when an image ${state}`, () => {
      const docker = addDocker("bin", "29.0.1", true);
      const folder = join(fake, "home/.docker");
      mkdirSync(join(folder, "buildx"), { recursive: true });
      writeFileSync(join(folder, "config.json"), '{ "credsStore": "mine" }');
      writeFileSync(join(fake, "status"), status);
      assert.equal(build([docker]).status, Number(status));
      assert.deepEqual(noted("config"), ['{ "credsStore": "mine" }']);
      assert.deepEqual(readdirSync(folder).sort(), ["buildx", "config.json"]);
      assert.deepEqual(readdirSync(join(folder, "buildx")), []);
      assert.deepEqual(readdirSync(join(fake, "tmp")), []);
    });
  }

  it("makes no folder of settings where there is none", () => {
    assert.equal(build([addDocker("bin", "20.10.24", false)]).status, 0);
    assert.deepEqual(readdirSync(join(fake, "home")), []);
    assert.deepEqual(readdirSync(join(fake, "tmp")), []);
  });

  for (const [version, buildx, kit] of [
    ["20.10.24", false, "1"],
    ["23.0.0", true, "1"],
    ["28.2.2", false, "0"],
  ] as const) {
    it(`uses BuildKit where Docker ${version} ${buildx ? "with" : "without"} buildx has it`, () => {
      build([addDocker("bin", version, buildx)], { DOCKER_BUILDKIT: kit === "1" ? "0" : "1" });
      assert.equal(environment().DOCKER_BUILDKIT, kit);
    });
  }

  it("takes another command line on the PATH that has BuildKit", () => {
    const path = [addDocker("new", "28.2.2", false), addDocker("old", "20.10.5", false)];
    build(path);
    assert.deepEqual(noted("which"), [join(fake, "old/docker")]);
    assert.equal(environment().DOCKER_BUILDKIT, "1");
  });

  const proxies = (here: object) => {
    writeFileSync(join(fake, "home/config.json"), JSON.stringify({ proxies: here }));
  };
  const remote = { docker: "ssh://u@far:22", shell: ["sh", "-c"] };
  const secret = { httpProxy: "http://u:sesame@proxy:3128", noProxy: "localhost" };

  it("takes the proxies of this machine to another one, and not on a command line", () => {
    const docker = addDocker("bin", "29.0.1", true);
    proxies({ default: secret });
    build(
      [docker],
      { DOCKER_CONFIG: join(fake, "home") },
      {
        ...remote,
        shell: ["env", "-u", "DOCKER_CONFIG", "sh", "-c"],
      },
    );
    const args = noted("args");
    for (const name of ["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"]) {
      assert.ok(args.includes(name), name);
    }
    assert.equal(environment().HTTP_PROXY, secret.httpProxy);
    assert.doesNotMatch(args.join(" "), /sesame/);
  });

  it("prefers the proxies of that endpoint to the default ones", () => {
    const docker = addDocker("bin", "29.0.1", true);
    proxies({
      default: { httpProxy: "http://any:1" },
      "ssh://u@far:22": { httpsProxy: "http://far:2" },
    });
    build(
      [docker],
      { DOCKER_CONFIG: join(fake, "home") },
      {
        ...remote,
        shell: ["env", "-u", "DOCKER_CONFIG", "sh", "-c"],
      },
    );
    const env = environment();
    assert.deepEqual([env.HTTP_PROXY, env.HTTPS_PROXY], [undefined, "http://far:2"]);
  });

  it("leaves proxies to Docker's own settings on the host where they name some", () => {
    const docker = addDocker("bin", "29.0.1", true);
    proxies({ default: { httpProxy: "http://any:1" } });
    build([docker], { DOCKER_CONFIG: join(fake, "home") }, remote); // the same file is there as well
    assert.doesNotMatch(noted("args").join(" "), /proxy/i);
  });

  it("shows what a failed step has printed, and not what others have", () => {
    const docker = addDocker("bin", "29.0.1", true);
    const noise = Array.from({ length: 50 }, (_, index) => `#7 0.3 noise ${String(index)}`);
    const lines = [
      ...["#6 [2/3] RUN make it", "#6 0.1 fine so far", "#6 DONE 0.2s", "#7 [3/3] RUN make all"],
      ...[...noise, "#7 0.4 10%\r 20%\r 30%", "#7 0.5 cc: not found", "#7 ERROR: exit code: 127"],
      ...["------", " > [3/3] RUN make all:", "0.5 cc: not found", "------"],
      "ERROR: failed to solve: process make all did not complete successfully: exit code: 127",
    ];
    writeFileSync(join(fake, "prints"), `${lines.join("\n")}\n`);
    writeFileSync(join(fake, "status"), "1");
    const { status, stdout } = build([docker]);
    assert.equal(status, 1);
    const text = stdout.slice(stdout.indexOf("docker build: "));
    const [error, step, heading, ...printed] = text.trimEnd().split("\n");
    assert.equal(error, `docker build: ${lines.at(-1) ?? ""}`);
    assert.equal(step, "The step that failed: [3/3] RUN make all");
    assert.equal(heading, "It printed 52 lines, the last of them:");
    assert.equal(printed.length, 40);
    assert.deepEqual(printed.slice(-3), ["  noise 49", "   30%", "  cc: not found"]);
    assert.doesNotMatch(text, /fine so far/);
  });

  it("shows the same of the builder before BuildKit", () => {
    const docker = addDocker("bin", "20.10.24", false);
    const lines = [
      ...["Sending build context to Docker daemon  2.048kB", "Step 1/2 : FROM some:base"],
      ...[" ---> 00decaf", "Step 2/2 : RUN make", " ---> Running in 0ff1ce", "cc: not found"],
      "The command '/bin/sh -c make' returned a non-zero code: 127",
    ];
    writeFileSync(join(fake, "prints"), `${lines.join("\n")}\n`);
    writeFileSync(join(fake, "status"), "127");
    const { stdout } = build([docker]);
    assert.deepEqual(stdout.slice(stdout.indexOf("docker build: ")).trimEnd().split("\n"), [
      "docker build: The command '/bin/sh -c make' returned a non-zero code: 127",
      "The step that failed: RUN make",
      "It printed:",
      "  cc: not found",
    ]);
  });
});
