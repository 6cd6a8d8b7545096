import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Mistake } from "../../components/lib/mistake";
import { clusterOfStackFile } from "../../config/stackFile";

describe("a stack file that is read without Pulumi", () => {
  let folder: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "ipyparallel-stack-file-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  const write = (text: string) => {
    writeFileSync(join(folder, "Pulumi.lab.yaml"), text);
  };
  const mistake = (stack: string, message: RegExp) => {
    assert.throws(
      () => clusterOfStackFile(stack, folder),
      (error) => error instanceof Mistake && message.test(error.message),
    );
  };

  it("is the cluster in it", () => {
    write("config:\n  other:key: 1\n  ipyparallel:cluster: { workers: [{ name: w1 }] }\n");
    assert.deepEqual(clusterOfStackFile("lab", folder), { workers: [{ name: "w1" }] });
  });

  it("that is not there is told with those that are", () => {
    write("");
    mistake("lap", /^there is no stacks\/Pulumi\.lap\.yaml; the stacks are lab$/);
  });

  it("that is no YAML is told with its name and the line", () => {
    write("config:\n  a: 1\n b: 2\n");
    mistake("lab", /stacks\/Pulumi\.lab\.yaml: .* line 3/);
  });

  it("that is empty, or no map, lacks its cluster", () => {
    for (const text of ["", "config:\n", "- 1\n"]) {
      write(text);
      mistake("lab", /ipyparallel:cluster: is missing/);
    }
  });

  it("is told of an unknown key of the project along with all else", () => {
    write("config:\n  ipyparallel:clutser: 1\n  ipyparallel:cluster: { workers: 3 }\n");
    mistake("lab", /has 2 mistakes[^]*ipyparallel:clutser: unknown key, did you mean "cluster"\?/);
  });
});
