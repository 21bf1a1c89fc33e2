import { expect } from 'chai';
import { cachesActor } from '../../../actors/caches/actor.ts';
import {
  createPendingPokes,
  POKE_FACTS_MAX,
  POKE_MEMBERS_MAX,
} from '../../../actors/caches/pending-pokes.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import type { CachesProtocol } from '../../../actors/caches/protocol.ts';
import { cachesStream, type CachesRow } from '../../../src/streams/caches-stream.ts';
import { defineCache } from '../../../src/streams/cache.ts';
import type { Fact } from '../../../src/streams/fact.ts';
import { MESSAGE_SIZE_BYTES_MAX } from '../../../src/streams/message-batches.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createStreamWorld, type StreamWorld } from '../views/stream-world.ts';

const stateCache = defineCache<string, number>({
  name: 'state-for-test',
  sizeMax: 100_000,
  load: () => Promise.resolve(1),
  reads: [],
  dependsOn: { 'room-changed': (fact) => [fact.roomId] },
});
const memberCache = defineCache<string, number>({
  name: 'members-for-test',
  sizeMax: 100_000,
  load: () => Promise.resolve(1),
  reads: [],
  dependsOn: { membership: (fact) => [fact.userId] },
});

describe('caches actor', () => {
  let world: StreamWorld;
  let caches: ActorRef<CachesProtocol>;

  const open = async (seats: readonly string[] = ['a', 'b']): Promise<void> => {
    world = await createStreamWorld({ seats, actors: [cachesActor], streams: [cachesStream] });
    caches = world.host.ref('caches');
  };
  beforeEach(() => open());
  afterEach(() => world.stop());

  /** The pokes that a subscriber was told, in order. */
  const pokes = (subscriber = 'views@a'): CachesRow[] =>
    world.heard.flatMap((message) =>
      message.kind === 'rows' && message.subscriber === subscriber
        ? message.rows.map(({ row }) => row as CachesRow)
        : [],
    );
  const facts = (): Fact[] => pokes().flatMap((poke) => poke.facts);
  const change = (roomId: string, members: readonly string[] = [], invalidations = 1): void => {
    expect(caches.tell('caches.room-changed', { roomId, invalidations, members })).to.equal('sent');
  };
  const users = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => `@user${index}:example.org`);
  const figure = (name: string): number => {
    const { counters, gauges } = world.host.supervisor.figures();
    return counters.get(`stream.caches.${name}`) ?? gauges.get(`stream.caches.${name}`) ?? 0;
  };

  it('7.1 one state change is one poke for each subscriber', async () => {
    change('!a');
    await world.host.idle();
    expect(pokes('views@a')).to.deep.equal([
      { facts: [{ fact: 'room-changed', roomId: '!a', members: [] }] },
    ]);
    expect(pokes('views@b')).to.have.length(1);
  });

  it('7.1 one join is one poke', async () => {
    change('!a', ['@a:x'], 3);
    await world.host.idle();
    expect(pokes()).to.deep.equal([{ facts: [{ fact: 'room-changed', roomId: '!a', members: ['@a:x'] }] }]);
  });

  it('7.1 a hundred joins to one room at one moment are one poke, two rooms are two', async () => {
    for (const user of users(100)) change('!a', [user]);
    change('!b', ['@b:x']);
    await world.host.idle();
    expect(pokes()).to.have.length(2);
    expect(facts()[0]).to.deep.equal({ fact: 'room-changed', roomId: '!a', members: users(100) });
  });

  it('7.1 changes at different moments are pokes of their own', async () => {
    change('!a');
    await world.host.idle();
    change('!a');
    await world.host.idle();
    expect(pokes()).to.have.length(2);
  });

  it('7.2 without members every subscriber still drops the state of the room', async () => {
    for (const name of ['a', 'b']) {
      // Each has caches of its own.
      await world.seat(name).caches.get(stateCache, '!a');
      await world.seat(name).caches.get(stateCache, '!b');
    }
    change('!a');
    await world.host.idle();
    for (const name of ['a', 'b']) {
      expect(world.seat(name).caches.peek(stateCache, '!a')).to.equal(undefined);
      expect(world.seat(name).caches.peek(stateCache, '!b')).to.equal(1);
    }
  });

  it('7.3 ten thousand members travel in chunks below every bound, and all arrive', async () => {
    const members = users(10_000);
    const { caches: ofA } = world.seat('a');
    await ofA.get(memberCache, members[9_999] ?? '');
    change('!a', members, 10_000);
    await world.host.idle();
    const parts = facts().map((fact) => (fact.fact === 'room-changed' ? fact.members : []));
    expect(parts).to.have.length(10_000 / POKE_MEMBERS_MAX);
    for (const part of parts) expect(part.length).to.be.at.most(POKE_MEMBERS_MAX);
    expect(parts.flat().toSorted()).to.deep.equal(members.toSorted());
    for (const message of world.heard)
      expect(JSON.stringify(message).length).to.be.at.most(MESSAGE_SIZE_BYTES_MAX + 1_024);
    expect(ofA.peek(memberCache, members[9_999] ?? '')).to.equal(undefined);
    expect(world.seat('a').views.currentToken('caches')).to.equal(10);
    change('!b');
    await world.host.idle();
    expect(world.seat('b').views.currentToken('caches')).to.equal(11);
  });

  it('7.4 a subscriber without a cache applies the rest', async () => {
    await world.seat('a').caches.get(memberCache, '@a:x');
    caches.tell('caches.invalidate', {
      facts: [
        { fact: 'room-alias', alias: '#nobody:knows' },
        { fact: 'membership', roomId: '!a', userId: '@a:x' },
      ],
    });
    await world.host.idle();
    expect(world.seat('a').caches.peek(memberCache, '@a:x')).to.equal(undefined);
    expect(world.seat('b').views.currentToken('caches')).to.equal(1);
  });

  it('7.5 nothing is told before the commit, and what storage did not take is told when it does', async () => {
    world.faults.push(
      { kind: 'unavailable', fault: 'disk-full', detail: 'full' },
      { kind: 'unavailable', fault: 'disk-full', detail: 'full' },
    );
    change('!a', ['@a:x']);
    await world.host.idle();
    expect(pokes()).to.deep.equal([]);
    change('!b');
    await world.host.idle();
    await world.clock.advance(100);
    await world.host.idle();
    expect(pokes()).to.deep.equal([]);
    await world.clock.advance(200);
    await world.host.idle();
    expect(facts().map((fact) => fact.fact === 'room-changed' && fact.roomId)).to.deep.equal(['!a', '!b']);
    expect(figure('pokes-unavailable')).to.equal(2);
  });

  it('7.5 a defective write tells nobody, and 7.7 the next life makes everybody forget', async () => {
    await world.seat('a').caches.get(stateCache, '!kept');
    world.faults.push({ kind: 'refused', refusal: 'no', step: 0 });
    change('!lost');
    await world.host.idle();
    await world.clock.advance(10);
    await world.host.idle();
    expect(pokes()).to.deep.equal([]);
    expect(world.seat('a').clears).to.equal(1);
    expect(world.seat('a').caches.peek(stateCache, '!kept')).to.equal(undefined);
  });

  it('7.7 a subscriber that lives on when the actor is restarted forgets everything, once', async () => {
    change('!a');
    await world.host.idle();
    await world.seat('a').caches.get(stateCache, '!b');
    expect(world.seat('a').clears).to.equal(0);
    await world.host.restart('caches');
    await world.host.idle();
    expect([world.seat('a').clears, world.seat('b').clears]).to.deep.equal([1, 1]);
    expect(world.seat('a').caches.peek(stateCache, '!b')).to.equal(undefined);
    change('!c');
    await world.host.idle();
    expect(world.seat('a').clears).to.equal(1);
    expect(world.seat('a').views.currentToken('caches')).to.equal(3);
  });

  it('7.7 a subscriber that missed a poke forgets everything', async () => {
    await world.seat('a').caches.get(stateCache, '!b');
    world.seat('a').views.disconnect('caches');
    change('!a');
    await world.host.idle();
    await world.host.restart('views@a');
    await world.host.idle();
    expect([world.seat('a').clears, world.seat('b').clears]).to.deep.equal([1, 0]);
    expect(world.seat('a').views.currentToken('caches')).to.equal(1);
  });

  it('7.7 a subscriber that missed nothing keeps its caches when it connects again', async () => {
    change('!a');
    await world.host.idle();
    await world.host.restart('views@a');
    await world.host.idle();
    expect(world.seat('a').clears).to.equal(0);
  });

  it('7.8 counts what goes in and out: at least five invalidations per poke for joins', async () => {
    for (let room = 0; room < 20; room += 1) for (const user of users(10)) change(`!${room}`, [user], 3);
    await world.host.idle();
    expect(figure('invalidations-in')).to.equal(600);
    expect(figure('pokes-sent')).to.equal(20);
    expect(figure('invalidations-per-poke')).to.equal(30);
    expect(figure('invalidations-per-poke')).to.be.at.least(5);
    const rows = world.heard.filter(({ kind, subscriber }) => kind === 'rows' && subscriber === 'views@a');
    expect(rows).to.have.length(1);
    expect(JSON.stringify(rows).length).to.be.below(20 * 1_024);
  });

  it('7.10 tells only what it is told: facts of other streams ride with their rows', async () => {
    await world.write('x');
    await world.host.idle();
    expect(pokes()).to.deep.equal([]);
  });

  it('answers who publishes with the position at which the facts stand', async () => {
    await world.seat('a').caches.get(memberCache, '@a:x');
    change('!a');
    const { position } = await caches.ask('caches.publish', {
      facts: [{ fact: 'membership', roomId: '!a', userId: '@a:x' }],
    });
    expect(position).to.equal(2);
    expect(await world.seat('a').views.reached('caches', position)).to.equal(true);
    expect(world.seat('a').caches.peek(memberCache, '@a:x')).to.equal(undefined);
    expect(await caches.ask('caches.publish', { facts: [] })).to.deep.equal({ position: 2 });
  });

  it('answers publishers while changes keep coming', async () => {
    const asked = caches.ask('caches.publish', { facts: [{ fact: 'profile', userId: '@a:x' }] });
    for (let index = 0; index < 50; index += 1) change(`!${index}`);
    const { position } = await asked;
    expect(position).to.be.within(1, 51);
    await world.host.idle();
    expect(world.seat('a').views.currentToken('caches')).to.equal(51);
  });

  it('a burst larger than its mailbox loses nothing that was accepted', async () => {
    const sent = Array.from({ length: 12_000 }, (_, index) =>
      caches.tell('caches.room-changed', {
        roomId: `!${index % 7}`,
        invalidations: 1,
        members: [`@${index}:x`],
      }),
    );
    await world.host.idle();
    const accepted = sent.flatMap((outcome, index) => (outcome === 'sent' ? [`@${index}:x`] : []));
    const told = facts().flatMap((fact) => (fact.fact === 'room-changed' ? fact.members : []));
    expect(new Set(told)).to.deep.equal(new Set(accepted));
    expect(accepted.length).to.be.greaterThan(5_000);
  });
});

for (const transport of TRANSPORTS)
  describe(`caches actor (${transport})`, () => {
    let world: StreamWorld;
    let caches: ActorRef<CachesProtocol>;
    const module = new URL('../../../actors/caches/actor.ts', import.meta.url).href;

    beforeEach(async () => {
      world = await createStreamWorld({
        transport,
        actors: [{ module, exportName: 'cachesActor' }],
        streams: [cachesStream],
      });
      caches = world.host.ref('caches');
    });
    afterEach(() => world.stop());

    /** Tells of facts and waits until the seat has applied them. */
    async function publish(...facts: Fact[]): Promise<number> {
      const { position } = await caches.ask('caches.publish', { facts });
      expect(await world.seat('a').views.reached('caches', position)).to.equal(true);
      return position;
    }

    it('7.2 drops what a poke without members names, before the reply is worth anything', async () => {
      const seat = world.seat('a');
      await seat.caches.get(stateCache, '!a');
      expect(await publish({ fact: 'room-changed', roomId: '!a', members: [] })).to.equal(1);
      expect(seat.caches.peek(stateCache, '!a')).to.equal(undefined);
    });

    it('7.3 ten thousand members arrive', async () => {
      const members = Array.from({ length: 10_000 }, (_, index) => `@user${index}:example.org`);
      caches.tell('caches.room-changed', { roomId: '!a', invalidations: 10_000, members });
      await publish({ fact: 'profile', userId: '@a:x' });
      const told = world
        .seat('a')
        .facts.flatMap((fact) => (fact.fact === 'room-changed' ? fact.members : []));
      expect(new Set(told)).to.deep.equal(new Set(members));
    });

    it('7.7 a new life makes who lived on forget everything', async () => {
      const seat = world.seat('a');
      await publish({ fact: 'profile', userId: '@a:x' });
      await seat.caches.get(stateCache, '!a');
      await world.host.restart('caches');
      await publish({ fact: 'profile', userId: '@a:x' });
      expect(seat.caches.peek(stateCache, '!a')).to.equal(undefined);
      expect([seat.clears, seat.views.currentToken('caches')]).to.deep.equal([1, 3]);
    });
  });

describe('pending pokes', () => {
  it('one fact that was told twice goes out once, in pokes that are bounded', () => {
    const pending = createPendingPokes();
    const facts: Fact[] = Array.from({ length: POKE_FACTS_MAX + 5 }, (_, index) => ({
      fact: 'profile',
      userId: `@${index}:x`,
    }));
    pending.addFacts(facts);
    pending.addFacts(facts);
    expect(pending.take().map((poke) => poke.facts.length)).to.deep.equal([POKE_FACTS_MAX, 5]);
    expect([pending.isEmpty(), pending.take()]).to.deep.equal([true, []]);
  });

  it('beyond its bound everything is one poke', () => {
    const pending = createPendingPokes(5);
    pending.addRoom('!a', ['@1:x', '@2:x', '@3:x']);
    pending.addRoom('!a', ['@1:x', '@2:x', '@3:x']);
    expect(pending.isEmpty()).to.equal(false);
    pending.addRoom('!b', ['@1:x', '@2:x']);
    pending.addFacts([{ fact: 'profile', userId: '@a:x' }]);
    expect(pending.take()).to.deep.equal([{ facts: [{ fact: 'everything' }] }]);
    pending.addRoom('!c', []);
    expect(pending.take()).to.deep.equal([{ facts: [{ fact: 'room-changed', roomId: '!c', members: [] }] }]);
  });
});
