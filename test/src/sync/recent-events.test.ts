import { expect } from 'chai';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import { emptySyncFilter } from '../../../src/matrix/sync-filter-parse.ts';
import { parseToken } from '../../../src/streams/token.ts';
import { answerSync } from '../../../src/sync/answer-sync.ts';
import { RECENT_EVENTS_MAX } from '../../../src/sync/recent-events.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

describe('sync: what is read once for all in a room', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;
  const read: string[] = [];

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room();
    await bob.act('join', room);
  });
  after(() => world.stop());
  beforeEach(() => {
    read.length = 0;
  });

  /** Syncs over a database that notes which queries it is asked. */
  async function syncOf(person: Person, since: string): Promise<Answer> {
    const { db } = world.services;
    const noting: ReadDb = {
      all: (query, params) => (read.push(query.name), db.all(query, params)),
      find: (query, params) => (read.push(query.name), db.find(query, params)),
      get: (query, params) => (read.push(query.name), db.get(query, params)),
      snapshot: (work) => db.snapshot(work),
    };
    const token = parseToken(since);
    if ('kind' in token) throw new Error(token.error);
    const { text } = await answerSync(
      { ...world.services, db: noting },
      {
        caller: { userId: person.userId, deviceId: person.deviceId },
        since: token,
        filter: emptySyncFilter(),
        fullState: false,
        stateForm: 'state',
        timeoutMs: 0,
        presence: 'online',
        aborted: new AbortController().signal,
      },
    );
    return JSON.parse(text);
  }

  function timesRead(name: string): number {
    return read.filter((one) => one === name).length;
  }

  it('is the news of a room: whoever comes second asks no more for it', async () => {
    const { next_batch: since } = await alice.sync();
    await bob.say(room, 'hello');
    for (const person of [alice, bob, alice, bob]) {
      const { events } = (await syncOf(person, since)).rooms.join[room].timeline;
      expect(events.map((event: Answer) => event.content.body)).to.deep.equal(['hello']);
    }
    for (const query of [
      'rooms.sync-timeline',
      'rooms.sync-state-changes',
      'rooms.sync-member-changes-of-room',
    ])
      expect(timesRead(query), query).to.equal(1);
  });

  it('is nothing of a room that has none', async () => {
    const { next_batch: since } = await alice.sync();
    await syncOf(alice, since);
    read.length = 0;
    await syncOf(alice, since);
    expect(read).to.deep.equal([]);
  });

  it('leaves out nothing for who was away for longer', async () => {
    const { next_batch: since } = await alice.sync();
    const bodies = Array.from({ length: RECENT_EVENTS_MAX + 3 }, (_, index) => `${index}`);
    for (const body of bodies) await bob.say(room, body);
    const filter = JSON.stringify({ room: { timeline: { limit: 50 } } });
    const joined = (await alice.sync({ since, filter })).rooms.join[room];
    expect(joined.timeline.events.map((event: Answer) => event.content.body)).to.deep.equal(bodies);
    expect(joined.timeline.limited).to.equal(false);
  });
});
