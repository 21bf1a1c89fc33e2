import { expect } from 'chai';
import { hash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type CacheFolderOptions,
  leaveCacheFolder,
  openCacheFolder,
  type PackedFile,
  verifyFile,
} from '../../../src/binary/cache-folder.ts';
import { CacheFolderUnusable, cachePlace } from '../../../src/binary/cache-place.ts';

const CONTENT: Readonly<Record<string, Buffer>> = {
  'one/a.node': Buffer.from('machine code'),
  'two/lib/b.so': Buffer.from('more machine code'),
};
const FILES: readonly PackedFile[] = Object.entries(CONTENT).map(([path, content]) => ({
  path,
  sizeBytes: content.length,
  hash: hash('sha256', content),
}));
const [A] = FILES as readonly [PackedFile, PackedFile];
const VERSION = '1.0.0-0123456789abcdef';
const NOBODY = 65_534;
const OURS = 4_000_001;
const ANOTHER = 4_000_002;

describe('the cache folder of the binary', () => {
  let root: string;
  let place: string;
  let unpacked: string[];
  let running: Set<number>;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'troupe-cache-'));
    place = join(root, 'cache', 'troupe');
    unpacked = [];
    running = new Set([OURS]);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const unpack = (path: string): Buffer => {
    unpacked.push(path);
    return CONTENT[path] ?? Buffer.alloc(0);
  };
  const open = (more: Partial<CacheFolderOptions> = {}): string =>
    openCacheFolder({
      place,
      version: VERSION,
      files: FILES,
      unpack,
      user: process.geteuid?.(),
      processId: OURS,
      isRunning: (processId) => running.has(processId),
      ...more,
    });
  const refusal = (act: () => unknown): string => {
    try {
      act();
    } catch (error) {
      expect(error).to.be.instanceOf(CacheFolderUnusable);
      return (error as Error).message;
    }
    throw new Error('it was not refused');
  };

  it('unpacks everything once, for this user only', () => {
    const folder = open();
    for (const [path, content] of Object.entries(CONTENT)) {
      expect(readFileSync(join(folder, path)).equals(content)).to.equal(true);
      expect(statSync(join(folder, path)).mode & 0o777).to.equal(0o600);
    }
    for (const made of [join(root, 'cache'), place, folder, join(folder, 'two', 'lib')])
      expect(statSync(made).mode & 0o777, made).to.equal(0o700);
    unpacked = [];
    open();
    expect(unpacked).to.deep.equal([]);
  });

  it('unpacks again what is missing or cut short', () => {
    const folder = open();
    unpacked = [];
    truncateSync(join(folder, 'one/a.node'), 3);
    rmSync(join(folder, 'two'), { recursive: true });
    open();
    expect(unpacked).to.deep.equal(Object.keys(CONTENT));
    expect(verifyFile(folder, A, unpack, OURS)).to.equal(join(folder, A.path));
  });

  it('finds by its hash that a file of the right size was changed, before it is loaded', () => {
    const folder = open();
    writeFileSync(join(folder, A.path), 'MACHINE CODE');
    open();
    expect(readFileSync(join(folder, A.path), 'utf8')).to.equal('MACHINE CODE');
    verifyFile(folder, A, unpack, OURS);
    expect(readFileSync(join(folder, A.path), 'utf8')).to.equal('machine code');
    rmSync(folder, { recursive: true });
    verifyFile(folder, A, unpack, OURS);
    expect(readFileSync(join(folder, A.path), 'utf8')).to.equal('machine code');
  });

  it('leaves no unfinished file behind, and removes those of others that ended in the middle', () => {
    const folder = open();
    const partial = join(folder, 'one', `a.node.${ANOTHER}-0badcafe.partial`);
    writeFileSync(partial, 'half');
    running.add(ANOTHER);
    open();
    expect(existsSync(partial), 'of a running process').to.equal(true);
    running.delete(ANOTHER);
    open();
    expect(readdirSync(join(folder, 'one'))).to.deep.equal(['a.node']);
  });

  it('removes the folder of another version when no process uses it, and nothing that is not its own', () => {
    running.add(ANOTHER);
    const old = open({ version: '0.9.0-fedcba9876543210', processId: ANOTHER });
    const older = open({ version: '0.8.0-fedcba9876543210', processId: ANOTHER });
    leaveCacheFolder(older, ANOTHER);
    mkdirSync(join(place, 'of-somebody-else'));
    open();
    expect(readdirSync(place).toSorted()).to.deep.equal([
      '0.9.0-fedcba9876543210',
      VERSION,
      'of-somebody-else',
    ]);
    expect(existsSync(join(old, A.path))).to.equal(true);
    running.delete(ANOTHER);
    open();
    expect(readdirSync(place).toSorted()).to.deep.equal([VERSION, 'of-somebody-else']);
  });

  it('forgets a process that has ended', () => {
    const folder = open();
    expect(readdirSync(folder)).to.include(`used-by-${OURS}`);
    leaveCacheFolder(folder, OURS);
    expect(readdirSync(folder)).not.to.include(`used-by-${OURS}`);
    leaveCacheFolder(folder, OURS);
  });

  it('refuses a folder that others can write to, or could put in the place of ours', () => {
    const folder = open();
    chmodSync(folder, 0o770);
    expect(refusal(open)).to.match(/other users can write to it.*TROUPE_CACHE_DIR/);
    chmodSync(folder, 0o700);
    chmodSync(join(root, 'cache'), 0o777);
    expect(refusal(open)).to.include(`other users can write to ${join(root, 'cache')},`);
    chmodSync(join(root, 'cache'), 0o1777);
    expect(open()).to.equal(folder);
  });

  it('refuses a folder of another user, also through a link', () => {
    open();
    const linked = join(root, 'link');
    symlinkSync(place, linked);
    const user = process.geteuid?.() ?? 0;
    // Only root can give folders away; anybody else can be told to be another one.
    if (user === 0) chownSync(join(place, VERSION), NOBODY, NOBODY);
    const asked = user === 0 ? user : user + 1;
    expect(refusal(() => open({ place: linked, user: asked }))).to.include('it belongs to another user');
  });

  it('says in one sentence why it cannot be written to, and what to set', () => {
    writeFileSync(join(root, 'file'), '');
    const message = refusal(() => open({ place: join(root, 'file', 'troupe') }));
    expect(message).to.match(
      /^its native parts cannot be unpacked to \/.*: something on the way there is not a folder\. Set TROUPE_CACHE_DIR/,
    );
    const folder = open();
    rmSync(join(folder, A.path));
    mkdirSync(join(folder, A.path, 'a-folder-instead'), { recursive: true });
    expect(refusal(open)).to.include('cannot be unpacked');
    expect(readdirSync(join(folder, 'one')), 'nothing half-written').to.deep.equal(['a.node']);
    rmSync(folder, { recursive: true });
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const failing = (): never => {
      throw full;
    };
    expect(refusal(() => open({ unpack: failing }))).to.include('that disk is full');
  });

  describe('is', () => {
    const home = (): string => '/home/ann';
    it('where TROUPE_CACHE_DIR, the unit of systemd, XDG_CACHE_HOME and the home folder say, in this order', () => {
      const all = { TROUPE_CACHE_DIR: '/own', CACHE_DIRECTORY: '/unit:/other', XDG_CACHE_HOME: '/xdg' };
      expect(cachePlace(all, home)).to.equal('/own');
      expect(cachePlace({ ...all, TROUPE_CACHE_DIR: '' }, home)).to.equal('/unit');
      expect(cachePlace({ XDG_CACHE_HOME: '/xdg' }, home)).to.equal('/xdg/troupe');
      expect(cachePlace({ XDG_CACHE_HOME: 'relative' }, home)).to.equal('/home/ann/.cache/troupe');
    });

    it('nowhere for a user without a home folder, which is explained', () => {
      const nobody = (): string => {
        throw new Error('no such user');
      };
      expect(refusal(() => cachePlace({}, nobody))).to.match(/no home folder.*TROUPE_CACHE_DIR/);
    });
  });
});
