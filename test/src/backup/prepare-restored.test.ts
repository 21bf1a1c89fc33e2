import { expect } from 'chai';
import { databasePath } from '../../../db/kit/sqlite.ts';
import { openForCommand } from '../../../src/backup/open-database.ts';
import { prepareRestored } from '../../../src/backup/prepare-restored.ts';
import { readStreamStart } from '../../../db/streams/reader.ts';
import { streams } from '../../../src/streams/registry.ts';
import { positionsToSkip } from '../../../src/streams/lost-positions.ts';
import { type LivingServer, makeLivingServer, openDatabase, SURROUNDINGS } from './living-server.ts';

const NOW = Date.UTC(2026, 10, 23);
const DAY_MS = 86_400_000;
const ANN = '@ann:localhost';

const PLANTED = `
  INSERT INTO device_keys VALUES ('${ANN}', 'PHONE', '{}'), ('${ANN}', 'TABLET', '{}');
  INSERT INTO one_time_keys (user_id, device_id, algorithm, key_id, key, is_claimed)
    VALUES ('${ANN}', 'PHONE', 'signed_curve25519', 'A', '{}', 0), ('${ANN}', 'PHONE', 'signed_curve25519', 'B', '', 1);
  INSERT INTO fallback_keys VALUES ('${ANN}', 'PHONE', 'signed_curve25519', 'F', '{}', 0);
  INSERT INTO key_count_changes VALUES ('${ANN}', 'PHONE', 7);
  INSERT INTO key_backups (user_id, version, algorithm, auth_data, etag, key_count, size_bytes)
    VALUES ('${ANN}', 3, 'm', '{}', 12, 1, 1);
  INSERT INTO key_backup_versions VALUES ('${ANN}', 4);
  INSERT INTO filters VALUES ('${ANN}', 2, 'h', '{}');
  INSERT INTO pushers (user_id, app_id, pushkey, kind, app_display_name, device_display_name, lang, data, is_enabled, device_id, set_ts, place)
    VALUES ('${ANN}', 'a', 'k', 'http', 'a', 'd', 'en', '{}', 1, 'PHONE', 1, 2);
  INSERT INTO delayed_events (delay_id, user_id, device_id, room_id, type, state_key, content, delay_ms, since_ts, due_ts, events_position)
    VALUES ('message', '${ANN}', 'PHONE', '!r', 'm.room.message', NULL, '{}', 5, 5, ${NOW - 10}, 1),
           ('state', '${ANN}', 'PHONE', '!r', 'm.call.member', 'x', '{}', 5, 5, ${NOW - 10}, 1),
           ('later', '${ANN}', 'PHONE', '!r', 'm.room.message', NULL, '{}', 5, 5, ${NOW + 10}, 1);
  INSERT INTO sent_device_lists VALUES ('example.org', '${ANN}', 5);
  INSERT INTO remote_device_lists VALUES ('@carl:example.org', 9, 0, NULL, NULL);
  INSERT INTO passing_tokens VALUES ('a', 'login', '${ANN}', ${NOW + 10}), ('b', 'openid', '${ANN}', ${NOW + 10});
  INSERT OR REPLACE INTO stream_positions VALUES ('receipts', 'receipts', 'forward', 50);
  INSERT INTO stream_positions VALUES ('events', 'rooms', 'backward', -4);
`;

type Starts = ReadonlyMap<string, { readonly forward: number; readonly backward: number }>;

describe('prepareRestored', () => {
  let living: LivingServer;
  let folder: string;
  let startsBefore: Starts;
  let starts: Starts;

  async function readStarts(): Promise<Starts> {
    const db = openForCommand(databasePath(folder), SURROUNDINGS);
    const found = new Map<string, { readonly forward: number; readonly backward: number }>();
    for (const stream of streams)
      if (stream.kind === 'durable') found.set(stream.name, await readStreamStart(db, stream));
    db.close();
    return found;
  }
  const rows = (sql: string): unknown[] =>
    openDatabase(folder, (database) =>
      database
        .prepare(sql)
        .all()
        .map((row) => Object.values(row)),
    );

  before(async function () {
    this.timeout(20_000);
    living = await makeLivingServer();
    folder = living.copy();
    openDatabase(folder, (database) => database.exec(PLANTED));
    startsBefore = await readStarts();
    const clock = { ...SURROUNDINGS.clock, now: () => NOW };
    await prepareRestored(databasePath(folder), { ...SURROUNDINGS, clock, createdTs: NOW - DAY_MS });
    starts = await readStarts();
  });
  after(() => living?.dispose());

  it('4.1 moves every stream on, in both directions, beyond what can have been given out since', () => {
    expect(starts.size).to.be.greaterThan(8);
    const skipped = positionsToSkip(DAY_MS);
    for (const [name, { forward, backward }] of starts) {
      expect(forward, name).to.be.at.least((startsBefore.get(name)?.forward ?? NaN) + skipped);
      expect(backward, name).to.equal((startsBefore.get(name)?.backward ?? NaN) - skipped);
    }
    expect(startsBefore.get('receipts')?.forward).to.equal(50);
    expect(startsBefore.get('events')?.backward).to.equal(-4);
  });

  it('takes all one-time keys away, claimed or not, and says so to each device; fallback keys count as used', () => {
    expect(rows('SELECT * FROM one_time_keys')).to.deep.equal([]);
    expect(rows('SELECT key_id, is_used FROM fallback_keys')).to.deep.equal([['F', 1]]);
    const base = (startsBefore.get('keys')?.forward ?? NaN) + positionsToSkip(DAY_MS);
    expect(rows('SELECT device_id, stream_id FROM key_count_changes ORDER BY stream_id')).to.deep.equal([
      ['PHONE', base + 1],
      ['TABLET', base + 2],
    ]);
    expect(
      rows(`SELECT position FROM stream_positions WHERE stream = 'keys' AND direction = 'forward'`),
    ).to.deep.equal([[base + 2]]);
  });

  it('lets everybody fetch devices again: own users’ are announced, updates follow nothing, others’ are stale', () => {
    expect(rows('SELECT * FROM unannounced_key_changes')).to.deep.equal([[ANN, 'PHONE']]);
    expect(rows('SELECT * FROM sent_device_lists')).to.deep.equal([]);
    expect(rows('SELECT user_id, is_stale FROM remote_device_lists')).to.deep.equal([
      ['@carl:example.org', 1],
    ]);
  });

  it('gives key backups and filters numbers that nobody has seen', () => {
    expect(rows('SELECT version, etag, key_count FROM key_backups')).to.deep.equal([
      [1_000_003, 10_000_000_012, 1],
    ]);
    expect(rows('SELECT user_id, version FROM key_backup_versions ORDER BY user_id')).to.deep.equal([
      [ANN, 1_000_004],
      ['@bob:localhost', 1_000_000],
    ]);
    expect(rows('SELECT user_id, max(filter_id) FROM filters GROUP BY user_id')).to.deep.equal([
      [ANN, 1_000_002],
      ['@bob:localhost', 1_000_000],
    ]);
  });

  it('sends nothing twice: pushers have passed, overdue messages have failed, tokens for one login are gone', () => {
    expect(rows('SELECT place FROM pushers')).to.deep.equal([
      [(startsBefore.get('events')?.forward ?? NaN) + positionsToSkip(DAY_MS)],
    ]);
    expect(
      rows('SELECT delay_id, outcome, due_ts IS NULL FROM delayed_events ORDER BY delay_nid'),
    ).to.deep.equal([
      ['message', 'failed', 1],
      ['state', null, 0],
      ['later', null, 0],
    ]);
    expect(rows(`SELECT error ->> '$.errcode' FROM delayed_events WHERE outcome = 'failed'`)).to.deep.equal([
      ['M_UNKNOWN'],
    ]);
    expect(rows('SELECT purpose FROM passing_tokens')).to.deep.equal([['openid']]);
  });
});
