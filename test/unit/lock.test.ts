import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type Lock, locks, lockText } from "../../config/lock";

const PINS = "ipyparallel==9.2.0 \\\n    --hash=sha256:00\n";

describe("the lock of an image's packages", () => {
  const home = process.cwd();
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "lock-test-"));
    process.chdir(folder);
    mkdirSync("docker");
    writeFileSync("docker/requirements.txt", PINS);
  });
  afterEach(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true });
  });

  const of = (...packages: string[]) => locks("lab", { plots: { packages }, bare: {} });
  const write = (lock: Lock) => {
    mkdirSync(dirname(lock.file), { recursive: true });
    writeFileSync(lock.file, lockText(lock, "a==1 \\\n    --hash=sha256:00\n"));
  };

  it("is wanted for images with packages, beside the stack file", () => {
    const [lock, ...more] = of("a==1");
    assert.deepEqual(more, []);
    assert.equal(lock?.file, "stacks/locks/lab.plots.txt");
    assert.equal(lock.upToDate, false);
    assert.ok(!existsSync(lock.file));
  });

  it("is up to date for the same packages in any order, and for no others", () => {
    write(of("a==1", "b")[0] as Lock);
    assert.equal(of("b", "a==1")[0]?.upToDate, true);
    assert.equal(of("a==1")[0]?.upToDate, false);
    assert.equal(of("a==2", "b")[0]?.upToDate, false);
  });

  it("is that of the image's Python, with or without quotes", () => {
    const at = (python?: "3.11" | "3.13" | number) =>
      locks("lab", { plots: { packages: ["a==1"], python } })[0] as Lock;
    write(at());
    assert.equal(at("3.11").upToDate, true);
    assert.equal(at("3.13").upToDate, false);
    write(at("3.13"));
    assert.equal(at("3.13").upToDate, true);
    assert.equal(at(3.13).upToDate, true);
    assert.equal(at().upToDate, false);
  });

  it("is no longer up to date when what every image has moved", () => {
    write(of("a==1")[0] as Lock);
    writeFileSync("docker/requirements.txt", PINS.replace("9.2.0", "9.3.0"));
    assert.equal(of("a==1")[0]?.upToDate, false);
  });
});
