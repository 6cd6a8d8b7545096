import assert from "node:assert/strict";

import { countGo, countJunit, summary } from "../../tools/test/counts.mjs";

describe("countJunit", () => {
  it("reads pytest's report; an error counts as a failure", () => {
    const xml =
      '<?xml version="1.0"?><testsuites name="pytest tests"><testsuite name="pytest" errors="1" failures="2" skipped="3" tests="10" time="1">';
    assert.deepEqual(countJunit(xml), { passed: 4, failed: 3, skipped: 3 });
  });
});

describe("countGo", () => {
  const event = (Action, Test, Package = "p") => ({ Action, Package, ...(Test && { Test }) });

  it("counts tests, and subtests instead of the test that has them", () => {
    const events = [
      event("run", "TestA"),
      event("pass", "TestA/one"),
      event("fail", "TestA/two"),
      event("fail", "TestA"),
      event("pass", "TestB"),
      event("skip", "TestC"),
      event("fail"),
    ];
    assert.deepEqual(countGo(events), { passed: 2, failed: 1, skipped: 1 });
  });

  it("counts a package that does not build as a failure", () => {
    const events = [event("pass", "TestA"), event("pass"), event("fail", undefined, "q")];
    assert.deepEqual(countGo(events), { passed: 1, failed: 1, skipped: 0 });
  });
});

describe("summary", () => {
  const result = { name: "unit", passed: 2, failed: 0, skipped: 1, took: "1.0 s" };

  it("ends with the sum over all suites", () => {
    const { text, ok } = summary([result, { ...result, name: "real", passed: 40 }]);
    assert.equal(text.split("\n").at(-1), "42 passed, 0 failed, 2 skipped");
    assert.equal(ok, true);
  });

  it("is not well when a test failed", () => {
    assert.equal(summary([{ ...result, failed: 1 }]).ok, false);
  });

  it("is not well when a suite had no tests", () => {
    const { text, ok } = summary([result, { ...result, name: "real", passed: 0, skipped: 0 }]);
    assert.equal(ok, false);
    assert.match(text, /real \(no tests found\)/);
    assert.equal(text.split("\n").at(-1), "2 passed, 1 failed, 1 skipped");
  });

  it("is not well when every test was skipped", () => {
    assert.equal(summary([{ ...result, passed: 0 }]).ok, false);
  });
});
