import assert from "node:assert/strict";

import { ConfigError, parseCluster } from "../../config/parse";
import { wrongStackFiles } from "./wrongStackFiles";

function mistakes(value: unknown): string[] {
  try {
    parseCluster(value);
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.mistakes;
  }
  return [];
}

describe("wrong stack files", () => {
  it("are at least 100, all different", () => {
    assert.ok(wrongStackFiles.length >= 100);
    assert.equal(new Set(wrongStackFiles.map(([title]) => title)).size, wrongStackFiles.length);
  });

  for (const [title, cluster, ...expected] of wrongStackFiles) {
    it(`are told of ${title}`, () => {
      const found = mistakes(cluster);
      assert.equal(found.length, expected.length, found.join("\n"));
      for (const beginning of expected) {
        assert.ok(
          found.some((mistake) => mistake.startsWith(beginning)),
          `none of\n${found.join("\n")}\nbegins with\n${beginning}`,
        );
      }
    });
  }
});
