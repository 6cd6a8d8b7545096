import assert from "node:assert/strict";

import { planCluster } from "../../components/lib/plan";
import type { EngineStatus, PartStatus, Probe } from "../../config/preflight";
import { clusterStatus } from "../../config/status";

const plan = planCluster("dev", {
  hosts: { a: { docker: "ssh://root@192.0.2.1" }, b: { docker: "ssh://root@192.0.2.2" } },
  workers: [
    { name: "w1", host: "a" },
    { name: "w2", host: "b" },
  ],
});

/** A host whose containers run, and say this. */
function host(parts: Record<string, PartStatus>): Probe {
  const running = Object.entries(parts).map(
    ([part, status]) => [part, { state: "running", status }] as const,
  );
  return { docker: "27.0.1", taken: [], parts: new Map(running) };
}

const engine = (worker: string): EngineStatus => ({
  slot: 1,
  ident: `${worker}-1-x`,
  state: "registered",
  worker,
});
const controller = { state: "answering", engines: [engine("w1"), engine("w2")] };
const works = (worker: string) => ({ superseded: false, engines: [engine(worker)] });
const superseded = { superseded: true, engines: [] };

/** What is missing of a cluster on these hosts. */
function missing(a: Record<string, PartStatus>, b: Record<string, PartStatus>): string[] {
  const probes = new Map([
    ["a", host({ controller, ...a })],
    ["b", host(b)],
  ]);
  return clusterStatus(plan, probes).missing;
}

describe("clusterStatus", () => {
  it("misses nothing of a cluster that is as declared", () => {
    assert.deepEqual(missing({ w1: works("w1") }, { w2: works("w2") }), []);
  });

  it("names engines that end again and again, also while they are there", () => {
    const reason = "ended by signal SIGKILL: out of memory";
    const ends = (recent_ends: number) => ({
      superseded: false,
      engines: [{ ...engine("w1"), recent_ends, reason }],
    });
    assert.deepEqual(missing({ w1: ends(2) }, { w2: works("w2") }), []);
    assert.deepEqual(missing({ w1: ends(7) }, { w2: works("w2") }), [
      `w1: engine 1 ended 7 times in the last 2 minutes: ${reason}`,
    ]);
  });

  it("names engines that could not start with what is in their home folder", () => {
    const engines = [{ ...engine("w1"), without_home: "exited with status 1: SystemExit: 1" }];
    const [line] = missing({ w1: { superseded: false, engines } }, { w2: works("w2") });
    assert.match(
      line ?? "",
      /^w1: engine 1 runs without .* \/home\/ipp, .*\(exited .* SystemExit: 1\); .*`docker restart ipp-dev-w1`$/,
    );
  });

  it("tells of the old container of a worker that was moved", () => {
    assert.deepEqual(missing({ w1: works("w1") }, { w1: superseded, w2: works("w2") }), [
      "w1: an old container of it is left on host b, without engines; remove it there: " +
        "`docker rm -fv ipp-dev-w1`",
    ]);
  });

  it("does not count another cluster's containers, and names whose they are", () => {
    const container = { kind: "container", id: "c", cluster: "dev", owner: "other" } as const;
    const foreign = [
      { ...container, name: "ipp-dev-controller", part: "controller" },
      { ...container, name: "ipp-dev-w1", part: "w1" },
    ];
    const probes = new Map([
      ["a", { ...host({}), foreign }],
      ["b", host({ w2: works("w2") })],
    ]);
    const { controller: found, workers, missing } = clusterStatus(plan, probes, ["a note"]);
    assert.deepEqual([found.container, found.state], ["foreign", "unknown"]);
    assert.deepEqual(
      workers.map(({ container, answering }) => [container, answering]),
      [
        ["foreign", 0],
        ["running", 1],
      ],
    );
    assert.equal(missing.length, 2, missing.join("\n"));
    assert.match(
      missing[0] ?? "",
      /^host a: another cluster, dev \(owner other\), has container ipp-dev-controller, container ipp-dev-w1 there/,
    );
    assert.equal(missing[1], "a note");
  });

  it("tells of a worker that was set up in another container than the declared one", () => {
    assert.deepEqual(missing({ w1: superseded }, { w2: works("w2") }), [
      "w1: was set up in another container since; `npm run up` sets it up in this one again",
    ]);
  });
});
