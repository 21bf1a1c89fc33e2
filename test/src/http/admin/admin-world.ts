import { defineQuery, type Query, type SqlParams } from '../../../../db/kit/query.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../sync/sync-world.ts';

/** A sync world with an administrator. */
export interface AdminWorld extends SyncWorld {
  readonly admin: Person;
  /** Asks as the administrator, and expects 200. */
  ask(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<Answer>;
  /** Resolves when a job is over; gives its status. */
  settled(path: string): Promise<Answer>;
}

/**
 * Opens a world. Call `stop` at the end of the test.
 *
 * @param options `TROUPE_…` variables
 */
export async function openAdminWorld(options: Readonly<Record<string, string>> = {}): Promise<AdminWorld> {
  const world = await openSyncWorld(options);
  const userId = '@admin:example.org';
  await world.host.ref('accounts').ask('accounts.register', {
    userId,
    passwordHash: null,
    isAdmin: true,
    displayname: 'admin',
    registrationToken: null,
    device: null,
  });
  const admin = await world.device({ userId } as Person);
  const ask: AdminWorld['ask'] = async (method, path, body) => {
    const answer = await admin.http.request(method, path, body === undefined ? {} : { body });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer.body;
  };
  return {
    ...world,
    admin,
    ask,
    async settled(path) {
      for (;;) {
        const status = await ask('GET', path);
        if (status.status !== 'active' && status.status !== 'scheduled') return status;
        await world.host.idle();
      }
    },
  };
}

const columnsOfTables = defineQuery<SqlParams, { readonly name: string; readonly columnName: string }>({
  name: 'test.columns-of-tables',
  sql: `
    SELECT s.name, c.name AS columnName FROM sqlite_schema s, pragma_table_info(s.name) c
     WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%'`,
});

/** Columns by which a row belongs to a room or to one of its events, with what they hold. */
const OF_ROOM: Readonly<Record<string, 'roomNid' | 'roomId' | 'eventNid' | 'eventId' | 'stateGroup'>> = {
  room_nid: 'roomNid',
  room_id: 'roomId',
  event_nid: 'eventNid',
  child_nid: 'eventNid',
  // The words of the search index, by the numbers of the events.
  'search_words_docsize.id': 'eventNid',
  waiting_nid: 'eventNid',
  redaction_nid: 'eventNid',
  follower_nid: 'eventNid',
  redacted_by: 'eventNid',
  event_id: 'eventId',
  parent_id: 'eventId',
  target_event_id: 'eventId',
  state_group: 'stateGroup',
  resolved_state_group: 'stateGroup',
  parent: 'stateGroup',
};

/** What a room consists of. */
export interface RoomParts {
  readonly roomNid: readonly number[];
  readonly roomId: readonly string[];
  readonly eventNid: readonly number[];
  readonly eventId: readonly string[];
  readonly stateGroup: readonly number[];
}

const list = (
  name: string,
  sql: string,
): Query<{ readonly roomId: string }, { readonly value: number | string }> => defineQuery({ name, sql });

const PARTS = {
  roomNid: list('test.parts-room', 'SELECT room_nid AS value FROM rooms WHERE room_id = :roomId'),
  eventNid: list(
    'test.parts-nids',
    'SELECT event_nid AS value FROM events WHERE room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)',
  ),
  eventId: list(
    'test.parts-ids',
    'SELECT event_id AS value FROM events WHERE room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)',
  ),
  stateGroup: list(
    'test.parts-groups',
    'SELECT state_group AS value FROM state_groups WHERE room_nid = (SELECT room_nid FROM rooms WHERE room_id = :roomId)',
  ),
};

/** Reads what a room consists of, before it is deleted. */
export async function readParts(db: ReadDb, roomId: string): Promise<RoomParts> {
  const values = async (query: (typeof PARTS)['roomNid']) =>
    (await db.all(query, { roomId })).map(({ value }) => value) as never;
  return {
    roomNid: await values(PARTS.roomNid),
    roomId: [roomId],
    eventNid: await values(PARTS.eventNid),
    eventId: await values(PARTS.eventId),
    stateGroup: await values(PARTS.stateGroup),
  };
}

const remainsQueries = new Map<string, Query<{ readonly values: string }, { readonly count: number }>>();

function remainsQuery(table: string, column: string) {
  const name = `test.remains-of-${table}-${column}`;
  const known = remainsQueries.get(name);
  if (known !== undefined) return known;
  const query = defineQuery<{ readonly values: string }, { readonly count: number }>({
    name,
    sql: `SELECT count(*) AS count FROM ${table} WHERE ${column} IN (SELECT value FROM json_each(:values))`,
  });
  remainsQueries.set(name, query);
  return query;
}

/** Numbers that are kept on purpose, so that they are not given again. */
const KEPT = 'deleted_numbers';

/** Every `table.column` in which something of a room is left. */
export async function findRemains(db: ReadDb, parts: RoomParts): Promise<readonly string[]> {
  const remains: string[] = [];
  for (const { name, columnName } of await db.all(columnsOfTables, {})) {
    const part = OF_ROOM[columnName] ?? OF_ROOM[`${name}.${columnName}`];
    if (part === undefined || name === KEPT) continue;
    const query = remainsQuery(name, columnName);
    const { count } = await db.get(query, { values: JSON.stringify(parts[part]) });
    if (count > 0) remains.push(`${name}.${columnName}`);
  }
  return remains;
}
