import { expect } from 'chai';
import { type Random, seededRandom } from '../../../src/kit/random.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import type { ForeignEvent, ForeignProposal, ForeignRoom } from './foreign-events.ts';
import {
  checkJoinedRoom,
  completed,
  FRANK,
  GINA,
  openPartialWorld,
  type PartialWorld,
  readPicture,
  redaction,
} from './partial-world.ts';
import { DAVE, ERIN, member, message, topic } from './receive-world.ts';

describe('rooms.complete-state, any graph', () => {
  const worlds: PartialWorld[] = [];
  const open: typeof openPartialWorld = async (options) => {
    const world = await openPartialWorld(options);
    worlds.push(world);
    return world;
  };
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });

  /** Events after the join, some of them of who may not, on branches. */
  const makeGraph = (
    room: ForeignRoom,
    join: ForeignEvent,
    random: Random,
    size: number,
  ): readonly ForeignEvent[] => {
    const users = [DAVE, ERIN, FRANK, GINA, GINA, '@henry:fourth.example', '@ida:third.example'];
    const pick = <T>(items: readonly T[]): T => items[random.integer(items.length)] as T;
    const events = [join];
    while (events.length < size) {
      const recent = events.slice(-6).map(({ eventId }) => eventId);
      const early = [...room.events.keys()].slice(6, -events.length);
      const isEarly = random.integer(10) === 0;
      const prev = isEarly
        ? [pick(early)]
        : [...new Set([pick(recent), pick(recent), ...(random.integer(3) === 0 ? [pick(recent)] : [])])];
      const sender = pick(users);
      const state = (type: string, content: ForeignProposal['content']): ForeignProposal => ({
        sender,
        type,
        stateKey: '',
        content: content ?? {},
      });
      const said = [message(sender, `${events.length}`), topic(sender, `${events.length}`)];
      // Nothing that might undo Alice's join.
      const proposal = pick(
        isEarly
          ? said
          : [
              ...said,
              ...said,
              member(sender, sender, pick(['join', 'leave'])),
              member(sender, pick(users), pick(['ban', 'leave', 'invite'])),
              state('m.room.power_levels', {
                users: { [DAVE]: 100, [ERIN]: 50, [FRANK]: random.integer(60) },
              }),
              state('m.room.join_rules', { join_rule: 'public', count: events.length }),
              redaction(sender, pick(recent)),
            ],
      );
      // Now and then with the auth events of another place of the graph, or of before the join.
      const place =
        sender === GINA && random.integer(2) === 0 ? [...room.events.keys()].slice(7, 8) : [pick(recent)];
      const stale = random.integer(2) === 0 ? { ...proposal, prev: place } : null;
      const auth = stale === null ? {} : { auth: edgeIds(room.build(stale).pdu.auth_events) };
      events.push(room.add({ ...proposal, prev, ...auth }));
    }
    return events.slice(1);
  };

  /** In any order in which each comes after what it follows. */
  const shuffle = (events: readonly ForeignEvent[], random: Random): readonly ForeignEvent[] => {
    const waiting = [...events];
    const ordered: ForeignEvent[] = [];
    const done = new Set<string>();
    const ids = new Set(events.map(({ eventId }) => eventId));
    while (waiting.length > 0) {
      const ready = waiting.filter(({ pdu }) =>
        edgeIds(pdu.prev_events).every((id) => done.has(id) || !ids.has(id)),
      );
      const next = ready[random.integer(ready.length)] as ForeignEvent;
      waiting.splice(waiting.indexOf(next), 1);
      done.add(next.eventId);
      ordered.push(next);
    }
    return ordered;
  };

  for (const seed of [1, 3, 5])
    it(`makes of a random graph what it would have been with the whole state, seed ${seed}`, async function () {
      this.timeout(60_000);
      const random = seededRandom(seed);
      const version = ['11', '10', '6', '11', '2', '1'][seed % 6] ?? '11';
      const world = await open({ version, members: [ERIN, FRANK, '@henry:fourth.example'] });
      const { room, house, roomId } = world;
      for (const proposal of [
        member(GINA, GINA, 'join'),
        member(DAVE, GINA, 'ban'),
        member('@henry:fourth.example', '@henry:fourth.example', 'leave'),
        member(DAVE, '@ida:third.example', 'invite'),
      ])
        room.add(proposal);
      const join = await world.enter();
      const full = await open({ room, join });
      await full.enter({ isPartial: false });
      const events = shuffle(makeGraph(room, join, random, 20), random);
      const at = events.length - 1 - random.integer(8);
      const isKnown = new Set([join.eventId]);
      let completing: Promise<unknown> = Promise.resolve();
      for (const [index, event] of events.entries()) {
        if (index === at) completing = world.complete().then(completed);
        const how = edgeIds(event.pdu.prev_events).every((id) => isKnown.has(id)) ? undefined : 'given';
        isKnown.add(event.eventId);
        await world.give(event, how);
        await full.give(event, how);
      }
      await completing;
      await house.idle();
      expect(await world.isPartial()).to.equal(false);
      await checkJoinedRoom(house, roomId);
      await checkJoinedRoom(full.house, roomId);
      expect(await readPicture(house, roomId)).to.deep.equal(await readPicture(full.house, roomId));
    });
});
