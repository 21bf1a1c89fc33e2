// Mocha's dots for people, and two numbers for .ci/run: a line of each run in the file that TEST_REPORT names.
const { appendFileSync } = require('node:fs');
const { reporters, Runner } = require('mocha');

module.exports = class CountingReporter extends reporters.Dot {
  constructor(runner, options) {
    super(runner, options);
    const file = process.env.TEST_REPORT;
    if (file === undefined || file === '') return;
    runner.on(Runner.constants.EVENT_RUN_END, () => {
      appendFileSync(file, `${this.stats.passes} ${this.stats.failures}\n`);
    });
  }
};
