// Counting tests: what the runners report, and the table and sum of all suites.

/** @typedef {{ passed: number, failed: number, skipped: number }} Counts */

/** @type {Counts} */
export const none = { passed: 0, failed: 0, skipped: 0 };

/** Counts the tests in a JUnit report, as pytest writes it. @returns {Counts} */
export function countJunit(xml) {
  const suite = /<testsuite\b[^>]*>/.exec(xml)?.[0] ?? "";
  const attribute = (name) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(suite)?.[1] ?? 0);
  const failed = attribute("failures") + attribute("errors");
  const skipped = attribute("skipped");
  return { passed: attribute("tests") - failed - skipped, failed, skipped };
}

/**
 * Counts the tests in the events of `go test -json`. A test that has subtests is not counted
 * itself, and a package that fails without a failed test (it does not build) is one failure.
 *
 * @returns {Counts}
 */
export function countGo(events) {
  const ended = events.filter(({ Action }) => ["pass", "fail", "skip"].includes(Action));
  const id = ({ Package, Test }) => `${Package} ${Test}`;
  const tests = ended.filter(({ Test }) => Test);
  const parents = new Set(
    tests.flatMap((event) => {
      const parts = event.Test.split("/");
      return parts
        .slice(1)
        .map((_, index) => id({ ...event, Test: parts.slice(0, index + 1).join("/") }));
    }),
  );
  const counted = tests.filter((event) => !parents.has(id(event)));
  const number = (action) => counted.filter(({ Action }) => Action === action).length;
  const failedTests = new Set(
    tests.filter(({ Action }) => Action === "fail").map(({ Package }) => Package),
  );
  const broken = ended.filter(
    ({ Action, Package, Test }) => Action === "fail" && !Test && !failedTests.has(Package),
  );
  return {
    passed: number("pass"),
    failed: number("fail") + broken.length,
    skipped: number("skip"),
  };
}

/**
 * The table of suites with the sum as the last line, and whether all is well: nothing failed, and
 * no suite was without tests.
 */
export function summary(results) {
  const checked = results.map((result) => {
    const empty = result.passed + result.failed + result.skipped === 0;
    return empty ? { ...result, failed: 1, name: `${result.name} (no tests found)` } : result;
  });
  const columns = ["suite", "passed", "failed", "skipped", "time"];
  const rows = checked.map(({ name, passed, failed, skipped, took }) =>
    [name, passed, failed, skipped, took].map(String),
  );
  const widths = columns.map((_, index) =>
    Math.max(...[columns, ...rows].map((row) => row[index].length)),
  );
  const lines = [columns, ...rows].map((row) =>
    row
      .map((text, index) => (index === 0 ? text.padEnd(widths[0]) : text.padStart(widths[index])))
      .join("  "),
  );
  const sum = (key) => checked.reduce((total, result) => total + result[key], 0);
  const [passed, failed, skipped] = ["passed", "failed", "skipped"].map(sum);
  const last = `${String(passed)} passed, ${String(failed)} failed, ${String(skipped)} skipped`;
  return { text: [...lines, "", last].join("\n"), ok: failed === 0 && passed > 0 };
}
