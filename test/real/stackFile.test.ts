import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { ProjectCopy } from "./projectCopy";
import { failureOf, TestStack } from "./testStack";

const NAME = "test-stack-file";
const GOOD = { workers: [{ name: "w1" }] };
const CLUSTER = "config:\n  ipyparallel:cluster:";

/** Texts of stack files that are not even the right YAML, and what `pulumi preview` says. */
const wrong: [string, string, RegExp][] = [
  [
    "a number for the cluster",
    `${CLUSTER} 3\n`,
    /ipyparallel:cluster: 3 is given; allowed is a map/,
  ],
  [
    "a text for the cluster",
    `${CLUSTER} workers\n`,
    /ipyparallel:cluster: "workers" is given; allowed is a map/,
  ],
  [
    "a list for the cluster",
    `${CLUSTER}\n    - name: w1\n`,
    /ipyparallel:cluster: \[\{"name":"w1"\}\] is given/,
  ],
  [
    "nothing for the cluster",
    `${CLUSTER}\n`,
    /ipyparallel:cluster: null is given; allowed is a map/,
  ],
  ["nothing at all", "", /ipyparallel:cluster: is missing; at least "workers" is needed/],
  [
    "another key",
    "config:\n  ipyparallel:clutser: {}\n",
    /ipyparallel:clutser: unknown key, did you mean "cluster"\?/,
  ],
  [
    "numbers for texts",
    `${CLUSTER}\n    profile: 12\n    workers: [{name: 1}]\n`,
    /profile: 12 is given[^]*workers\[0\]\.name: 1 is given/,
  ],
  [
    "a key twice",
    `${CLUSTER}\n    timeout: 10\n    timeout: 20\n`,
    /line 4: mapping key "timeout" already defined at line 3/,
  ],
  ["a tab", `${CLUSTER}\n\tworkers: []\n`, /line 3: found character that cannot start any token/],
  ["a bracket left open", `${CLUSTER}\n    workers: [{name: a\n`, /line 2: did not find expected/],
];

describe("a stack file that is wrong as YAML", function () {
  this.timeout(60_000);
  let stack: TestStack;
  before(async () => {
    stack = await TestStack.create(NAME, GOOD);
  });
  after(async () => {
    stack.declare(GOOD);
    await stack.remove();
  });

  for (const [title, text, message] of wrong) {
    it(`is told of ${title}`, async () => {
      writeFileSync(join(stack.folder, "stacks", `Pulumi.${NAME}.yaml`), text);
      const output = await failureOf(stack.preview());
      assert.match(output, message);
      assert.doesNotMatch(output, /\n\s+at .*\.[jt]s:\d+/, "there is a stack trace");
    });
  }
});

describe("a stack that was not brought up yet", function () {
  this.timeout(120_000);
  let copy: ProjectCopy;
  before(async () => {
    copy = await ProjectCopy.create("test-secret");
  });
  after(() => copy.remove());

  it("takes the registry's password, and its preview has it", async () => {
    copy.declare({ ...GOOD, registry: { address: "registry.example.org", username: "reader" } });
    const text = copy.keepSecret("ipyparallel:registryPassword", "open sesame");
    assert.match(text, /secure: ["']?v1:/);
    assert.doesNotMatch(text, /sesame/);
    await copy.run("preview");
  });
});
