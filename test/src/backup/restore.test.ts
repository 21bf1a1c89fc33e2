import { expect } from 'chai';
import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  copyFileSync,
  createWriteStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFolder, RESTORE_MARK } from '../../../db/kit/folder-lock.ts';
import { createArchiveWriter } from '../../../src/backup/archive-writer.ts';
import { backUp } from '../../../src/backup/back-up.ts';
import type { BackupManifest, BackupSummary } from '../../../src/backup/manifest.ts';
import { type RestoreOptions, restoreBackup } from '../../../src/backup/restore.ts';
import { verify } from '../../../src/backup/verify/verify.ts';
import { blobPath, mediaFolder } from '../../../src/media/blob-store.ts';
import {
  type LivingServer,
  makeLivingServer,
  openDatabase,
  PICTURE,
  SERVER_NAME,
  SURROUNDINGS,
} from './living-server.ts';

describe('restoreBackup', () => {
  let living: LivingServer;
  let archive: string;
  const picture = hash('sha256', PICTURE);

  const backUpTo = (file: string, dataFolder: string, withMedia = true) =>
    backUp({
      ...SURROUNDINGS,
      dataFolder,
      to: { file },
      withMedia,
      configFile: null,
      programVersion: '1.2.3',
    });
  const restore = (file: string, dataFolder: string, options: Partial<RestoreOptions> = {}) =>
    restoreBackup({
      ...SURROUNDINGS,
      file,
      dataFolder,
      serverName: SERVER_NAME,
      isForced: false,
      ...options,
    });
  const refusal = async (...args: Parameters<typeof restore>): Promise<string> =>
    restore(...args).then(
      () => 'it was restored',
      (error: Error) => error.message,
    );
  const isConsistent = async (dataFolder: string): Promise<boolean> =>
    (await verify({
      ...SURROUNDINGS,
      dataFolder,
      serverName: SERVER_NAME,
      isFull: true,
      onResult: () => undefined,
    })) === 0;
  const contentsOf = (folder: string): string[] =>
    readdirSync(folder).filter((name) => !name.startsWith('lock.db'));
  /** A copy of the archive, changed. */
  function changed(change: (bytes: Buffer) => Buffer): string {
    const file = living.place('changed.tar');
    writeFileSync(file, change(readFileSync(archive)));
    return file;
  }
  /** The archive again, with other members. */
  async function rebuilt(
    change: (members: { manifest: BackupManifest; summary: BackupSummary; inside: string }) => void,
    more: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const inside = living.place('inside');
    mkdirSync(inside);
    execFileSync('tar', ['xf', archive, '-C', inside]);
    const read = (name: string): unknown => JSON.parse(readFileSync(join(inside, name), 'utf8'));
    const manifest = read('manifest.json') as BackupManifest;
    const members = { manifest, summary: read('summary.json') as BackupSummary, inside };
    change(members);
    Object.assign(manifest.database, { sha256: hash('sha256', readFileSync(join(inside, 'troupe.db'))) });
    const file = living.place('rebuilt.tar');
    const writer = createArchiveWriter(createWriteStream(file), {
      compression: 'none',
      now: 0,
      endsStream: true,
    });
    const add = async (name: string): Promise<void> => {
      const handle = await open(join(inside, name));
      await writer.addFile(name, { handle, sizeBytes: (await handle.stat()).size });
    };
    await writer.addText('manifest.json', JSON.stringify(manifest));
    for (const [name, text] of Object.entries(more)) await writer.addText(name, text);
    await add('troupe.db');
    await add(`media/${picture.slice(0, 2)}/${picture}`);
    await add('media.jsonl');
    await writer.addText('summary.json', JSON.stringify(members.summary));
    await writer.finish();
    return file;
  }

  before(async function () {
    this.timeout(20_000);
    living = await makeLivingServer();
    archive = living.place('whole.tar');
    await backUpTo(archive, living.folder);
  });
  after(() => living?.dispose());

  it('puts everything into a folder that is new, or has other things in it', async () => {
    const folder = living.place('new');
    mkdirSync(folder);
    writeFileSync(join(folder, 'config.toml'), '');
    const { aside, mediaMissing, configFile } = await restore(archive, folder);
    expect({ aside, mediaMissing, configFile }).to.deep.equal({
      aside: null,
      mediaMissing: 0,
      configFile: null,
    });
    expect(contentsOf(folder)).to.have.members(['config.toml', 'media', 'troupe.db']);
    expect(readFileSync(blobPath(mediaFolder(folder), picture), 'utf8')).to.equal(PICTURE);
    expect(await isConsistent(folder)).to.equal(true);
  });

  it('moves a server that is there aside only when it is told to, and never deletes it', async () => {
    const folder = living.copy();
    openDatabase(folder, (database) => database.exec(`UPDATE accounts SET created_ts = 7`));
    expect(await refusal(archive, folder)).to.match(/there is a server in .* already. With --force/);
    const lock = lockFolder(folder);
    expect(await refusal(archive, folder, { isForced: true })).to.include('in use by another running server');
    lock.release();
    const { aside } = await restore(archive, folder, { isForced: true });
    expect(aside).to.match(/before-restore-\d{8}-\d{6}$/);
    const createdIn = (path: string) =>
      openDatabase(
        path,
        (database) => database.prepare('SELECT max(created_ts) AS ts FROM accounts').get()?.['ts'],
      );
    expect(createdIn(aside ?? '')).to.equal(7);
    expect(createdIn(folder)).to.not.equal(7);
    expect(existsSync(blobPath(mediaFolder(aside ?? ''), picture))).to.equal(true);
    expect(await isConsistent(folder)).to.equal(true);
  });

  it('refuses what is no whole backup of this server, each in a sentence, and changes nothing', async () => {
    const folder = living.copy();
    const before = contentsOf(folder);
    const size = statSync(archive).size;
    const cut = (length: number): string => {
      const file = living.place('cut.tar');
      copyFileSync(archive, file);
      truncateSync(file, length);
      return file;
    };
    const flip = (at: number): string => changed((bytes) => bytes.fill((bytes[at] ?? 0) ^ 1, at, at + 1));
    const offsetOf = (text: string): number => readFileSync(archive).indexOf(text);
    const cases: readonly (readonly [file: string, said: RegExp])[] = [
      [living.place('nowhere.tar'), /^there is no file /],
      [cut(0), /cannot be used: it is no backup|cannot be used: it is empty/],
      [cut(size >> 1), /damaged, or cut short/],
      // Between two members: tar itself would not notice.
      [cut(size - 1_024 - 1_024), /cut short: its end is missing/],
      [flip(offsetOf('SQLite format 3') + 50_000), /the database in it is not the one that was put into it/],
      [flip(offsetOf(PICTURE)), /the media file [0-9a-f]{64} in it is damaged/],
      [flip(offsetOf('"state":"included"') + 10), /the list of media in it is not the one/],
      [changed(() => Buffer.from('#!/bin/sh\n'.repeat(500))), /it is no backup/],
      [await rebuilt(({ manifest }) => Object.assign(manifest, { format: 2 })), /made by a newer version/],
      [
        await rebuilt(({ manifest }) => Object.assign(manifest, { serverName: 'example.org' })),
        /backup of the server "example\.org".*server\.name = "localhost".*--config/,
      ],
      [await rebuilt(() => undefined, { '../../outside': 'x' }), /a member "\.\.\/\.\.\/outside"/],
      [await rebuilt(() => undefined, { 'media/00/passwd': 'x' }), /a member "media\/00\/passwd"/],
      [
        await rebuilt(({ summary }) => Object.assign(summary.media, { included: 2 })),
        /1 media files are in it, and 2 should be/,
      ],
    ];
    for (const [file, said] of cases) {
      expect(await refusal(file, folder, { isForced: true }), String(said)).to.match(said);
      expect(contentsOf(folder)).to.deep.equal(before);
    }
    expect(existsSync(join(folder, '..', 'outside'))).to.equal(false);
    expect(await isConsistent(folder)).to.equal(true);
  });

  it('refuses a database that is newer than this version, or of another server than the backup says', async () => {
    const NEWER = `INSERT INTO migrations VALUES ('rooms', 9999, '9999-later.sql', 'x')`;
    const later = living.copy();
    openDatabase(later, (database) => database.exec(NEWER));
    expect(await backUpTo(living.place('no.tar'), later).catch(String)).to.include('newer version');
    const withDatabase = (sql: string) =>
      rebuilt(({ inside }) => openDatabase(inside, (database) => database.exec(sql)));
    const to = living.place('to');
    expect(await refusal(await withDatabase(NEWER), to)).to.include('newer version');
    const stranger = await withDatabase(`UPDATE server_identity SET server_name = 'example.org'`);
    expect(await refusal(stranger, to)).to.include('the database in it is of another server');
    expect(contentsOf(to)).to.deep.equal([]);
  });

  it('lets no server start where it was interrupted, and is done when it is asked again', async () => {
    const folder = living.copy();
    mkdirSync(join(folder, 'before-restore-x'));
    writeFileSync(join(folder, RESTORE_MARK), 'before-restore-x\n');
    // The old database was moved; the new media were in their place, and the old ones aside.
    execFileSync('mv', [join(folder, 'troupe.db'), join(folder, 'before-restore-x')]);
    execFileSync('cp', ['-r', join(folder, 'media'), join(folder, 'before-restore-x')]);
    expect(() => lockFolder(folder)).to.throw(/interrupted. Run the same "troupe restore" again/);
    const { aside } = await restore(archive, folder);
    expect(aside).to.equal(join(folder, 'before-restore-x'));
    expect(contentsOf(join(folder, 'before-restore-x'))).to.include.members(['media', 'troupe.db']);
    expect(existsSync(join(folder, RESTORE_MARK))).to.equal(false);
    lockFolder(folder).release();
    expect(await isConsistent(folder)).to.equal(true);
  });

  it('takes media that are only listed from the server that was there', async () => {
    const listed = living.place('listed.tar');
    await backUpTo(listed, living.folder, false);
    const empty = living.place('new');
    expect(await restore(listed, empty)).to.include({ mediaMissing: 1 });
    const folder = living.copy();
    expect(await restore(listed, folder, { isForced: true })).to.include({ mediaMissing: 0 });
    expect(await isConsistent(folder)).to.equal(true);
  });

  it('tidies up when it is interrupted', async () => {
    const folder = living.place('new');
    const controller = new AbortController();
    const onProgress = (): void => controller.abort(new Error('interrupted'));
    expect(await refusal(archive, folder, { signal: controller.signal, onProgress })).to.equal('interrupted');
    expect(contentsOf(folder)).to.deep.equal([]);
  });
});
