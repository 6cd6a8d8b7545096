import assert from "node:assert/strict";

import { ConfigError } from "../../config/parse";
import { secretTexts, withoutSecrets } from "../../config/secrets";

const secure = (text: string) => ({ secure: `v1:${text}` });

describe("secrets in a stack file", () => {
  const raw = {
    defaults: { env: { TOKEN: secure("abc="), PLAIN: "x" } },
    workers: [{ name: "w", overrides: { "w-1": { env: { OTHER: secure("def=") } } } }],
  };

  it("are texts in env to those who can't decrypt them", () => {
    assert.deepEqual(withoutSecrets(raw), {
      defaults: { env: { TOKEN: "[secret]", PLAIN: "x" } },
      workers: [{ name: "w", overrides: { "w-1": { env: { OTHER: "[secret]" } } } }],
    });
  });

  it("are found in what Pulumi has decrypted", () => {
    const decrypted = {
      defaults: { env: { TOKEN: "t0ken", PLAIN: "x" } },
      workers: [{ name: "w", overrides: { "w-1": { env: { OTHER: "other" } } } }],
    };
    assert.deepEqual(secretTexts(raw, decrypted), new Set(["t0ken", "other"]));
  });

  const rule = (path: string) =>
    `${path}: must not be a secret (got \`secure:\`); only variables of an env can be, set it in plain text`;
  for (const [path, value] of [
    ["ipyparallel:cluster", secure("x")],
    ["workers[0].memory", { workers: [{ name: "w", memory: secure("x") }] }],
    ["workers[0].env", { workers: [{ name: "w", env: secure("x") }] }],
    ["workers[0].mounts[0].source", { workers: [{ mounts: [{ source: secure("x") }] }] }],
    ["hosts.a.identityFile", { hosts: { a: { identityFile: secure("x") } } }],
    ["images.default.packages[1]", { images: { default: { packages: ["a", secure("x")] } } }],
    ["workers[0].labels.a", { workers: [{ labels: { a: secure("x") } }] }],
  ] as const) {
    it(`can't be elsewhere: ${path}`, () => {
      assert.throws(
        () => withoutSecrets(value),
        (error: unknown) => {
          assert.ok(error instanceof ConfigError);
          assert.deepEqual(error.mistakes, [rule(path)]);
          return true;
        },
      );
    });
  }
});
