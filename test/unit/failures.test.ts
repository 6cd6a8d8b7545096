import assert from "node:assert/strict";

import { planCluster } from "../../components/lib/plan";
import { type EngineEvent, failuresOf } from "../../config/failures";

const plan = planCluster("dev", {
  hosts: { a: { docker: "ssh://root@192.0.2.1" }, b: { docker: "ssh://root@192.0.2.2" } },
  images: { own: { context: "own" } },
  workers: [
    { name: "w1", host: "a" },
    { name: "w2", host: "b", image: "own" },
    { name: "w3", host: "b", image: "own", mounts: [{ volume: "v", target: "/data" }] },
    { name: "w4", host: "a", image: "own" },
  ],
});

const urn = (name: string) => `urn:pulumi:dev::ipyparallel::a:b:C$docker:index/x:X::dev-${name}`;
const step = (name: string, op: string) => ({ metadata: { op, urn: urn(name) } });
const failed = (name: string, message: string, op = "create"): EngineEvent[] => [
  { diagnosticEvent: { urn: urn(name), severity: "error", message } },
  { resOpFailedEvent: step(name, op) },
];
const checked = (op: string): EngineEvent => ({ resOutputsEvent: step("readiness-check", op) });
const ready = checked("update");

const BUILD = `exit status 1: running "node components/scripts/build-image.cjs":
#5 [2/2] RUN make
#5 0.2 make: no compiler
make: no compiler
`;

describe("failuresOf", () => {
  it("names each worker whose image can't be built, its host and the reason", () => {
    const reason = "image own: make: no compiler";
    assert.deepEqual(failuresOf(plan, [...failed("image-own-b-own", BUILD), ready]), {
      lines: [`worker w2 on host b: ${reason}`, `worker w3 on host b: ${reason}`],
      othersReady: true,
    });
  });

  it("tells the same where Pulumi marks colours, as at a terminal", () => {
    const marked = `<{%reset%}>${BUILD}<{%reset%}>\n`;
    assert.deepEqual(
      failuresOf(plan, failed("image-own-b-own", marked)).lines,
      failuresOf(plan, failed("image-own-b-own", BUILD)).lines,
    );
  });

  it("names the controller as well, if it can't be brought up", () => {
    const { lines, othersReady } = failuresOf(plan, [...failed("network-a", "no"), ready]);
    assert.deepEqual(lines, [
      "controller on host a: network: no",
      "worker w1 on host a: network: no",
      "worker w4 on host a: network: no",
    ]);
    assert.equal(othersReady, false);
  });

  const dials: [string, RegExp][] = [
    [
      "after 10 failed attempts: dial tcp 192.0.2.2:21234: i/o timeout",
      /: engines: after 10 .* i\/o timeout; nothing comes back from there: open the ports that docs\/several-machines.md lists/,
    ],
    [
      "after 10 failed attempts: dial tcp 192.0.2.2:21234: SSH handshake: context deadline exceeded",
      /; what listens there says nothing/,
    ],
    [
      "after 10 failed attempts: ssh: rejected: administratively prohibited (open failed)",
      /; the bastion may not forward there/,
    ],
    [
      "after 10 failed attempts: dial tcp: lookup far on 10.0.0.53:53: no such host",
      /; this machine can't resolve the name/,
    ],
    ["after 10 failed attempts: dial tcp 192.0.2.2:21234: connection refused", /refused$/],
  ];
  for (const [message, line] of dials) {
    it(`says what to do after "${message.slice(26)}"`, () => {
      const [first] = failuresOf(plan, [...failed("w2-engines-start", message), ready]).lines;
      assert.match(first ?? "", line);
    });
  }

  it("takes what can't be removed for nobody's failure, and for one of the run", () => {
    const events = [...failed("w3-container", "no"), ...failed("network-b", "in use", "delete")];
    const { lines, othersReady } = failuresOf(plan, [...events, ready]);
    assert.deepEqual(lines, ["worker w3 on host b: container: no"]);
    assert.equal(othersReady, false);
  });

  const parts: [string, string][] = [
    ["w3-container", "container"],
    ["w3-engines-start", "engines"],
    ["volume-v-b", "volumes"],
  ];
  for (const [name, part] of parts) {
    it(`names the worker whose ${part} failed`, () => {
      assert.deepEqual(failuresOf(plan, [...failed(name, "no\n"), ready]), {
        lines: [`worker w3 on host b: ${part}: no`],
        othersReady: true,
      });
    });
  }

  it("tells the first step where several failed", () => {
    const events = [...failed("w3-container", "late"), ...failed("image-own-b-build", "early")];
    const { lines } = failuresOf(plan, events);
    assert.deepEqual(lines.at(-1), "worker w3 on host b: image own: early");
  });

  const notReady: [string, EngineEvent[]][] = [
    ["nothing is known to have failed", [ready]],
    ["the others were not asked", failed("w3-container", "no")],
    ...["refresh", "delete", "delete-replaced"].map((op): [string, EngineEvent[]] => [
      `there was only a ${op} of the check`,
      [...failed("w3-container", "no"), checked(op)],
    ]),
    [
      "the check was only planned",
      [
        ...failed("w3-container", "no"),
        { resOutputsEvent: { ...step("readiness-check", "update"), planning: true } },
      ],
    ],
    [
      "something else failed, too",
      [...failed("w3-container", "no"), ...failed("w9-container", "no"), ready],
    ],
    [
      "the profile could not be written",
      [...failed("w3-container", "no"), ...failed("controller-client", "no"), ready],
    ],
  ];
  for (const [title, events] of notReady) {
    it(`does not call the others ready where ${title}`, () => {
      assert.equal(failuresOf(plan, events).othersReady, false);
    });
  }
});
