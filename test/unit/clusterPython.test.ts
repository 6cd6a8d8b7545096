import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { fits, requirements } from "../../config/pylock";
import {
  broughtUpWith,
  clusterPython,
  lacksRegistry,
  madeBaseImage,
  pythonChange,
} from "../../config/python";
import { planDeclared } from "../../config/resolve";

describe("the Python of a cluster", () => {
  const home = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "cluster-python-"));
    process.chdir(folder);
    mkdirSync(".local");
  });
  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });
  const note = (value: object) => {
    writeFileSync(".local/python.json", JSON.stringify(value));
  };

  it("is the library's own where nothing was noted", () => {
    const { version, pinned } = clusterPython();
    assert.deepEqual([version, pinned], ["3.11", false]);
  });

  it("is the user's, which setup noted, also of images that name none", () => {
    note({ version: "3.14", source: "python3 on the PATH" });
    assert.equal(clusterPython({ other: {} }).version, "3.14");
    const { images } = planDeclared("dev", {
      images: { other: {}, fixed: { python: 3.12 } },
      workers: [{ name: "w1" }],
    });
    const pythons = Object.entries(images).map(([name, { python }]) => `${name} ${python}`);
    assert.deepEqual(pythons.sort(), ["default 3.14", "fixed 3.12", "other 3.14"]);
  });

  it("is the one of the default image before that", () => {
    note({ version: "3.14", source: "python3 on the PATH" });
    const { version, pinned } = clusterPython({ default: { python: 3.12 } });
    assert.deepEqual([version, pinned], ["3.12", true]);
  });

  it("has the base image that setup made for it", () => {
    writeFileSync(".local/base-image-3.13", "made-here\n");
    assert.equal(madeBaseImage("3.13"), "made-here");
    assert.equal(madeBaseImage("3.11"), undefined);
    assert.equal(lacksRegistry(), true);
    writeFileSync(".local/base-image-3.13", "python:3.13-slim-bookworm\n");
    assert.equal(lacksRegistry(), false);
  });

  describe("that would change under a cluster that runs", () => {
    const mine = { version: "3.13", source: "the active virtual environment /x", pinned: false };

    it("is reported with both versions, the reason and how to pin it", () => {
      const change = pythonChange(mine, "3.11.2", undefined);
      assert.match(
        change?.message ?? "",
        /^the cluster's Python would change from 3\.11 to 3\.13,/,
      );
      assert.match(change?.message ?? "", /\(the active virtual environment \/x\)/);
      assert.match(change?.message ?? "", /Set images\.default\.python: "3\.11" .* or "3\.13"/);
    });

    it("stops an update of a cluster that was brought up elsewhere, or with another one", () => {
      assert.equal(pythonChange(mine, "3.11.2", undefined)?.stops, true);
      assert.equal(pythonChange(mine, "3.11.2", "3.12")?.stops, true);
      note({ version: "3.13", source: "", clusters: { lab: "3.11" } });
      assert.equal(pythonChange(mine, "3.11.2", broughtUpWith("lab"))?.stops, false);
    });

    it("is no matter where it stays, is pinned, or nobody knows what runs", () => {
      assert.equal(pythonChange(mine, "3.13.5", undefined), undefined);
      assert.equal(pythonChange({ ...mine, pinned: true }, "3.11.2", undefined), undefined);
      assert.equal(pythonChange(mine, undefined, undefined), undefined);
    });
  });
});

describe("requirements of a pylock.toml", () => {
  const wheel = (tags: string, hash: string) =>
    `{ url = "https://files.example/a/b/thing-1.0-${tags}.whl", hashes = { sha256 = "${hash}" } }`;
  const lock = `lock-version = "1.0"
[[packages]]
name = "thing"
version = "1.0"
marker = "sys_platform != 'win32'"
sdist = { url = "https://files.example/thing-1.0.tar.gz", hashes = { sha256 = "aa" } }
wheels = [${[
    wheel("cp313-cp313-manylinux_2_17_x86_64.manylinux2014_x86_64", "dd"),
    wheel("cp313-cp313-manylinux_2_17_aarch64.manylinux2014_aarch64", "cc"),
    wheel("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", "00"),
    wheel("cp313-cp313-win_amd64", "01"),
  ].join(", ")}]
[[packages]]
name = "far"
archive = { url = "https://files.example/far.zip", hashes = { sha256 = "ee" } }
`;

  it("have a hash for each file that an image with that Python can install", () => {
    assert.equal(
      requirements(lock, "3.13"),
      "thing==1.0 ; sys_platform != 'win32' \\\n    --hash=sha256:aa \\\n    --hash=sha256:cc \\\n" +
        "    --hash=sha256:dd\nfar @ https://files.example/far.zip \\\n    --hash=sha256:ee\n",
    );
    assert.equal(requirements("lock-version = '1.0'", "3.13"), "");
  });

  it("can't be had of a package without such a file", () => {
    const none = `[[packages]]\nname = "git-thing"\nversion = "1"`;
    assert.throws(() => requirements(none, "3.13"), {
      message: "git-thing has no file with a hash: name a released version",
    });
  });

  it("leave out wheels for other machines and other Pythons", () => {
    const fit = ["py3-none-any", "py2.py3-none-any", "cp37-abi3-manylinux_2_28_x86_64"];
    const not = [
      "cp312-cp312-linux_x86_64",
      "py3-none-macosx_11_0_arm64",
      "cp313-cp313t-linux_x86_64",
    ];
    const file = (tags: string) => `https://files.example/x-1-${tags}.whl`;
    assert.deepEqual(
      fit.filter((tags) => !fits(file(tags), "3.13")),
      [],
    );
    assert.deepEqual(
      not.filter((tags) => fits(file(tags), "3.13")),
      [],
    );
  });
});
