import { expect } from 'chai';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const STATE = 'org.example.state';

/**
 * Filters by relation, and what they let through: `root` has an answer in a thread by Bob and a reference by the state event `own`, to which Bob
 * refers; `other` has nothing.
 */
const CASES: readonly (readonly [filter: JsonObject, let_: string])[] = [
  [{ related_by_rel_types: ['m.thread'] }, 'root'],
  [{ 'io.element.relation_types': ['m.thread'] }, 'root'],
  [{ related_by_rel_types: ['m.thread', 'm.reference'] }, 'root own'],
  [{ related_by_senders: ['@bob:example.org'] }, 'root own'],
  [{ 'io.element.relation_senders': ['@bob:example.org'] }, 'root own'],
  [{ related_by_senders: ['@alice:example.org'] }, 'root'],
  [{ related_by_senders: ['@alice:example.org'], related_by_rel_types: ['m.thread'] }, ''],
  [{ related_by_senders: [] }, ''],
  [{ 'org.matrix.msc3874.rel_types': ['m.thread'] }, 'answer'],
  [{ 'org.matrix.msc3874.rel_types': ['m.thread', 'm.reference'] }, 'answer own mark'],
  [{ 'org.matrix.msc3874.rel_types': [null] }, 'root other'],
  [{ 'org.matrix.msc3874.not_rel_types': ['m.reference'] }, 'root answer other'],
  [{ 'org.matrix.msc3874.not_rel_types': [null] }, 'answer own mark'],
  [{ 'org.matrix.msc3874.rel_types': ['m.reference'], related_by_senders: ['@bob:example.org'] }, 'own'],
];

describe('filters by relation', () => {
  let world: SyncWorld;
  let alice: Person;
  let roomId: string;
  const ids = new Map<string, string>();

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    const bob = await world.person('bob');
    roomId = await alice.room();
    await bob.act('join', roomId);
    const relates = (rel_type: string, name: string): JsonObject => ({
      'm.relates_to': { rel_type, event_id: ids.get(name) ?? '' },
    });
    const say = async (person: Person, name: string, content: JsonObject = {}): Promise<void> => {
      const path = pathOf`/rooms/${roomId}/send/m.room.message/${name}`;
      const body = { msgtype: 'm.text', body: `word ${name}`, ...content };
      ids.set(name, (await person.put(path, body)).event_id);
    };
    await say(alice, 'root');
    await say(bob, 'answer', relates('m.thread', 'root'));
    const state = await alice.put(pathOf`/rooms/${roomId}/state/${STATE}/`, relates('m.reference', 'root'));
    ids.set('own', state.event_id);
    await say(bob, 'mark', relates('m.reference', 'own'));
    await say(alice, 'other');
  });
  after(() => world.stop());

  const types = ['m.room.message', STATE];
  const namesOf = (events: readonly Answer[]): string => {
    const found = new Set(events.map((event) => event.event_id as string));
    return [...ids]
      .filter(([, id]) => found.has(id))
      .map(([name]) => name)
      .join(' ');
  };
  const only = (names: string, kept: (name: string) => boolean): string =>
    names
      .split(' ')
      .filter((name) => name !== '' && kept(name))
      .join(' ');

  for (const [filter, names] of CASES)
    it(`let "${names}" through, wherever events of rooms are filtered: ${JSON.stringify(filter)}`, async () => {
      const wanted = { ...filter, types };
      const text = JSON.stringify(wanted);
      const messages = await alice.get(pathOf`/rooms/${roomId}/messages`, {
        dir: 'b',
        limit: 50,
        filter: text,
      });
      expect(namesOf(messages.chunk), 'messages').to.equal(names);
      const middle = pathOf`/rooms/${roomId}/context/${ids.get('own') ?? ''}`;
      const context = await alice.get(middle, { limit: 50, filter: text });
      const around = [...context.events_before, ...context.events_after];
      expect(namesOf(around), 'context').to.equal(only(names, (name) => name !== 'own'));
      const { rooms } = await alice.sync({
        filter: JSON.stringify({ room: { timeline: { ...wanted, limit: 50 } } }),
      });
      expect(namesOf(rooms.join[roomId].timeline.events), 'timeline').to.equal(names);
      const inState = JSON.stringify({ room: { state: wanted, timeline: { types: [] } } });
      const synced = await alice.sync({ filter: inState, full_state: true });
      const { state = { events: [] } } = synced.rooms.join[roomId];
      expect(namesOf(state.events), 'state').to.equal(only(names, (name) => name === 'own'));
      const room_events = { search_term: 'word', filter: wanted };
      const found = await alice.post('/search', { search_categories: { room_events } });
      const results = found.search_categories.room_events.results.map((one: Answer) => one.result);
      expect(namesOf(results), 'search').to.equal(only(names, (name) => name !== 'own'));
    });
});
