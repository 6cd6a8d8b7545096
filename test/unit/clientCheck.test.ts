import assert from "node:assert/strict";

import { clientTable, compareClient } from "../../config/clientCheck";
import { clientWarning } from "../../config/clientWarning";

const engine = {
  python: "3.13.5",
  packages: {
    ipyparallel: "9.2.0",
    numpy: "2.3.1",
    pyzmq: "27.0.0",
    ipykernel: "7.0.0",
    scipy: "1.16",
  },
};
const compare = (python: string, packages: Record<string, string>) =>
  compareClient(
    { python, packages: { ...engine.packages, ...packages } },
    { w1: engine, w2: engine },
  );
const broken = (rows: ReturnType<typeof compare>) =>
  rows.filter(({ breaks }) => breaks).map(({ name }) => name);

describe("a client of the user's own", () => {
  it("works with another patch of Python and other helpers", () => {
    const rows = compare("3.13.0", { pyzmq: "26.4.0", ipykernel: "6.30.1", own: "1" });
    assert.deepEqual(broken(rows), []);
    const names = rows.map(({ name }) => name);
    assert.deepEqual(names, ["Python", "ipyparallel", "numpy", "pyzmq", "ipykernel"]);
    assert.match(clientTable(rows), /\n\nThis Python works as a client\.$/);
  });

  it("does not with another minor version, or another numpy or ipyparallel", () => {
    assert.deepEqual(broken(compare("3.12.9", {})), ["Python"]);
    assert.deepEqual(broken(compare("3.13.5", { numpy: "1.26.4" })), ["numpy"]);
    assert.deepEqual(broken(compare("3.13.5", { ipyparallel: "8.8.0" })), ["ipyparallel"]);
    const table = clientTable(compare("3.12.9", { numpy: "1.26.4" }));
    assert.match(table, /Python +3\.12\.9 +3\.13\.5 +! functions .* Python 3\.13, .*"3\.12"/);
    assert.match(table, /numpy +1\.26\.4 +2\.3\.1 +! arrays .* install numpy==2\.3\.1/);
    assert.match(table, /This Python does not work as a client: Python, numpy\.$/);
  });

  it("may have other versions of what both have, which is named", () => {
    const rows = compare("3.13.5", { scipy: "1.15.0" });
    assert.deepEqual(broken(rows), []);
    assert.match(clientTable(rows), /scipy +1\.15\.0 +1\.16 +install scipy==1\.16 if objects/);
  });

  it("needs what it lacks, also where engines are not alike", () => {
    const bare = compareClient(
      { python: "3.13.1", packages: {} },
      { w1: engine, w2: { ...engine, python: "3.11.2" } },
    );
    assert.deepEqual(broken(bare), ["Python", "ipyparallel"]);
    assert.equal(bare[0]?.engines, "3.11.2, 3.13.5");
  });
});

describe("the client that setup made", () => {
  const running = (python?: string) => ({ state: "running", status: { python } });
  const probe = (python?: string) => ({
    taken: [],
    parts: new Map([
      ["controller", running("3.11.2")],
      ["w1", running(python)],
    ]),
  });

  it("is warned of where workers have another Python, by their names", () => {
    const warning = clientWarning("3.13", [probe("3.13.5"), probe("3.12.1")]);
    assert.match(warning ?? "", /^the client in \.local\/venv has Python 3\.13, .*\(w1 3\.12\)/);
    assert.equal(clientWarning("3.13", [probe("3.13.5")]), undefined);
    assert.equal(clientWarning(undefined, [probe("3.12.1")]), undefined);
    assert.equal(clientWarning("3.13", [probe()]), undefined);
  });
});
