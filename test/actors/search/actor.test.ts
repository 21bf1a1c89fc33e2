import { expect } from 'chai';
import { INDEX_INTERVAL_MS } from '../../../actors/search/actor.ts';
import { createIndexer, ROWS_PER_WRITE_MAX } from '../../../actors/search/indexer.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { openWriteConnection } from '../../../db/kit/sqlite.ts';
import { readProgress } from '../../../db/search/index-reader.ts';
import { type AdminWorld, openAdminWorld } from '../../src/http/admin/admin-world.ts';
import type { Person } from '../../src/sync/sync-world.ts';

const indexed = defineQuery<{ readonly match: string }, { readonly eventId: string }>({
  name: 'test.indexed',
  sql: `
    SELECT e.event_id AS eventId FROM search_words w JOIN events e ON e.event_nid = w.rowid
     WHERE search_words MATCH :match ORDER BY w.rowid`,
});
const sizes = defineQuery<
  Record<string, never>,
  { readonly entries: number; readonly words: number; readonly strays: number }
>({
  name: 'test.index-sizes',
  sql: `
    SELECT (SELECT count(*) FROM search_entries) AS entries, (SELECT count(*) FROM search_words_docsize) AS words,
           (SELECT count(*) FROM search_entries s
             WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.event_nid = s.event_nid)) AS strays`,
});

const path = (text: string): string => encodeURIComponent(text);

describe('the search index', () => {
  let world: AdminWorld;
  let alice: Person;
  let room: string;
  beforeEach(async () => {
    world = await openAdminWorld();
    alice = await world.person('alice');
    room = await alice.room();
  });
  afterEach(() => world.stop());

  const find = async (match: string): Promise<readonly string[]> =>
    (await world.database.db.all(indexed, { match })).map(({ eventId }) => eventId);
  async function reach(): Promise<void> {
    const position = world.streams.currentToken('events');
    expect(await world.host.ref('search').ask('search.index-now', null)).to.deep.equal({ position });
    const { entries, words, strays } = await world.database.db.get(sizes, {});
    expect(words).to.equal(entries);
    expect(strays).to.equal(0);
  }

  it('follows by itself, and a send does not wait for it', async () => {
    const said = await alice.say(room, 'hello');
    expect(await find('hello')).to.deep.equal([]);
    await world.clock.advance(INDEX_INTERVAL_MS);
    await world.host.idle();
    expect(await find('hello')).to.deep.equal([said]);
    const { indexedUpTo, position } = await readProgress(world.database.db);
    expect(indexedUpTo).to.equal(position);
    const next = await alice.say(room, 'hello');
    await world.clock.advance(INDEX_INTERVAL_MS);
    await world.host.idle();
    expect(await find('hello')).to.deep.equal([said, next]);
  });

  it('stands back for those who send, and not when somebody waits for it', async () => {
    await alice.say(room, 'hello');
    const waits: number[] = [];
    let now = 0;
    const indexer = createIndexer({
      db: world.database.db,
      isEnded: () => false,
      write: () => Promise.resolve(true),
      clock: {
        ...world.clock,
        monotonic: () => (now += 10),
        after(delayMs, action) {
          waits.push(delayMs);
          action();
          return world.clock.after(0, () => undefined);
        },
      },
    });
    await indexer.run(true);
    expect(waits).to.deep.equal([]);
    await indexer.run(false);
    expect(waits).to.deep.equal([90]);
  });

  it('goes on where its last life ended, and from the beginning of an older database', async () => {
    const sent: string[] = [];
    const say = async (times: number): Promise<void> => {
      for (let at = 0; at < times; at += 1) sent.push(await alice.say(room, `hello ${at}`));
    };
    await say(ROWS_PER_WRITE_MAX + 20);
    await reach();
    await world.host.restart('search');
    await say(5);
    await reach();
    expect(await find('hello')).to.deep.equal(sent);
    const connection = openWriteConnection(world.database.path);
    connection.exec(`DELETE FROM search_words; DELETE FROM search_entries; DELETE FROM search_rooms;
                     UPDATE search_progress SET indexed_up_to = 0`);
    connection.close();
    await world.host.restart('search');
    await reach();
    expect(await find('hello')).to.deep.equal(sent);
  });

  it('takes nothing twice when its progress is behind', async () => {
    const said = await alice.say(room, 'hello');
    await reach();
    const connection = openWriteConnection(world.database.path);
    connection.exec('UPDATE search_progress SET indexed_up_to = 0');
    connection.close();
    await reach();
    expect(await find('hello')).to.deep.equal([said]);
  });

  for (const isIndexedBefore of [true, false])
    it(`loses what was purged and redacted, ${isIndexedBefore ? 'indexed by then' : 'not indexed yet'}`, async () => {
      const sent: string[] = [];
      for (let at = 0; at < 6; at += 1) sent.push(await alice.say(room, 'hello'));
      if (isIndexedBefore) await reach();
      await alice.put(`/rooms/${path(room)}/redact/${path(sent[4] ?? '')}/r1`);
      const begun = await world.ask(
        'POST',
        `/_synapse/admin/v1/purge_history/${path(room)}/${path(sent[3] ?? '')}`,
        { delete_local_events: true },
      );
      await world.settled(`/_synapse/admin/v1/purge_history_status/${begun.purge_id as string}`);
      await reach();
      expect(await find('hello')).to.deep.equal([sent[3], sent[5]]);
    });

  it('knows a room by its word, and no room by that of another', async () => {
    const other = await alice.room();
    const said = [await alice.say(room, 'hello r1 r2 r3'), await alice.say(other, 'hello')];
    await reach();
    expect(await find('hello')).to.deep.equal(said);
    const body = { search_categories: { room_events: { search_term: 'hello', filter: { rooms: [other] } } } };
    const { search_categories: found } = await alice.post('/search', body);
    expect(found.room_events.results).to.have.lengthOf(1);
    expect(found.room_events.results[0].result.event_id).to.equal(said[1]);
  });
});
