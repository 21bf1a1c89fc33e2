import { expect } from 'chai';
import type { Received } from '../../../actors/rooms/protocol.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import { edgeIds, type Pdu } from '../../../src/matrix/events/pdu.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import { checkRoom } from './check-room.ts';
import { deliver, type ForeignRoom, openForeignRoom, receive } from './foreign-events.ts';
import {
  ALICE,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

const DAVE = '@dave:other.example';
const ERIN = '@erin:other.example';

describe('rooms.receive-event', () => {
  let house: RoomsHouse;
  let roomId: string;
  let foreign: ForeignRoom;

  const open = async (version = '11', options = {}): Promise<void> => {
    roomId = await makeRoom(house, { version, ...options });
    foreign = openForeignRoom(roomId, version);
    for (const id of await extremities()) await foreign.adopt(house, id);
  };
  const extremities = async (): Promise<readonly string[]> => {
    const room = await findRoom(house.database.db, roomId);
    return (await readExtremities(house.database.db, room?.roomNid ?? 0)).map(({ eventId }) => eventId);
  };
  const join = (userId: string, prev?: readonly string[]) =>
    foreign.add({
      sender: userId,
      type: 'm.room.member',
      stateKey: userId,
      content: { membership: 'join' },
      ...(prev && { prev }),
    });
  const message = (sender: string, body: string, prev?: readonly string[]) =>
    foreign.add({
      sender,
      type: 'm.room.message',
      content: { msgtype: 'm.text', body },
      ...(prev && { prev }),
    });
  const kindOf = (reply: Received | Refusal): string => reply.kind;

  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(async () => {
    try {
      await house.idle();
      await checkRoom(house, roomId);
    } finally {
      await house.stop();
    }
  });

  for (const version of ['1', '2', '3', '5', '6', '9', '10', '11', '12'])
    it(`takes events that follow each other, in room version ${version}`, async () => {
      await open(version);
      const events = [join(DAVE), message(DAVE, 'one'), join(ERIN), message(ERIN, 'two')];
      for (const event of events) expect(kindOf(await receive(house, roomId, event))).to.equal('accepted');
      expect(await extremities()).to.deep.equal([events.at(-1)?.eventId]);
      const stored = await findEvent(house.database.db, events[1]?.eventId ?? '');
      expect(stored).to.deep.include({ receivedFrom: 'other.example', rejection: null });
      const own = sent(await sendMessage(house, roomId, ALICE, 'three'));
      const ours = await findEvent(house.database.db, own.eventId);
      expect(edgeIds((JSON.parse(ours?.pdu ?? '') as Pdu).prev_events)).to.deep.equal([
        events.at(-1)?.eventId,
      ]);
    });

  it('pipelines events that follow each other, in few transactions, and announces none to other servers', async () => {
    await open();
    await receive(house, roomId, join(DAVE));
    const events = Array.from({ length: 40 }, (_, index) => message(DAVE, `${index}`));
    const before = house.transactions();
    house.told.length = 0;
    const replies = await Promise.all(events.map((event) => receive(house, roomId, event)));
    expect(new Set(replies.map(kindOf))).to.deep.equal(new Set(['accepted']));
    expect(house.transactions() - before).to.be.lessThan(20);
    expect(house.told.filter(({ message: name }) => name === 'federation.queue-event')).to.deep.equal([]);
  });

  it('reads once for an event that follows the newest ones', async () => {
    await open();
    await receive(house, roomId, join(DAVE));
    await receive(house, roomId, message(DAVE, 'warm'));
    const before = house.reads();
    for (let index = 0; index < 5; index += 1) await receive(house, roomId, message(DAVE, `${index}`));
    expect(house.reads() - before).to.equal(5);
  });

  it('mixes with local events at full speed', async () => {
    await open();
    await receive(house, roomId, join(DAVE));
    const first = message(DAVE, 'theirs');
    const replies = await Promise.all([
      receive(house, roomId, first),
      sendMessage(house, roomId, ALICE, 'ours', 'txn'),
      sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: 'ours' } }),
    ]);
    expect(replies.map(({ kind }) => kind)).to.deep.equal(['accepted', 'sent', 'sent']);
  });

  it('takes the same event at the same moment once', async () => {
    await open();
    const event = join(DAVE);
    const replies = await Promise.all([1, 2, 3].map(() => receive(house, roomId, event)));
    expect(replies.map(kindOf)).to.deep.equal(['accepted', 'known', 'known']);
    expect(kindOf(await receive(house, roomId, event))).to.equal('known');
    await house.restart();
    expect(kindOf(await receive(house, roomId, event))).to.equal('known');
  });

  it('asks for what it does not know, and stores nothing meanwhile', async () => {
    await open();
    const [one, two] = [join(DAVE), message(DAVE, 'two')];
    const three = message(DAVE, 'three');
    expect(await receive(house, roomId, three)).to.deep.equal({
      kind: 'missing',
      eventId: three.eventId,
      prevEvents: [two.eventId],
      authEvents: [one.eventId],
    });
    expect(await findEvent(house.database.db, three.eventId)).to.equal(undefined);
    expect(kindOf(await deliver(house, foreign, three))).to.equal('accepted');
    expect(await extremities()).to.deep.equal([three.eventId]);
  });

  it('refuses what is not of a room that this server is in', async () => {
    await open();
    const event = join(DAVE);
    expect(refused(await receive(house, '!nowhere:example.com', event))).to.equal('M_NOT_FOUND');
    const other = await makeRoom(house);
    expect(refused(await receive(house, other, event))).to.equal('M_BAD_JSON');
    sent(await change(house, other, 'leave', ALICE));
    expect(refused(await receive(house, other, event))).to.equal('M_BAD_JSON');
    expect(refused(await receive(house, roomId, { ...event, eventId: '$other' }))).to.equal('M_BAD_JSON');
    expect(refused(await receive(house, roomId, { ...event, json: '{' }))).to.equal('M_BAD_JSON');
    expect(refused(await receive(house, roomId, { ...event, json: '[]' }))).to.equal('M_BAD_JSON');
  });

  it('refuses events of a room that all local users have left', async () => {
    await open();
    sent(await change(house, roomId, 'leave', ALICE));
    for (const id of await extremities()) await foreign.adopt(house, id);
    expect(refused(await receive(house, roomId, join(DAVE)))).to.equal('M_NOT_FOUND');
  });

  it('stores nothing of unsigned', async () => {
    await open();
    const event = foreign.add({
      sender: DAVE,
      type: 'm.room.member',
      stateKey: DAVE,
      content: { membership: 'join' },
      unsigned: { age: 5, redacted_because: {} },
    });
    expect(kindOf(await receive(house, roomId, event))).to.equal('accepted');
    expect((await findEvent(house.database.db, event.eventId))?.pdu).not.to.include('unsigned');
  });

  it('5.4 keeps exactly one membership when a remote admin kicks and invites a local user', async () => {
    await open('11', { powerLevels: { users: { [ALICE]: 100, [DAVE]: 100 } } });
    sent(await change(house, roomId, 'join', '@bob:example.com'));
    for (const id of await extremities()) await foreign.adopt(house, id);
    await receive(house, roomId, join(DAVE));
    const kick = foreign.add({
      sender: DAVE,
      type: 'm.room.member',
      stateKey: '@bob:example.com',
      content: { membership: 'leave' },
    });
    expect(kindOf(await receive(house, roomId, kick))).to.equal('accepted');
    await house.idle();
    expect(house.told.filter(({ message: name }) => name === 'typing.clear-user')).to.have.length(1);
    const invite = foreign.add({
      sender: DAVE,
      type: 'm.room.member',
      stateKey: '@bob:example.com',
      content: { membership: 'invite' },
    });
    expect(kindOf(await receive(house, roomId, invite))).to.equal('accepted');
    sent(await change(house, roomId, 'join', '@bob:example.com'));
    const member = await findCurrentStateEvent(
      house.database.db,
      roomId,
      'm.room.member',
      '@bob:example.com',
    );
    expect(member?.sender).to.equal('@bob:example.com');
  });
});
