import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import fc from "fast-check";

import { deriveHostKey, deriveKeys, openssh, z85 } from "../../components/lib/keys";

const seeds = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((bytes) => Buffer.from(bytes).toString("base64"));
const seed = Buffer.alloc(32, 7).toString("base64");

describe("deriveKeys", () => {
  it("gives the same keys for the same seed and generation", () => {
    fc.assert(
      fc.property(seeds, fc.nat(), (value, generation) => {
        assert.deepEqual(deriveKeys(value, generation), deriveKeys(value, generation));
      }),
    );
  });

  it("gives other keys in each generation and for each seed", () => {
    const all = [deriveKeys(seed, 0), deriveKeys(seed, 1), deriveKeys(seed.replace("B", "C"), 0)];
    for (const pick of [
      (keys: (typeof all)[0]) => keys.hmac,
      (keys: (typeof all)[0]) => keys.curve.secret,
      (keys: (typeof all)[0]) => keys.client.private,
    ]) {
      assert.equal(new Set(all.map(pick)).size, all.length);
    }
  });

  it("accepts the seed with the newline that base64 ends it with", () => {
    assert.deepEqual(deriveKeys(`${seed}\n`, 0), deriveKeys(seed, 0));
  });

  it("refuses a seed that is too short", () => {
    assert.throws(() => deriveKeys("c2hvcnQ=", 0), /5 bytes is too short/);
  });

  it("gives each container a host key of its own", () => {
    assert.notEqual(deriveHostKey(seed, 0, "w1").public, deriveHostKey(seed, 0, "w2").public);
  });

  it("writes private keys that OpenSSH reads, with the public keys that belong to them", () => {
    const folder = mkdtempSync(join(tmpdir(), "keys-test-"));
    try {
      fc.assert(
        fc.property(seeds, (value) => {
          const { client } = deriveKeys(value, 0);
          const host = deriveHostKey(value, 0, "w1");
          const files = {
            [host.public]: host.private,
            [client.public]: openssh(createPrivateKey(client.private)),
          };
          for (const [key, content] of Object.entries(files)) {
            const file = join(folder, "key");
            writeFileSync(file, content, { mode: 0o600 });
            const read = execFileSync("ssh-keygen", ["-y", "-f", file]).toString().trim();
            assert.equal(read, key);
          }
        }),
        { numRuns: 10 },
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("z85", () => {
  it("encodes the example of RFC 32", () => {
    assert.equal(z85(Buffer.from("864fd26fb559f75b", "hex")), "HelloWorld");
  });
});
