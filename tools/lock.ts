// `npm run lock`: locks the Python packages of a stack's images.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { Mistake } from "../components/lib/mistake";
import { type Lock, locks, lockText, pins } from "../config/lock";
import { requirements } from "../config/pylock";
import { clusterOfStackFile } from "../config/stackFile";

const ROOT = join(__dirname, "..");

/** How locks are made. */
export interface LockOptions {
  /** All of them again, with the newest versions that the stack file allows. */
  upgrade?: boolean;
  /** Before `up` or `preview`: the program reports errors in a stack file, and "nothing to do" is no news. */
  first?: boolean;
}

/**
 * Makes the locks of a stack's images that are missing or not up to date; returns the exit status.
 *
 * @throws Mistake if the stack file has mistakes, or if its packages can't be locked.
 */
export function lock(stack: string, { upgrade = false, first = false }: LockOptions = {}): number {
  process.chdir(ROOT);
  let wanted: Lock[];
  try {
    wanted = locks(stack, clusterOfStackFile(stack).images);
  } catch (error) {
    if (first) {
      return 0;
    }
    throw error;
  }
  const outdated = wanted.filter((lock) => upgrade || !lock.upToDate);
  if (outdated.length > 0 && setUp() !== 0) {
    return 1;
  }
  for (const lock of outdated) {
    mkdirSync(dirname(lock.file), { recursive: true });
    writeFileSync(lock.file, lockText(lock, resolve(lock)));
    console.log(`${lock.file}: locked ${lock.packages.join(", ")}, and what they need`);
  }
  if (outdated.length === 0 && !first) {
    console.log(
      wanted.length === 0 ? `The images of ${stack} have no packages.` : "All is locked.",
    );
  }
  return 0;
}

/** Has uv there, which makes locks. */
function setUp(): number | null {
  return spawnSync("node", ["tools/cli.mjs", "setup", "lock"], { stdio: ["ignore", "ignore", 2] })
    .status;
}

function resolve({ image, packages, python }: Lock): string {
  const folder = mkdtempSync(join(tmpdir(), "lock-"));
  try {
    const constraints = join(folder, "pins.txt");
    writeFileSync(constraints, pins().join("\n"));
    const options = ["--quiet", "--universal", "--python-version", python, "--no-python-downloads"];
    const { status, stdout, stderr } = spawnSync(
      "node",
      [
        "tools/uv/run.mjs",
        ...["pip", "compile", "-", ...options, "--constraints", constraints],
        ...["--format", "pylock.toml", "--cache-dir", join(folder, "cache")],
      ],
      { input: packages.join("\n"), encoding: "utf8", maxBuffer: 1 << 28 },
    );
    if (status !== 0) {
      throw new Error(stderr.trim());
    }
    return requirements(stdout, python);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Mistake(`images.${image}.packages: can't be locked: ${reason}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
