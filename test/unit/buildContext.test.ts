import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buffer } from "node:stream/consumers";

import { hashContext } from "../../components/lib/context";
import { packContext } from "../../components/scripts/build-context.cjs";

describe("the context of an image", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ipyparallel-context-"));
    write("Dockerfile", "FROM scratch\n");
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  const write = (path: string, content: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  };
  const listed = async () => {
    const archive = await buffer(packContext(folder).stdout);
    return execFileSync("tar", ["--list", "--verbose"], { input: archive, encoding: "utf8" })
      .trimEnd()
      .split("\n")
      .map((line) => line.replace(/^(\S+) (\S+)\s+\d+ (\S+ \S+) \.\//, "$1 $2 $3 "));
  };
  /** Whether something changes the hash. */
  const changes = (change: () => void) => {
    const before = hashContext(folder);
    change();
    return hashContext(folder) !== before;
  };

  it("has what .dockerignore does not exclude, and the Dockerfile in any case", async () => {
    write(".dockerignore", "# all but\n*\n!keep\nkeep/*.log\n  \n!deep/er/file\n");
    for (const path of ["drop", "keep/a", "keep/b.log", "deep/er/file", "deep/er/other"]) {
      write(path, path);
    }
    const paths = (await listed()).map((line) => line.split(" ").at(-1));
    assert.deepEqual(paths, ["Dockerfile", "deep/", "deep/er/", "deep/er/file", "keep/", "keep/a"]);
  });

  it("prefers Dockerfile.dockerignore, as Docker does, and heeds upper case", async () => {
    write(".dockerignore", "a\n");
    write("Dockerfile.dockerignore", "B\n");
    ["a", "b", "B"].forEach((path) => write(path, ""));
    const paths = (await listed()).map((line) => line.split(" ").at(-1));
    assert.ok(paths.includes("a") && paths.includes("b") && !paths.includes("B"), String(paths));
  });

  it("does not change with files that are ignored, and does with all others", () => {
    write(".dockerignore", "notes\ncache/**\n");
    mkdirSync(join(folder, "cache"));
    assert.equal(
      changes(() => write("notes/today", "1")),
      false,
    );
    assert.equal(
      changes(() => write("cache/a/b", "1")),
      false,
    );
    assert.equal(
      changes(() => write("code/__pycache__/x.pyc", "1")),
      true,
      "the folder code",
    );
    assert.equal(
      changes(() => write("code/__pycache__/x.pyc", "2")),
      false,
    );
    assert.equal(
      changes(() => write("code/x.py", "1")),
      true,
    );
    assert.equal(
      changes(() => chmodSync(join(folder, "code/x.py"), 0o755)),
      true,
    );
    assert.equal(
      changes(() => symlinkSync("x.py", join(folder, "code/link"))),
      true,
    );
    assert.equal(
      changes(() => mkdirSync(join(folder, "empty"))),
      true,
    );
    assert.equal(
      changes(() => write("Dockerfile", "FROM other\n")),
      true,
    );
  });

  it("is the same whenever, by whomever and with whatever umask its files were written", async () => {
    write("run", "#!/bin/sh\n");
    write("data", "1\n");
    chmodSync(join(folder, "run"), 0o700);
    chmodSync(join(folder, "data"), 0o600);
    const [before, hash] = [await listed(), hashContext(folder)];
    chmodSync(join(folder, "run"), 0o775);
    chmodSync(join(folder, "data"), 0o664);
    utimesSync(join(folder, "data"), 1, 1);
    assert.deepEqual([await listed(), hashContext(folder)], [before, hash]);
    assert.match(before.join("\n"), /^-rw-r--r-- 0\/0 2020-01-01 .* data$/m);
    assert.match(before.join("\n"), /^-rwxr-xr-x 0\/0 2020-01-01 .* run$/m);
  });

  it("leaves out what is no file: a pipe would be waited for", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    assert.deepEqual(
      (await listed()).map((line) => line.split(" ").at(-1)),
      ["Dockerfile"],
    );
  });

  const isRoot = process.getuid?.() === 0;
  (isRoot ? it : it.skip)(
    "names a file that can't be read, unless it is ignored (as root alone: it becomes another user)",
    () => {
      write("private/key", "k");
      write("token", "t");
      chmodSync(folder, 0o755);
      chmodSync(join(folder, "private"), 0o700);
      chmodSync(join(folder, "token"), 0o600);
      const asNobody = () => {
        const program =
          "process.setgid(65534); process.setuid(65534);" +
          "try { console.log(context.hashContext(process.argv[1])) }" +
          "catch (error) { console.log(error.message) }";
        const script = require.resolve("../../components/scripts/build-context.cjs");
        const loaded = `const context = require(${JSON.stringify(script)}); ${program}`;
        return spawnSync(process.execPath, ["-e", loaded, folder], { encoding: "utf8" }).stdout;
      };
      const remedy = "change its permissions, or list it in .dockerignore";
      const message = (path: string) =>
        `image context ${folder}: ${path} must be readable (got EACCES); ${remedy}\n`;
      assert.equal(asNobody(), message("private"));
      write(".dockerignore", "private\n");
      assert.equal(asNobody(), message("token"));
      write(".dockerignore", "private\ntoken\n");
      assert.match(asNobody(), /^[0-9a-f]{64}\n$/);
    },
  );

  it("must be a folder", () => {
    assert.throws(() => hashContext(join(folder, "nowhere")), {
      name: "Mistake",
      message: /nowhere: must be a folder that can be read \(got ENOENT\); correct the path$/,
    });
  });
});
