import { expect } from 'chai';
import * as fc from 'fast-check';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const NAMES = ['alice', 'carol', 'dan'] as const;
const ROOMS_MAX = 3;
const RUNS = 4;
const STEPS_MAX = 40;
const OWNERS = ['device-lists', 'rooms', 'keys', 'accounts'] as const;

/** What happens; `who` and `room` count from 0 and stand for somebody and some room. */
type Step =
  | { readonly kind: 'join' | 'leave' | 'device'; readonly who: number; readonly room: number }
  | { readonly kind: 'room'; readonly who: number }
  | { readonly kind: 'restart'; readonly owner: number }
  | { readonly kind: 'sync' };

const people = fc.nat(NAMES.length);
const rooms = fc.nat(ROOMS_MAX - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('join' as const), who: people, room: rooms }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('leave' as const), who: people, room: rooms }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('device' as const), who: people, room: rooms }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('room' as const), who: people }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('restart' as const), owner: fc.nat(OWNERS.length - 1) }),
  },
  { weight: 4, arbitrary: fc.constant({ kind: 'sync' as const }) },
);

/** Bob watches; the others come and go, and so does he. */
async function walk(world: SyncWorld, steps: readonly Step[]): Promise<void> {
  const bob = await world.person('bob');
  const all: Person[] = [bob];
  for (const name of NAMES) all.push(await world.person(name));
  const members: { readonly roomId: string; readonly in: Set<Person> }[] = [];
  const make = async (creator: Person): Promise<void> => {
    if (members.length < ROOMS_MAX) members.push({ roomId: await creator.room(), in: new Set([creator]) });
  };
  await make(bob);
  const sharing = (): Set<string> => {
    const shared = members.filter((room) => room.in.has(bob)).flatMap((room) => [...room.in]);
    return new Set(shared.filter((person) => person !== bob).map(({ userId }) => userId));
  };
  let { next_batch: since } = await bob.next();
  /** Whose devices bob's client follows, and whose changed since its last sync. */
  const followed = sharing();
  const changed = new Set<string>();
  /** With whom bob shared a room at any time since then. */
  let met = sharing();
  async function sync(): Promise<void> {
    const before = new Set(followed);
    const answer: Answer = await bob.next();
    const news = (answer.device_lists ?? {}) as { changed?: string[]; left?: string[] };
    const others = (news.changed ?? []).filter((userId) => userId !== bob.userId);
    for (const userId of others) followed.add(userId);
    for (const userId of news.left ?? []) followed.delete(userId);
    expect([...met], 'of nobody else').to.include.members(news.left ?? []);
    expect([...followed].toSorted(), 'follows exactly those who share a room').to.deep.equal(
      [...sharing()].toSorted(),
    );
    const due = [...changed].filter((userId) => userId === bob.userId || sharing().has(userId));
    expect(news.changed ?? [], 'is told of every change').to.include.members(due);
    const again = await bob.get('/keys/changes', { from: since, to: answer.next_batch });
    const missed = [...sharing()].filter((userId) => !before.has(userId));
    expect(again.changed, 'and so by /keys/changes').to.include.members([...due, ...missed]);
    const gone = [...before].filter((userId) => !sharing().has(userId));
    expect(again.left).to.include.members(gone);
    expect([...met]).to.include.members(again.left);
    since = answer.next_batch;
    changed.clear();
    met = sharing();
  }
  for (const it of steps) {
    // One after another: each builds on what was there before.
    if (it.kind === 'sync') await sync();
    else if (it.kind === 'restart') await world.host.restart(OWNERS[it.owner] ?? 'device-lists');
    else {
      const person = all[it.who] as Person;
      const room = it.kind === 'room' ? undefined : members[it.room];
      if (it.kind === 'room') await make(person);
      if (it.kind === 'device') {
        await world.device(person);
        changed.add(person.userId);
      }
      if (it.kind === 'join' && room?.in.has(person) === false) {
        await person.act('join', room.roomId);
        room.in.add(person);
      }
      // The last one stays: nobody could come back.
      if (it.kind === 'leave' && room?.in.has(person) === true && room.in.size > 1) {
        await person.act('leave', room.roomId);
        room.in.delete(person);
      }
    }
    met = new Set([...met, ...sharing()]);
  }
  await sync();
}

describe('whose devices a client follows', () => {
  it('ends with those who were there when it last synced, and with nobody who came after it had left', async () => {
    const world = await openSyncWorld();
    try {
      const [bob, alice, carol] = [
        await world.person('bob'),
        await world.person('alice'),
        await world.person('carol'),
      ];
      const room = await alice.room();
      await bob.act('join', room);
      await bob.next();
      await bob.act('leave', room);
      await carol.act('join', room);
      expect((await bob.next()).device_lists.left, 'who was there').to.deep.equal([alice.userId]);
      await bob.act('join', room);
      expect((await bob.next()).device_lists.changed).to.include.members([alice.userId, carol.userId]);
      await alice.act('leave', room);
      await bob.act('leave', room);
      const both = (await bob.next()).device_lists.left;
      expect(both, 'who left before').to.have.members([alice.userId, carol.userId]);
      await bob.act('join', room);
      await alice.act('join', room);
      await bob.next();
      await bob.act('leave', room);
      await alice.act('leave', room);
      await bob.act('join', room);
      expect((await bob.next()).device_lists.left, 'who left while it was away').to.deep.equal([
        alice.userId,
      ]);
    } finally {
      await world.stop();
    }
  });

  it('is told of who left, got another device, and came back', async () => {
    const world = await openSyncWorld();
    try {
      const [bob, alice] = [await world.person('bob'), await world.person('alice')];
      const room = await bob.room();
      await alice.act('join', room);
      const { next_batch: since } = await bob.next();
      await alice.act('leave', room);
      await world.device(alice);
      await alice.act('join', room);
      const { device_lists: news, next_batch: to } = await bob.next();
      expect(news.changed).to.deep.equal([alice.userId]);
      expect((await bob.get('/keys/changes', { from: since, to })).changed).to.deep.equal([alice.userId]);
    } finally {
      await world.stop();
    }
  });

  it('3.3 4.1 is right after each sync, whoever joins, leaves, comes back or makes rooms, and whatever restarts', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: STEPS_MAX / 2, maxLength: STEPS_MAX }), async (steps) => {
        const world = await openSyncWorld();
        try {
          await walk(world, steps);
        } finally {
          await world.stop();
        }
      }),
      { numRuns: RUNS, endOnFailure: true },
    );
  }).timeout(60_000);
});
