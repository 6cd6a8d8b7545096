import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { PROJECT } from "../documents";

/** A copy of the project, as a new clone of it would be, with all that set-up would fetch. */
export function copyOfProject(): string {
  const folder = mkdtempSync(join(tmpdir(), "ipyparallel-copy-"));
  const files = execFileSync(
    "git",
    ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    { cwd: PROJECT },
  );
  for (const file of files.toString().split("\0").filter(Boolean)) {
    cpSync(join(PROJECT, file), join(folder, file));
  }
  symlinkSync(join(PROJECT, "node_modules"), join(folder, "node_modules"));
  return folder;
}
