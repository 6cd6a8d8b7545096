import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import fc from "fast-check";

import { quote } from "../../components/lib/quote";

describe("quote", function () {
  this.timeout(60_000);

  it("leaves harmless words as they are", () => {
    assert.equal(quote("ippctl", "engines", "--count", "2"), "ippctl engines --count 2");
  });

  it("quotes what a shell would change", () => {
    assert.equal(quote("it's", "a b", "$HOME", ""), `'it'\\''s' 'a b' '$HOME' ''`);
  });

  it("refuses a NUL byte", () => {
    assert.throws(() => quote("a\0b"), /NUL/);
  });

  it("brings any word through a real shell unchanged", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { maxLength: 5 }), (words) => {
        const sent = words.map((word) => Buffer.from(word.replaceAll("\0", "")).toString());
        const command = `printf '%s\\0' ${quote("start", ...sent)}`;
        const received = execFileSync("sh", ["-c", command]).toString().split("\0").slice(0, -1);
        assert.deepEqual(received, ["start", ...sent]);
      }),
      { numRuns: 50 },
    );
  });
});
