import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/**
 * Runs every test, two files at a time: first all that needs nothing but its own process, then those that start whole servers. What is given
 * behind `npm test --` goes to both. The binary has tests of its own: `npm run test:binary`.
 */
const RUNS: readonly (readonly string[])[] = [
  ['--parallel', '--jobs', '2', '--ignore', 'test/{stories,binary}/**', 'test/**/*.test.ts'],
  // matrix-js-sdk leaves timers behind that would keep the process for most of a minute.
  ['--parallel', '--jobs', '2', '--exit', 'test/stories/**/*.test.ts'],
];

// Servers start in half the time from the bundle that `npm start` makes for its next time; without one they run the sources. Who makes it goes on as
// long as its input is open.
await once(
  spawn(process.execPath, ['scripts/prepare-start.ts'], { stdio: ['pipe', 'inherit', 'inherit'] }),
  'close',
);

let hasFailed = false;
for (const args of RUNS) {
  const run = spawnSync('mocha', [...args, ...process.argv.slice(2)], { stdio: 'inherit' });
  if (run.status !== 0) hasFailed = true;
}
process.exit(hasFailed ? 1 : 0);
