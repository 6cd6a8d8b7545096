import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";

import { firewallRules } from "../../components/lib/portPlan";
import { planCluster } from "../../components/lib/plan";

const plan = planCluster("test-firewall", {
  controllerHost: "v4",
  imageContext: "docker",
  hosts: {
    v4: { docker: "ssh://root@192.0.2.10" },
    v6: { docker: "ssh://root@[fd77::11]" },
    named: { docker: "ssh://root@host.example.org" },
  },
  workers: [
    { name: "a", host: "v4" },
    { name: "b", host: "v6" },
    { name: "c", host: "named" },
  ],
});
const rules = firewallRules(plan.portRules);

/** Runs nft in a network of its own, with a firewall that lets nothing in. */
function nft(text: string): string {
  const closed = `table inet filter {
  chain input { type filter hook input priority filter; policy drop; counter drop; }
  chain forward { type filter hook forward priority filter; policy drop; counter drop; }
}`;
  const script = 'printf %s "$1" | nft -f - && printf %s "$2" | nft -f - && nft list ruleset';
  return execFileSync("unshare", ["--net", "sh", "-c", script, "sh", closed, text], {
    encoding: "utf8",
  });
}

describe("the port plan as rules of a firewall", () => {
  for (const host of ["v4", "v6", "named"]) {
    it(`is taken by nft, before what drops all, on host ${host}`, () => {
      const listed = nft(rules[host]?.nft ?? "");
      const chains = listed.split(/chain (?=input|forward)/).slice(1);
      assert.equal(chains.length, 2);
      for (const chain of chains) {
        assert.ok(
          chain.indexOf("accept comment") < chain.indexOf("counter packets 0 bytes 0 drop"),
        );
        for (const { from, host: on } of plan.portRules) {
          assert.equal(
            new RegExp(`dport ${String(from)}|proto-dst ${String(from)}`).test(chain),
            on === host,
          );
        }
      }
    });

    it(`is taken by ufw on host ${host}`, () => {
      for (const line of (rules[host]?.ufw ?? "").split("\n")) {
        const words = [...line.matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);
        assert.equal(words.shift(), "ufw");
        const told = execFileSync("ufw", ["--dry-run", ...words], { encoding: "utf8" });
        assert.match(told, /^### tuple ### allow tcp /m);
      }
    });
  }

  it("says who connects to whom, each port once", () => {
    const controller = plan.portRules.filter(({ part }) => part === "controller");
    assert.deepEqual(
      controller.map(({ purpose, peers, from, to }) => [purpose, peers, to - from + 1]),
      [
        ["registration", "clients, v6, named", 1],
        ["engines", "v6, named", 8],
        ["clients", "clients", 6],
        ["SSH", "pulumi", 1],
      ],
    );
  });
});
