// What a bundle of the program was made of, seen from outside: plain JavaScript, for it is looked at before anything else is loaded.
import { hash } from 'node:crypto';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

const FOLDERS = ['src', 'actors', 'db', join('scripts', 'bundle')];
const PROGRAM_FILE = /\.(?:ts|mjs|js|sql|json|toml)$/;
/** What is in `node_modules` is told by npm's own note of it: looking at each file there would take as long as a quarter of a start. */
const FILES = [
  'config.toml',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  join('scripts', 'prepare-start.ts'),
  join('node_modules', '.package-lock.json'),
];

/** Flags that change how much memory the engine takes, and nothing of what it runs. */
const MEMORY_FLAG = /^--(?:max|min|initial)[-_][\w-]+=\d+$/;

function describe(root, name) {
  const stats = statSync(join(root, name), { throwIfNoEntry: false });
  if (stats === undefined) return `${name} is not there`;
  return `${name} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs} ${stats.ino}`;
}

export function describeNode({ version, platform, arch, execArgv, env }) {
  const flags = [...execArgv, ...(env.NODE_OPTIONS ?? '').split(/\s+/).filter((flag) => flag !== '')];
  if ((env.NODE_V8_COVERAGE ?? '') !== '' || !flags.every((flag) => MEMORY_FLAG.test(flag))) return null;
  return [version, platform, arch, ...flags].join(' ');
}

export function fingerprint(root, node) {
  const folders = FOLDERS.filter((folder) => existsSync(join(root, folder)));
  const names = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .filter((name) => PROGRAM_FILE.test(name))
      .map((name) => join(folder, name)),
  );
  const lines = [...names.toSorted(), ...FILES].map((name) => describe(root, name));
  return hash('sha256', [root, node, ...lines].join('\n'));
}
