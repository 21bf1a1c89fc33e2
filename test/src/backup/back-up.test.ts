import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  createWriteStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type BackUpOptions, backUp } from '../../../src/backup/back-up.ts';
import { requireSpace } from '../../../src/backup/free-space.ts';
import { readBackup } from '../../../src/backup/read-backup.ts';
import { blobPath, mediaFolder } from '../../../src/media/blob-store.ts';
import { type LivingServer, makeLivingServer, openDatabase, PICTURE, SURROUNDINGS } from './living-server.ts';

const MODE_BITS = 0o777;

describe('backUp', () => {
  let living: LivingServer;
  let shelf: string;
  const picture = hash('sha256', PICTURE);

  before(async function () {
    this.timeout(20_000);
    living = await makeLivingServer();
  });
  after(() => living?.dispose());
  beforeEach(() => {
    shelf = living.place('shelf');
    mkdirSync(shelf);
  });

  const make = (file: string, options: Partial<BackUpOptions> = {}) =>
    backUp({
      ...SURROUNDINGS,
      dataFolder: living.folder,
      to: { file: join(shelf, file) },
      withMedia: true,
      configFile: null,
      programVersion: '1.2.3',
      ...options,
    });

  for (const name of ['a.tar', 'a.tar.gz', 'a.tgz', 'a.tar.zst'])
    it(`makes ${name}, which tar lists and unpacks, and whose database sqlite opens`, async () => {
      const { sizeBytes, manifest } = await make(name);
      const file = join(shelf, name);
      expect(readdirSync(shelf)).to.deep.equal([name]);
      expect(statSync(file).size).to.equal(sizeBytes);
      expect(statSync(file).mode & MODE_BITS).to.equal(0o600);
      if (name.endsWith('zst')) return;
      const listed = execFileSync('tar', ['tf', file], { encoding: 'utf8' }).trim().split('\n');
      expect(listed).to.deep.equal([
        'manifest.json',
        'troupe.db',
        `media/${picture.slice(0, 2)}/${picture}`,
        'media.jsonl',
        'summary.json',
      ]);
      execFileSync('tar', ['xf', file, '-C', shelf]);
      expect(readFileSync(join(shelf, 'media', picture.slice(0, 2), picture), 'utf8')).to.equal(PICTURE);
      expect(hash('sha256', readFileSync(join(shelf, 'troupe.db')))).to.equal(manifest.database.sha256);
      const database = new DatabaseSync(join(shelf, 'troupe.db'), { readOnly: true });
      expect(database.prepare('SELECT key_id FROM signing_keys').all()).to.deep.equal(
        manifest.signingKeys.map((keyId) => ({ key_id: keyId })),
      );
      database.close();
    });

  it('lists media without packing them, and packs the configuration, only when it is asked to', async () => {
    const configFile = join(living.place('config'));
    writeFileSync(configFile, 'secret = "a"');
    const { summary, manifest } = await make('a.tar', { withMedia: false, configFile });
    expect(manifest).to.include({ media: 'listed', hasConfig: true, programVersion: '1.2.3', format: 1 });
    expect(summary.media).to.deep.equal({
      included: 0,
      includedBytes: 0,
      leftOut: 1,
      missing: 0,
      damaged: 0,
    });
    const text = (name: string) =>
      execFileSync('tar', ['xfO', join(shelf, 'a.tar'), name], { encoding: 'utf8' });
    expect(text('config.toml')).to.equal('secret = "a"');
    expect(JSON.parse(text('media.jsonl'))).to.deep.equal({
      sha256: picture,
      sizeBytes: 9,
      state: 'left-out',
    });
  });

  it('goes on without media that are missing, short or damaged, and says so', async () => {
    const folder = living.copy();
    const file = blobPath(mediaFolder(folder), picture);
    writeFileSync(file, PICTURE.replace('a', 'A'));
    expect((await make('a.tar', { dataFolder: folder })).summary.media).to.include({
      included: 0,
      damaged: 1,
    });
    writeFileSync(file, 'short');
    expect((await make('a.tar', { dataFolder: folder })).summary.media).to.include({
      missing: 1,
      damaged: 0,
    });
    rmSync(file);
    expect((await make('a.tar', { dataFolder: folder })).summary.media).to.include({ missing: 1 });
    const { summary } = await readBackup(join(shelf, 'a.tar'), { into: null });
    expect(summary.media.missing).to.equal(1);
  });

  it('replaces a backup of that name only with a whole one, and leaves nothing else behind', async () => {
    writeFileSync(join(shelf, 'a.tar'), 'the old one');
    writeFileSync(join(shelf, 'a.tar.partial'), 'left by one that was killed');
    for (const what of ['copying the database', 'packing the database', 'packing media', 'checking']) {
      const controller = new AbortController();
      const interrupted = await make('a.tar', {
        signal: controller.signal,
        onProgress: (progress) => progress.what === what && controller.abort(new Error(what)),
      }).catch((error: Error) => error.message);
      expect(interrupted).to.equal(what);
      expect(readdirSync(shelf)).to.deep.equal(['a.tar']);
      expect(readFileSync(join(shelf, 'a.tar'), 'utf8')).to.equal('the old one');
    }
    await make('a.tar');
    expect(readdirSync(shelf)).to.deep.equal(['a.tar']);
    await readBackup(join(shelf, 'a.tar'), { into: null });
  });

  it('writes into a stream, with its temporary files in the data folder, and takes along what a killed one left', async () => {
    const folder = living.copy();
    writeFileSync(join(folder, 'backup-999999999.partial.db'), 'left');
    const before = readdirSync(folder).filter((name) => !name.startsWith('backup-'));
    const stream = createWriteStream(join(shelf, 'piped.tar'));
    const { sizeBytes } = await make('', { dataFolder: folder, to: { stream } });
    await new Promise<void>((resolve) => void stream.end(() => resolve()));
    expect(sizeBytes).to.equal(null);
    expect((await readBackup(join(shelf, 'piped.tar'), { into: null })).summary.media.included).to.equal(1);
    expect(readdirSync(folder).filter((name) => !/-(wal|shm)$/.test(name))).to.have.members(
      before.filter((name) => !/-(wal|shm)$/.test(name)),
    );
  });

  it('refuses in one sentence: no database, no folder, no room, a full disk, a damaged database', async () => {
    const said = async (options: Partial<BackUpOptions>) =>
      make('a.tar', options).then(String, (error: Error) => error.message);
    expect(await said({ dataFolder: shelf })).to.match(/^there is no database in .*right folder\?$/);
    expect(await said({ to: { file: join(shelf, 'no', 'a.tar') } })).to.match(/^there is no folder /);
    const noRoom = await requireSpace(shelf, Number.MAX_SAFE_INTEGER).catch((error: Error) => error.message);
    expect(noRoom).to.match(/^there is not enough room in \S+: about 8192 TiB are needed, and .* are free$/);
    expect(await said({ to: { stream: createWriteStream('/dev/full') } })).to.include('ENOSPC');
    const folder = living.copy();
    openDatabase(folder, (database) => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
    const path = join(folder, 'troupe.db');
    writeFileSync(path, readFileSync(path).fill(0xa5, 40_960, 200_000));
    expect(await said({ dataFolder: folder })).to.match(/^the database is damaged.*troupe verify --full/);
    expect(readdirSync(shelf)).to.deep.equal([]);
  });
});
