import assert from "node:assert/strict";

import { resolveHost } from "../../components/lib/hosts";
import { Mistake } from "../../components/lib/mistake";
import { sshConnection } from "../../components/lib/ssh";

describe("sshConnection", () => {
  it("names a key for the bastion that can't be read", () => {
    const host = resolveHost({
      docker: "ssh://root@192.0.2.1",
      bastion: { host: "gate" },
      identityFile: "/nowhere/id_ed25519",
    });
    assert.throws(
      () => sshConnection({ host, port: 22, hostKey: "", privateKey: "" }),
      (error) =>
        error instanceof Mistake && /^identityFile \/nowhere\/id_ed25519, /.test(error.message),
    );
  });
});
