import { expect } from 'chai';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const escaped = encodeURIComponent;
const BATCH_MS = 100;

const bodies = (events: readonly Answer[]): readonly string[] =>
  events.flatMap((event) => event.content.body ?? event.content.topic ?? []);

describe('what ignored users send', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;
  before(async () => {
    world = await openSyncWorld();
    [alice, bob] = [await world.person('alice'), await world.person('bob')];
    room = await bob.room();
    await alice.act('join', room);
  });
  after(() => world.stop());

  it('is left out of every list of events, but for state; and comes back', async () => {
    const path = `/rooms/${escaped(room)}`;
    await bob.say(room, 'mine');
    const { next_batch: since } = await bob.sync();
    await alice.say(room, 'theirs');
    await bob.put(`${path}/state/m.room.power_levels`, { users: { [alice.userId]: 50 } });
    await alice.put(`${path}/state/m.room.topic`, { topic: 'topic' });
    const last = await bob.say(room, 'mine too');
    await world.host.idle();
    await world.clock.advance(BATCH_MS);
    await world.host.idle();
    const chunk = async (
      of: string,
      query: Readonly<Record<string, string>> = {},
    ): Promise<readonly string[]> => bodies((await bob.get(of, query)).chunk).toSorted();
    const lists = async (): Promise<Answer> => {
      const context = await bob.get(`${path}/context/${escaped(last)}`, { limit: '20' });
      const snapshot = (await bob.get(`${path}/initialSync`)).messages;
      const notified = (await bob.get('/notifications')).notifications as readonly Answer[];
      return {
        messages: await chunk(`${path}/messages`, { dir: 'b' }),
        forward: await chunk(`${path}/messages`, { dir: 'f', limit: '50' }),
        context: bodies(context.events_before).toSorted(),
        snapshot: bodies(snapshot.chunk).toSorted(),
        events: await chunk('/events', { from: since, timeout: '0' }),
        sync: bodies((await bob.sync({ since })).rooms.join[room].timeline.events).toSorted(),
        notified: bodies(notified.map((one) => one.event)).toSorted(),
      };
    };
    const ignore = (users: object): Promise<Answer> =>
      bob.put(`/user/${escaped(bob.userId)}/account_data/m.ignored_user_list`, { ignored_users: users });
    const all = ['mine', 'mine too', 'theirs', 'topic'];
    const everything = {
      messages: all,
      forward: all,
      context: ['mine', 'theirs', 'topic'],
      snapshot: all,
      events: ['mine too', 'theirs', 'topic'],
      sync: ['mine too', 'theirs', 'topic'],
      notified: ['theirs'],
    };
    expect(await lists()).to.deep.equal(everything);
    await ignore({ [alice.userId]: {} });
    const without = Object.entries(everything).map(([name, texts]) => [
      name,
      texts.filter((text) => text !== 'theirs'),
    ]);
    expect(await lists()).to.deep.equal(Object.fromEntries(without));
    await ignore({});
    expect(await lists()).to.deep.equal(everything);
  });
});
