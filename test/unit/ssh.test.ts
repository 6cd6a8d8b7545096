import assert from "node:assert/strict";

import { planCluster } from "../../components/lib/plan";
import { bastionMistakes } from "../../components/lib/ssh";

const bastion = { host: "gate" };

/** What keeps Pulumi from the bastions of a cluster on these hosts, with such an SSH agent. */
function mistakes(hosts: Record<string, object>, agent = ""): string[] {
  const { SSH_AUTH_SOCK } = process.env;
  process.env.SSH_AUTH_SOCK = agent;
  try {
    const machines = Object.entries(hosts).map(([name, settings], index) => [
      name,
      { docker: `ssh://root@192.0.2.${String(index)}`, ...settings },
    ]);
    return bastionMistakes(
      planCluster("dev", {
        hosts: Object.fromEntries(machines) as Record<string, { docker: string }>,
        workers: Object.keys(hosts)
          .filter((host) => host !== "unused")
          .map((host) => ({ name: host, host })),
      }),
    );
  } finally {
    if (SSH_AUTH_SOCK === undefined) {
      delete process.env.SSH_AUTH_SOCK;
    } else {
      process.env.SSH_AUTH_SOCK = SSH_AUTH_SOCK;
    }
  }
}

describe("bastionMistakes", () => {
  it("names hosts whose bastion Pulumi has no key for", () => {
    assert.deepEqual(
      mistakes({
        a: {},
        b: { bastion },
        c: { bastion, identityFile: "/nowhere/id_ed25519" },
        d: { bastion, identityFile: __filename },
      }),
      [
        "hosts.b.identityFile: is missing, and no SSH agent runs (SSH_AUTH_SOCK); the bastion gate needs a key",
        "hosts.c.identityFile: /nowhere/id_ed25519 can't be read (ENOENT: no such file or directory, " +
          "open '/nowhere/id_ed25519'); the bastion gate needs a key",
      ],
    );
  });

  it("is content with an agent, but not with one that is gone", () => {
    assert.deepEqual(mistakes({ a: {}, b: { bastion } }, __filename), []);
    assert.equal(mistakes({ a: {}, b: { bastion } }, "/nowhere/agent").length, 1);
  });

  it("passes over hosts that nothing is asked of", () => {
    assert.deepEqual(mistakes({ a: {}, b: { bastion, abandoned: true }, unused: { bastion } }), []);
  });
});
