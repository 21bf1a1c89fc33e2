import { expect } from 'chai';
import { createCommit, type RoomCommit } from '../../../actors/rooms/commit-events.ts';
import type { TroupeContext } from '../../../actors/environment.ts';
import type { TellOutcome } from '../../../actors/kit/ref.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { ALICE, openRoomsHouse, makeRoom, type RoomsHouse, sendMessage, sent } from './rooms-house.ts';

const ROW = {
  kind: 'event',
  eventId: '$one',
  roomId: '!room:example.com',
  type: 'm.room.message',
  stateKey: null,
  sender: ALICE,
  membership: null,
  redacts: null,
} as const;
const WRITE: RoomCommit = { roomId: ROW.roomId, rows: [ROW], steps: [], isOurs: true };

describe('what the queue for other servers does not take', () => {
  let clock: FakeClock;
  let told: string[];
  let outcomes: Record<string, TellOutcome>;
  beforeEach(() => {
    clock = createFakeClock();
    told = [];
    outcomes = {};
  });

  /** Commits with neighbours that take what they are told, or do not. */
  const commitIn = (incarnation: number) => {
    const context = {
      clock,
      incarnation,
      ended: new AbortController().signal,
      env: {
        config: { server: { name: 'example.com' } },
        db: { all: () => Promise.resolve([]), find: () => Promise.resolve(undefined) },
      },
      ref: (name: string) => ({
        tell(message: string) {
          told.push(message);
          return outcomes[name] ?? 'sent';
        },
      }),
    };
    const owner = { write: () => Promise.resolve({ kind: 'committed', position: 5 }) };
    return createCommit(context as unknown as TroupeContext, owner as never);
  };

  it('is looked for by the sender, which is told so until it hears it', async () => {
    const commit = commitIn(1);
    await commit(WRITE);
    expect(told).to.deep.equal(['federation.queue-event']);
    outcomes = { federation: 'mailbox-full', 'federation-sender': 'mailbox-full' };
    await commit(WRITE);
    await commit(WRITE);
    const losses = (): number => told.filter((message) => message === 'federation-sender.note-loss').length;
    expect(losses(), 'one waits to be told').to.equal(1);
    await clock.advance(100);
    expect(losses()).to.equal(2);
    outcomes = {};
    await clock.advance(100);
    expect(losses()).to.equal(3);
    await clock.advance(10_000);
    expect(losses()).to.equal(3);
  });

  it('may be what the life before had committed and told nobody of', () => {
    commitIn(2);
    expect(told).to.deep.equal(['federation-sender.note-loss']);
  });
});

describe('an event that is committed when the rooms actor crashes', () => {
  let house: RoomsHouse;
  afterEach(() => house.stop());

  it('is looked for by the sender, for its client is told that it was sent when it asks again', async () => {
    house = await openRoomsHouse();
    const roomId = await makeRoom(house);
    house.storage.crashAfterCommit = true;
    const failed = await sendMessage(house, roomId, ALICE, 'hello', 'txn').catch((error: unknown) => error);
    expect(failed).to.be.an('error');
    house.told.length = 0;
    await house.restart();
    const { eventId } = sent(await sendMessage(house, roomId, ALICE, 'hello', 'txn'));
    await house.idle();
    const messages = house.told.map(({ message }) => message);
    expect(messages).to.include('federation-sender.note-loss');
    expect(messages).to.not.include('federation.queue-event');
    expect(eventId).to.match(/^\$/);
  });
});
