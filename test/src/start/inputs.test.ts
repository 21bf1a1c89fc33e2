import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'chai';
import { describeNode, fingerprint } from '../../../src/start/inputs.mjs';

const NODE = 'v26.10.0 linux x64';
const FILES = [
  'src/http/client/versions/get-versions.ts',
  'actors/program.ts',
  'db/rooms/migrations/0001-rooms.sql',
  'scripts/bundle/bundle-program.ts',
  'scripts/prepare-start.ts',
  'config.toml',
  'package.json',
  'package-lock.json',
  'tsconfig.json',
  'node_modules/.package-lock.json',
];

describe('the inputs of a bundle', () => {
  let root: string;
  let before: string;
  const put = (name: string, text: string): void => {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text);
  };
  const now = (): string => fingerprint(root, NODE);
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'troupe-inputs-'));
    for (const name of FILES) put(name, 'one');
    before = now();
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('are the same when nothing was done, and when something was done to what is no input', () => {
    put('src/streams/STREAMS.md', 'papers');
    put('test/src/x.test.ts', 'a test');
    put('data/troupe.db', 'data');
    expect(now()).to.equal(before);
  });

  for (const name of FILES)
    it(`are others when ${name} was edited, and when it is gone`, () => {
      put(name, 'another length');
      const edited = now();
      expect(edited).not.to.equal(before);
      rmSync(join(root, name));
      expect(now()).not.to.equal(before).and.not.to.equal(edited);
    });

  it('are others when a file has the same length and the same time of change as before: the system knows better', () => {
    const file = join(root, 'src/http/client/versions/get-versions.ts');
    utimesSync(file, 1_000, 1_000);
    const touched = now();
    expect(touched).not.to.equal(before);
    writeFileSync(join(root, 'beside.ts'), 'two');
    utimesSync(join(root, 'beside.ts'), 1_000, 1_000);
    renameSync(join(root, 'beside.ts'), file);
    expect(now()).not.to.equal(touched);
  });

  it('are others when a file is new, or has another name', () => {
    put('src/http/client/versions/get-other-versions.ts', 'one');
    const added = now();
    expect(added).not.to.equal(before);
    renameSync(
      join(root, 'db/rooms/migrations/0001-rooms.sql'),
      join(root, 'db/rooms/migrations/0002-rooms.sql'),
    );
    expect(now()).not.to.equal(added);
  });

  it('can do without what a server is made with', () => {
    rmSync(join(root, 'scripts'), { recursive: true });
    expect(now()).not.to.equal(before);
  });

  it('are others for another Node', () => {
    expect(fingerprint(root, 'v26.11.0 linux x64')).not.to.equal(before);
  });
});

describe('the Node that a bundle is for', () => {
  const node = (execArgv: readonly string[], env: Readonly<Record<string, string>> = {}): string | null =>
    describeNode({ version: 'v26.10.0', platform: 'linux', arch: 'x64', execArgv, env });

  it('has a version and may have flags about memory', () => {
    expect(node([])).to.equal('v26.10.0 linux x64');
    expect(node(['--max-old-space-size=900'])).to.equal('v26.10.0 linux x64 --max-old-space-size=900');
    expect(node([], { NODE_OPTIONS: ' --max_semi_space_size=4 ' })).to.equal(
      'v26.10.0 linux x64 --max_semi_space_size=4',
    );
  });

  it('runs the sources when it was told to load, watch or debug anything', () => {
    for (const flag of ['--cpu-prof', '--inspect-brk', '--import=./x.mjs', '--max-http-header-size=x', 'x'])
      expect(node([flag]), flag).to.equal(null);
    expect(node([], { NODE_OPTIONS: '--require ./x.cjs' })).to.equal(null);
    expect(node([], { NODE_V8_COVERAGE: 'coverage' })).to.equal(null);
  });
});
