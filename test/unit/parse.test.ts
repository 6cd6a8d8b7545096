import assert from "node:assert/strict";

import { ConfigError, parseCluster } from "../../config/parse";
import { editDistance } from "../../config/words";

function mistakes(value: unknown): string[] {
  try {
    parseCluster(value);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.mistakes;
  }
  return [];
}

const workers = [{ name: "w1" }];

describe("parseCluster", () => {
  it("accepts the least there can be", () => {
    assert.deepEqual(parseCluster({ workers }), { workers });
  });

  const wrong: [string, unknown, RegExp][] = [
    ["nothing", undefined, /ipyparallel:cluster: is missing/],
    ["no map", 3, /ipyparallel:cluster: 3 is given; allowed is a map with the keys/],
    ["no workers", {}, /^workers: is missing; allowed is a list/],
    [
      "an empty list of workers",
      { workers: [] },
      /^workers: \[\] is given; allowed is a list of at/,
    ],
    ["an unknown key", { workers, profil: "x" }, /^profil: unknown key, did you mean "profile"\?/],
    [
      "a worker's unknown key",
      { workers: [{ name: "w1", engine: 2 }] },
      /^workers\[0\].engine: .*"engines"/,
    ],
    ["0 engines", { workers: [{ name: "w1", engines: 0 }] }, /engines: 0 is given; .* 1 to 512/],
    ["-1 engines", { workers: [{ name: "w1", engines: -1 }] }, /engines: -1 is given; .* 1 to 512/],
    ["engines in words", { workers: [{ name: "w1", engines: "two" }] }, /engines: "two" is given/],
    ["half an engine", { workers: [{ name: "w1", engines: 1.5 }] }, /engines: 1.5 is given/],
    [
      "a port out of range",
      { workers: [{ name: "w1", sshPort: 70000 }] },
      /70000 .* 1024 to 65535/,
    ],
    ["a base port without room", { workers, controller: { basePort: 65530 } }, /1024 to 65517/],
    [
      "a bad name",
      { workers: [{ name: "W 1" }] },
      /name: "W 1" is given; allowed is 1 to 40 lower/,
    ],
    ["the controller's name", { workers: [{ name: "controller" }] }, /controller's own name/],
    [
      "a worker twice",
      { workers: [{ name: "a" }, { name: "a" }] },
      /workers\[1\].name: "a" .* workers\[0\]/,
    ],
    [
      "a host that is not there",
      { workers: [{ name: "a", host: "locl" }] },
      /did you mean "local"\?/,
    ],
    [
      "a bad endpoint",
      { workers, hosts: { a: { docker: "tcp://x" } } },
      /hosts.a.docker: "tcp:\/\/x"/,
    ],
    ["a bad name of a host", { workers, hosts: { "A B": { docker: "ssh://x" } } }, /hosts.A B: /],
  ];
  for (const [title, value, message] of wrong) {
    it(`refuses ${title}`, () => {
      const found = mistakes(value);
      assert.equal(found.length, 1, found.join("\n"));
      assert.match(found[0] as string, message);
    });
  }

  const onLoopback: [string, object][] = [
    ["this machine", { a: { docker: "unix:///x", bind: "127.0.0.1" } }],
    ["a name of it", { a: { docker: "unix:///x", address: "here", bind: "127.0.0.1" } }],
    ["this machine by SSH", { a: { docker: "ssh://root@localhost", bind: "127.0.0.1" } }],
    [
      "a host that is its own bastion",
      {
        a: {
          docker: "ssh://root@192.0.2.1",
          address: "127.0.0.1",
          bind: "127.0.0.1",
          bastion: { host: "192.0.2.1" },
        },
      },
    ],
  ];
  for (const [title, hosts] of onLoopback) {
    it(`accepts ports published on a loopback address of ${title}`, () => {
      assert.deepEqual(mistakes({ workers, hosts }), []);
    });
  }

  it("names every mistake at once, also of both kinds", () => {
    const found = mistakes({
      profil: "x",
      workers: [{ name: "a", engines: 0 }, { name: "a" }, { name: "b", host: "nowhere" }],
    });
    assert.equal(found.length, 4, found.join("\n"));
  });
});

describe("editDistance", () => {
  it("counts insertions, removals, changes and swaps", () => {
    assert.equal(editDistance("hsots", "hosts"), 1);
    assert.equal(editDistance("engine", "engines"), 1);
    assert.equal(editDistance("", "abc"), 3);
    assert.equal(editDistance("kitten", "sitting"), 3);
  });
});
