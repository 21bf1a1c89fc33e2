import { expect } from 'chai';
import { DUE_RETRY_MS } from '../../../actors/delayed-events/due-loop.ts';
import type { Handlers } from '../../../actors/kit/actor.ts';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { RoomsProtocol, Sent } from '../../../actors/rooms/protocol.ts';
import { createAccount } from '../../../db/accounts/writer.ts';
import { findDelayedEvent } from '../../../db/delayed-events/reader.ts';
import { defineActor } from '../../../actors/environment.ts';
import { isRefusal, type Refusal, refuse } from '../../../src/matrix/refusal.ts';
import { type Transport, TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const ROOM = '!room:example.com';

type SendEvent = InputOf<RoomsProtocol, 'rooms.send-event'>;

/** What the rooms of a world were asked to send, and what they answer. */
interface Rooms {
  readonly asked: SendEvent[];
  answer: (input: SendEvent) => Promise<Sent | Refusal>;
}

const sent = ({ transaction }: SendEvent): Promise<Sent> =>
  Promise.resolve({ kind: 'sent', eventId: `$${transaction?.txnId}`, position: 7 });

async function openWorld(rooms: Rooms, transport: Transport): Promise<OwnerWorld> {
  const handlers: Partial<Handlers<RoomsProtocol>> = {
    'stream.subscribe': () => undefined,
    'stream.unsubscribe': () => undefined,
    'rooms.send-event'(input) {
      rooms.asked.push(input);
      return rooms.answer(input);
    },
  };
  const double = defineActor<RoomsProtocol>({
    name: 'rooms',
    mailbox: { limit: 1_000, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start: () => ({ handlers: handlers as Handlers<RoomsProtocol> }),
  });
  const world = await createOwnerWorld({
    owners: ['delayed-events'],
    bystanders: [double],
    isHeard: false,
    transport,
  });
  const account = { userId: ALICE, passwordHash: null, isAdmin: false, registrationToken: null };
  const steps = createAccount({ ...account, now: 1 });
  const outcome = await world.database.write.write({ owner: 'accounts', steps });
  if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
  return world;
}

/** Looks until what is looked for is there: on a worker time passes by itself. */
async function eventually(look: () => Promise<boolean>): Promise<void> {
  while (!(await look())) await new Promise((resolve) => setImmediate(resolve));
}

for (const transport of TRANSPORTS)
  describe(`the delayed-events actor, ${transport}`, () => {
    let world: OwnerWorld;
    let rooms: Rooms;
    beforeEach(async () => {
      rooms = { asked: [], answer: sent };
      world = await openWorld(rooms, transport);
    });
    afterEach(() => world.stop());

    const actor = () => world.host.ref('delayed-events');
    const find = (delayId: string) => findDelayedEvent(world.database.db, delayId);
    const schedule = async (delayMs: number, txnId: string): Promise<string> => {
      const answer = await actor().ask('delayed-events.schedule', {
        userId: ALICE,
        deviceId: 'D',
        roomId: ROOM,
        event: { type: 'm.x', content: { txnId }, stickyDurationMs: 5_000 },
        delayMs,
        transaction: { path: '/x', txnId },
      });
      if (isRefusal(answer)) throw new Error(answer.error);
      return answer.delayId;
    };
    const pass = (ms: number) => (transport === 'same-thread' ? world.clock.advance(ms) : Promise.resolve());
    const isFinalised = async (delayId: string) => (await find(delayId))?.dueTs === null;

    it('sends as the user, in a transaction of its own, and keeps what is scheduled over a restart', async () => {
      const [soon, late] = [await schedule(20, 'soon'), await schedule(60_000, 'late')];
      await pass(20);
      await eventually(() => isFinalised(soon));
      expect(rooms.asked).to.deep.equal([
        {
          roomId: ROOM,
          sender: ALICE,
          event: { type: 'm.x', content: { txnId: 'soon' }, stickyDurationMs: 5_000 },
          transaction: { deviceId: '', path: '/delayed_events', txnId: soon },
          originServerTs: null,
        },
      ]);
      expect(await find(soon)).to.include({ outcome: 'sent', reason: 'delay', eventId: `$${soon}` });
      await world.restartServer();
      expect(await schedule(60_000, 'late')).to.equal(late);
      const answer = await actor().ask('delayed-events.manage', { delayId: late, action: 'send' });
      expect(answer).to.deep.equal({ kind: 'done', position: 7 });
      expect(rooms.asked.map(({ transaction }) => transaction?.txnId)).to.deep.equal([soon, late]);
    });
  });

describe('the delayed-events actor', () => {
  let world: OwnerWorld;
  let rooms: Rooms;
  beforeEach(async () => {
    rooms = { asked: [], answer: sent };
    world = await openWorld(rooms, 'same-thread');
  });
  afterEach(() => world.stop());

  const actor = () => world.host.ref('delayed-events');
  const find = (delayId: string) => findDelayedEvent(world.database.db, delayId);
  const manage = (delayId: string, action: 'send' | 'cancel' | 'restart') =>
    actor().ask('delayed-events.manage', { delayId, action });
  const schedule = async (delayMs: number, index = 0): Promise<string> => {
    const answer = await actor().ask('delayed-events.schedule', {
      userId: ALICE,
      deviceId: 'D',
      roomId: ROOM,
      event: { type: 'm.x', content: { index } },
      delayMs,
      transaction: null,
    });
    if (isRefusal(answer)) throw new Error(answer.error);
    return answer.delayId;
  };

  it('answers who cancels while it is sent when that has its outcome: sent is not cancelled', async () => {
    const delayId = await schedule(10);
    const { promise, resolve } = Promise.withResolvers<Sent>();
    rooms.answer = () => promise;
    await world.clock.advance(10);
    expect(rooms.asked).to.have.length(1);
    let answer: unknown;
    const cancelling = manage(delayId, 'cancel').then((given) => (answer = given));
    await world.clock.settle();
    expect(answer).to.equal(undefined);
    resolve({ kind: 'sent', eventId: '$x', position: 3 });
    await cancelling;
    expect(answer).to.include({ errcode: 'M_UNKNOWN', status: 409 });
    expect(await find(delayId)).to.include({ outcome: 'sent', eventId: '$x' });
  });

  it('tries again what fails for a while, in its order, and asks for the same event each time', async () => {
    const ids = [await schedule(10, 0), await schedule(11, 1)];
    rooms.answer = () => Promise.resolve(refuse('M_UNKNOWN', 'busy', { status: 503 }));
    await world.clock.advance(11);
    for (const delayId of ids) expect((await find(delayId))?.dueTs).to.not.equal(null);
    rooms.answer = sent;
    rooms.asked.length = 0;
    await world.clock.advance(DUE_RETRY_MS);
    expect(rooms.asked.map(({ transaction }) => transaction?.txnId)).to.deep.equal(ids);
    for (const delayId of ids) expect((await find(delayId))?.outcome).to.equal('sent');
  });

  it('sends again, as the same event, what it could not note, and refuses what it cannot store', async () => {
    const delayId = await schedule(10);
    const other = await schedule(60_000);
    world.fault = 'disk-full';
    await world.clock.advance(10);
    expect(rooms.asked).to.have.length(1);
    const answers = [await manage(other, 'cancel'), await manage(other, 'restart')];
    expect(answers.map((answer) => isRefusal(answer) && answer.status)).to.deep.equal([503, 503]);
    world.fault = null;
    await world.clock.advance(2 * DUE_RETRY_MS);
    expect(new Set(rooms.asked.map(({ transaction }) => transaction?.txnId))).to.deep.equal(
      new Set([delayId]),
    );
    expect((await find(delayId))?.outcome).to.equal('sent');
    expect(await manage(other, 'cancel')).to.include({ kind: 'done' });
  });

  it('has no timer while nothing is scheduled but those that it always has, and one for all that is', async () => {
    await world.clock.advance(0);
    const before = world.clock.pendingTimers;
    await Promise.all(Array.from({ length: 50 }, (_, index) => schedule(60_000 - index, index)));
    expect(world.clock.pendingTimers).to.equal(before + 1);
    await world.clock.advance(60_000);
    expect(rooms.asked.map(({ event }) => event.content['index'])).to.deep.equal(
      Array.from({ length: 50 }, (_, index) => 49 - index),
    );
  });
});
