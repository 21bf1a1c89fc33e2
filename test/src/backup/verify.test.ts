import { expect } from 'chai';
import { hash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { databasePath } from '../../../db/kit/sqlite.ts';
import { lockFolder } from '../../../db/kit/folder-lock.ts';
import type { CheckResult } from '../../../src/backup/verify/finding.ts';
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

const LONG_AGO = new Date('2020-01-01');

describe('verify', () => {
  let living: LivingServer;
  const picture = hash('sha256', PICTURE);

  before(async function () {
    this.timeout(20_000);
    living = await makeLivingServer();
  });
  after(() => living?.dispose());

  async function look(
    dataFolder: string,
    isFull = false,
    serverName = SERVER_NAME,
  ): Promise<{ readonly results: readonly CheckResult[]; readonly found: string[] }> {
    const results: CheckResult[] = [];
    const count = await verify({
      ...SURROUNDINGS,
      dataFolder,
      serverName,
      isFull,
      onResult: (result) => void results.push(result),
    });
    const found = results.flatMap(({ check, findings }) => findings.map(({ what }) => `${check}: ${what}`));
    expect(count).to.equal(found.length);
    for (const { findings } of results)
      for (const { todo } of findings) expect(todo).to.match(/restore|copy|start|config/);
    return { results, found };
  }

  it('finds nothing in a server that was lived in, stopped or running, and says what it looked at', async () => {
    const lock = lockFolder(living.folder);
    const { results, found } = await look(living.folder, true);
    lock.release();
    expect(found).to.deep.equal([]);
    expect(results.map(({ check }) => check)).to.deep.equal([
      'database file',
      'schema',
      'signing keys',
      'stream positions',
      'relations',
      'local memberships',
      'current state',
      'state groups',
      'events',
      'media',
    ]);
    expect(results.at(-1)?.lookedAt).to.equal('1 files, 9 bytes');
    expect(results.at(-2)?.lookedAt).to.match(/^1\d events$/);
  });

  const damages: readonly (readonly [name: string, sql: string, found: RegExp, isFull?: boolean])[] = [
    [
      'a mark below a row',
      `UPDATE stream_positions SET position = 3 WHERE stream = 'events'`,
      /^stream positions: the stream events stands at 3 .*events\.event_nid has/,
    ],
    [
      'history below its mark',
      'UPDATE events SET event_nid = -7, stream_ordering = -7 WHERE event_nid = 1',
      /^stream positions: .*\(history 0\).*\(-7\)/,
    ],
    [
      'a membership that the room does not have',
      `UPDATE local_memberships SET membership = 'leave' WHERE user_nid = 1`,
      /^local memberships: in ![^ ]+ 1 memberships/,
    ],
    [
      'current state without an entry',
      'DELETE FROM current_state WHERE rowid_is_missing',
      /^current state: .* differs in 1 entries/,
    ],
    [
      'a state group without its parent',
      'DELETE FROM state_groups WHERE state_group = 2',
      /^state groups: .*not there/,
    ],
    [
      'a cycle of state groups',
      'UPDATE state_groups SET parent = (SELECT max(state_group) FROM state_groups) WHERE state_group = 2',
      /^state groups: the state group 2 is stored over \d+, which is not older/,
    ],
    [
      'a state group of another room',
      `INSERT INTO rooms (room_nid, room_id, room_version, creator) VALUES (99, '!x:y', '12', '@a:b');
       UPDATE state_groups SET room_nid = 99 WHERE state_group = 3`,
      /^state groups: .* of another room/,
    ],
    [
      'a checkpoint that lacks an entry',
      'DELETE FROM state_group_entries WHERE state_group = 1',
      /^state groups: the state group 1 has 0 entries and should have 1/,
    ],
    [
      'entries without events',
      'UPDATE state_group_entries SET event_nid = 777 WHERE state_group = 2',
      /^state groups: 1 entries of the state group 2 name events that are not there/,
    ],
    [
      'an event without its room',
      'UPDATE events SET room_nid = 55 WHERE event_nid = (SELECT max(event_nid) FROM events)',
      /^relations: events → rooms: 1 rows/,
    ],
    [
      'an extremity without its event',
      'UPDATE forward_extremities SET event_nid = 777',
      /^relations: forward_extremities → events: 1 rows belong to nothing, 777/,
    ],
    [
      'a device of nobody',
      `DELETE FROM accounts WHERE user_id = '@bob:localhost'`,
      /^relations: devices → accounts/,
    ],
    [
      'keys of no device',
      `INSERT INTO device_keys (user_id, device_id, keys) VALUES ('@bob:localhost', 'GONE', '{}')`,
      /^relations: device_keys → devices or departed_devices: 1 rows belong to nothing, @bob:localhost GONE/,
    ],
    [
      'a signing key that is none',
      `UPDATE signing_keys SET seed = x'00'`,
      /^signing keys: .* cannot be read/,
    ],
    ['no signing key', 'DELETE FROM signing_keys', /^signing keys: there is no signing key/],
    [
      'an event that was changed',
      `UPDATE events SET pdu = replace(pdu, '"two"', '"2"')`,
      /^events: the event \$\S+ is not what its id says/,
      true,
    ],
  ];
  for (const [name, sql, expected, isFull] of damages)
    it(`finds ${name}`, async () => {
      const folder = living.copy();
      const place = '(room_nid, state_key_nid) = (SELECT room_nid, max(state_key_nid) FROM current_state)';
      openDatabase(folder, (database) => database.exec(sql.replace('rowid_is_missing', place)));
      const { found } = await look(folder, isFull);
      expect(
        found.some((line) => expected.test(line)),
        found.join('\n'),
      ).to.equal(true);
    });

  it('finds media that are missing, cut short, or changed; the last only when it reads everything', async () => {
    const folder = living.copy();
    const file = blobPath(mediaFolder(folder), picture);
    writeFileSync(file, PICTURE.replace('a', 'A'));
    expect((await look(folder)).found).to.deep.equal([]);
    expect((await look(folder, true)).found).to.deep.equal([
      `media: the media file ${file} is not what its name says`,
    ]);
    writeFileSync(file, 'a pict');
    expect((await look(folder)).found).to.deep.equal([
      `media: the media file ${file} has 6 bytes and should have 9`,
    ]);
    rmSync(file);
    expect((await look(folder)).found).to.deep.equal([`media: the media file ${file} is not there`]);
  });

  it('notes files that belong to nothing, unless they are so young that their row may come', async () => {
    const folder = living.copy();
    const orphan = blobPath(mediaFolder(folder), 'ab'.repeat(32));
    mkdirSync(join(orphan, '..'), { recursive: true });
    writeFileSync(orphan, 'nobody knows me');
    expect((await look(folder)).results.at(-1)?.notes).to.deep.equal([]);
    utimesSync(orphan, LONG_AGO, LONG_AGO);
    const { found, results } = await look(folder);
    expect(found).to.deep.equal([]);
    expect(results.at(-1)?.notes[0]).to.include('1 media files').and.to.include(orphan);
  });

  it('finds a damaged file, and looks no further', async () => {
    const folder = living.copy();
    openDatabase(folder, (database) => database.exec('PRAGMA wal_checkpoint(TRUNCATE)'));
    const path = databasePath(folder);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.fill(0xa5, 40_960, 60_000));
    const { found, results } = await look(folder);
    expect(results.map(({ check }) => check)).to.deep.equal(['database file']);
    expect(found).to.not.deep.equal([]);
    writeFileSync(path, 'this is no database at all, and never was one');
    expect((await look(folder)).found[0]).to.include('SQLITE_NOTADB');
  });

  it('finds the data of another server, and refuses a folder without a database and a newer one', async () => {
    const { found } = await look(living.folder, false, 'example.org');
    expect(found[0]).to.include('"localhost"').and.to.include('"example.org"');
    const refused = await look(living.place('nothing')).catch(String);
    expect(refused).to.include('there is no database in');
    const newer = living.copy();
    openDatabase(newer, (database) =>
      database.exec(`INSERT INTO migrations VALUES ('rooms', 9999, '9999-later.sql', 'x')`),
    );
    expect(await look(newer).catch(String)).to.include('newer version');
  });
});
