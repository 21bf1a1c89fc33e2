// Builds the binary and runs it: its own tests, and the stories that need nothing but a server, told of the binary instead of the sources.
import { spawnSync } from 'node:child_process';

const STORIES = [
  'two-people',
  'inspector',
  'inspector-blocked',
  'bad-days-signals',
  'bad-days-storage',
  'bad-days-threads',
  'streams-placement',
];

function run(
  program: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>>,
): boolean {
  const { status } = spawnSync(program, args, { stdio: 'inherit', env: { ...process.env, ...environment } });
  return status === 0;
}

const files = ['test/binary/**/*.test.ts', ...STORIES.map((name) => `test/stories/${name}.test.ts`)];
const isFine =
  run(process.execPath, ['scripts/build-binary.ts'], {}) &&
  run('mocha', ['--parallel', '--jobs', '2', '--exit', ...files, ...process.argv.slice(2)], {
    TROUPE_BINARY: 'dist/troupe',
  });
process.exit(isFine ? 0 : 1);
