// Mocha's spec reporter, which also writes the counts to the file that SUITE_RESULT names.
const { writeFileSync } = require("node:fs");
const { reporters } = require("mocha");

class CountingSpec extends reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    runner.once("end", () => {
      const { passes, failures, pending } = this.stats;
      if (process.env.SUITE_RESULT) {
        const counts = { passed: passes, failed: failures, skipped: pending };
        writeFileSync(process.env.SUITE_RESULT, JSON.stringify(counts));
      }
    });
  }
}

module.exports = CountingSpec;
