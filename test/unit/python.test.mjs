import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawn, spawnSync } from "node:child_process";

import { baseOf, defaultPython, pythons, root } from "../../tools/setup/context.mjs";
import { choosePython, findInterpreter, userPython } from "../../tools/setup/user-python.mjs";
import { fileInZip, packageIndex, uvEnvironment, wheelUrl } from "../../tools/setup/uv.mjs";
import { withProxies } from "../../tools/setup/shell.mjs";

let folder;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "python-test-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** A folder that has an interpreter, by the name that tells its version. */
function interpreter(version, ...path) {
  const bin = join(folder, ...path, "bin");
  mkdirSync(bin, { recursive: true });
  const file = join(bin, `python${version}`);
  writeFileSync(file, "#!/bin/sh\n");
  chmodSync(file, 0o755);
  for (const name of ["python", "python3"]) symlinkSync(file, join(bin, name));
  return bin;
}

describe("the user's Python", () => {
  const none = { PATH: "", PYENV_ROOT: "/nonexistent" };

  it("is that of python3 on the PATH", () => {
    const bin = interpreter("3.13");
    const { version, source, path } = userPython({ ...none, PATH: bin }, folder);
    assert.equal(version, "3.13");
    assert.equal(source, `python3 on the PATH, ${join(bin, "python3")}`);
    assert.equal(path, join(bin, "python3"));
  });

  it("is what .python-version says before that, here or in a folder above", () => {
    const PATH = interpreter("3.13");
    const below = join(folder, "project", "part");
    mkdirSync(below, { recursive: true });
    writeFileSync(join(folder, "project", ".python-version"), "# ours\n3.12.4\n");
    const { version, source } = userPython({ ...none, PATH }, below);
    assert.deepEqual([version, source], ["3.12", join(folder, "project", ".python-version")]);
  });

  for (const variable of ["VIRTUAL_ENV", "CONDA_PREFIX"]) {
    it(`is that of an active environment (${variable}) before all else`, () => {
      const PATH = interpreter("3.13");
      interpreter("3.14", "env");
      writeFileSync(join(folder, ".python-version"), "3.12");
      const active = { ...none, PATH, [variable]: join(folder, "env") };
      const { version, source } = userPython(active, folder);
      assert.equal(version, "3.14");
      assert.match(source, /^the active (virtual|conda) environment .*env$/);
    });
  }

  it("is none that engines can't have, which is said", () => {
    const PATH = interpreter("3.13");
    interpreter("3.9", "env");
    const env = { ...none, PATH, VIRTUAL_ENV: join(folder, "env") };
    const { version, notes } = userPython(env, folder);
    assert.equal(version, "3.13");
    assert.match(
      notes.join(),
      /env is Python 3\.9, and engines can have 3\.11, 3\.12, 3\.13, 3\.14$/,
    );
  });

  it("is none that setup itself has made, though it is active", () => {
    const env = { ...none, PATH: interpreter("3.12"), VIRTUAL_ENV: join(root, ".local", "venv") };
    assert.equal(userPython(env, folder).version, "3.12");
  });

  it("is found by its version where another one is the usual", () => {
    const PATH = [interpreter("3.10"), interpreter("3.14", "later")].join(":");
    assert.equal(findInterpreter("3.14", { ...none, PATH }), join(folder, "later/bin/python3.14"));
  });
});

describe("the Python of a stack", () => {
  const file = join(root, "stacks", "Pulumi.unit-python.yaml");
  afterEach(() => rmSync(file, { force: true }));
  const choose = (images) => {
    writeFileSync(file, JSON.stringify({ config: { "ipyparallel:cluster": { images } } }));
    return choosePython("unit-python", { PATH: interpreter("3.12"), PYENV_ROOT: folder });
  };

  it("is the user's, and needs the base of that one alone", () => {
    const { version, pinned, bases } = choose(undefined);
    assert.deepEqual([version, pinned, bases], ["3.12", false, ["3.12"]]);
  });

  it("is the one that its file names, as a text or a number", () => {
    for (const python of ["3.13", 3.13]) {
      const { version, pinned, source } = choose({ default: { python } });
      assert.deepEqual([version, pinned], ["3.13", true]);
      assert.equal(source, "images.default.python of unit-python");
      rmSync(join(folder, "bin"), { recursive: true });
    }
  });

  it("needs bases of the images that are built from one of ours", () => {
    const images = {
      default: { base: "mine" },
      a: { python: "3.14" },
      b: { python: "3.11", reference: "r@sha256:0" },
    };
    assert.deepEqual(choose(images).bases, ["3.14"]);
  });

  it("is left to the program to judge where it can't be had", () => {
    assert.deepEqual(choose({ default: { python: "3.8" }, a: { python: "x" } }).bases, []);
  });
});

it("setup knows the Pythons that the library knows", () => {
  const library = readFileSync(join(root, "components/lib/python.ts"), "utf8");
  const value = (name) => JSON.parse(new RegExp(` ${name} = (.*?)( as const)?;`).exec(library)[1]);
  assert.deepEqual(pythons, value("PYTHONS"));
  assert.equal(defaultPython, value("DEFAULT_PYTHON"));
  assert.equal(baseOf("3.12").own, undefined);
});

describe("uv", () => {
  const name = (tags) => `uv-${/^uv==(\S+)/m.exec(requirements)[1]}-py3-none-${tags}.whl`;
  const requirements = readFileSync(join(root, "tools/uv/requirements.txt"), "utf8");
  const wheels = ["manylinux_2_17_x86_64.manylinux2014_x86_64", "macosx_11_0_arm64"].map(name);
  const page = `<a href="../old/uv-0.1.0-py3-none-manylinux_2_17_x86_64.whl#sha256=0">old</a>
    ${wheels.map((wheel) => `<a data-x="1" href="../../files/${wheel}#sha256=1">${wheel}</a>`).join("\n")}`;

  it("has a wheel on an index for this kind of machine, with what opens the index", () => {
    const url = (...machine) =>
      wheelUrl(page, "https://me:secret@i.example/a/simple/uv/", ...machine);
    assert.equal(url("linux", "x64"), `https://me:secret@i.example/a/files/${wheels[0]}`);
    assert.equal(url("darwin", "arm64"), `https://me:secret@i.example/a/files/${wheels[1]}`);
    assert.equal(url("linux", "arm64"), undefined);
    assert.equal(url("sunos", "x64"), undefined);
  });

  it("hands no password on to another host than the index", () => {
    const elsewhere = `<a href="https://files.example/${wheels[0]}">`;
    const url = wheelUrl(elsewhere, "https://me:secret@i.example/simple/uv/", "linux", "x64");
    assert.equal(url, `https://files.example/${wheels[0]}`);
  });

  it("takes packages from the index that is set for it, else for pip", () => {
    assert.equal(packageIndex({}), "https://pypi.org/simple");
    assert.equal(packageIndex({ PIP_INDEX_URL: "p" }), "p");
    assert.equal(packageIndex({ PIP_INDEX_URL: "p", UV_INDEX_URL: "u" }), "u");
    const given = { PIP_INDEX_URL: "p", PIP_EXTRA_INDEX_URL: "e", PIP_CERT: "c" };
    const { UV_DEFAULT_INDEX, UV_EXTRA_INDEX_URL, SSL_CERT_FILE } = uvEnvironment(given);
    assert.deepEqual([UV_DEFAULT_INDEX, UV_EXTRA_INDEX_URL, SSL_CERT_FILE], ["p", "e", "c"]);
  });

  it("and what else is downloaded go by the proxies, whatever the case of their names", () => {
    const env = withProxies({ HTTPS_PROXY: "a", http_proxy: "b", NO_PROXY: "c" });
    assert.deepEqual([env.https_proxy, env.http_proxy, env.no_proxy], ["a", "b", "c"]);
  });

  const SETUP = `
    import { runSteps } from "./tools/setup/steps.mjs";
    import { uv } from "./tools/setup/uv.mjs";
    await runSteps([uv]);
  `;

  /** Runs setup's step for uv in a copy that has its cache to itself; returns how that ended. */
  async function fetched(content, pinnedContent = content) {
    const asked = [];
    const server = createServer(({ url, headers }, response) => {
      asked.push({ url, authorization: headers.authorization });
      if (url === "/simple/uv/") response.end(page);
      else if (url.endsWith(".whl")) response.end(content);
      else response.writeHead(404).end();
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address();
    for (const part of ["tools/setup", "tools/uv", "package.json"]) {
      cpSync(join(root, part), join(folder, part), { recursive: true });
    }
    const pinned = requirements.replace(/--hash=sha256:\w+/, () => {
      return `--hash=sha256:${createHash("sha256").update(pinnedContent).digest("hex")}`;
    });
    writeFileSync(join(folder, "tools/uv/requirements.txt"), pinned);
    writeFileSync(join(folder, "setup.mjs"), SETUP);
    const child = spawn(process.execPath, ["setup.mjs"], {
      cwd: folder,
      env: {
        PATH: process.env.PATH,
        XDG_CACHE_HOME: join(folder, "cache"),
        PIP_INDEX_URL: `http://me:secret@127.0.0.1:${port}/simple/`,
      },
    });
    let printed = "";
    child.stdout.on("data", (data) => (printed += data));
    child.stderr.on("data", (data) => (printed += data));
    const status = await new Promise((resolve) => child.on("close", resolve));
    server.close();
    return { status, printed, asked };
  }

  const uv = () => join(folder, "cache/ipyparallel-cluster", `uv-${name("").split("-")[1]}`, "uv");

  it("is fetched from an index that asks for a password, which nothing shows", async function () {
    if (`${process.platform} ${process.arch}` !== "linux x64") this.skip();
    this.timeout(60_000);
    const zip = storedZip("uv-1.data/scripts/uv", "#!/bin/sh\necho made up\n");
    const { status, printed, asked } = await fetched(zip);
    assert.equal(status, 0, printed);
    assert.equal(readFileSync(uv(), "utf8"), "#!/bin/sh\necho made up\n");
    assert.equal(asked.length, 2);
    const basic = `Basic ${Buffer.from("me:secret").toString("base64")}`;
    assert.ok(asked.every(({ authorization }) => authorization === basic));
    assert.doesNotMatch(printed, /secret/);
    assert.doesNotMatch(readFileSync(join(folder, ".local/log/setup-uv.log"), "utf8"), /secret/);
  });

  it("is refused when it is not the one that is pinned", async function () {
    if (`${process.platform} ${process.arch}` !== "linux x64") this.skip();
    this.timeout(60_000);
    const zip = storedZip("uv-1.data/scripts/uv", "something else");
    const { status, printed } = await fetched(zip, "what was pinned");
    assert.match(printed, /uv-\S+\.whl is not the uv \S+ that is pinned/);
    assert.doesNotMatch(printed, /secret/);
    assert.equal(status, 1);
    assert.equal(existsSync(uv()), false, printed);
  });
});

/** A zip archive of one file, not compressed. */
function storedZip(path, text) {
  const [name, content] = [Buffer.from(path), Buffer.from(text)];
  const local = Buffer.alloc(30);
  local.writeUInt32LE(0x04034b50, 0);
  local.writeUInt16LE(name.length, 26);
  const central = Buffer.alloc(46);
  central.writeUInt32LE(0x02014b50, 0);
  central.writeUInt32LE(content.length, 20);
  central.writeUInt32LE(content.length, 24);
  central.writeUInt16LE(name.length, 28);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt32LE(local.length + name.length + content.length, 16);
  return Buffer.concat([local, name, content, central, name, end]);
}

describe("fileInZip", () => {
  it("reads the file that is asked for, and says which one is not there", () => {
    const zip = storedZip("a/b/c", "text");
    assert.equal(fileInZip(zip, "/c").toString(), "text");
    assert.throws(() => fileInZip(zip, "/d"), { message: "the archive has no file /d" });
  });
});

describe("a Node.js that is too old", () => {
  for (const program of ["cli.mjs"]) {
    it("is refused in one line, before anything else", () => {
      // The version is what the module that checks it sees; nothing else has run by then.
      const old = `Object.defineProperty(process.versions, "node", { value: "18.20.4" });
        process.argv[1] = ${JSON.stringify(program)};
        await import(${JSON.stringify(join(root, "tools", program))});`;
      const options = { cwd: folder, encoding: "utf8" };
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ["--input-type=module", "-e", old],
        options,
      );
      assert.equal(status, 1);
      assert.equal(stdout, "");
      assert.match(
        stderr,
        /^error: Node\.js must be 20 or newer \(got 18\.20\.4, .*\); install .*\n$/,
      );
    });
  }
});
