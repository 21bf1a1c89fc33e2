import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { Sent } from '../../../actors/rooms/protocol.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { AskFailed } from '../../../actors/kit/ref.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import {
  ALICE,
  BOB,
  change,
  firstEvents,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

describe('rooms when storage fails', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const expectUnavailable = (reply: { readonly kind: string }): void => {
    expect(reply).to.include({ kind: 'refused', errcode: 'M_RESOURCE_LIMIT_EXCEEDED', status: 503 });
  };

  it('refuses while storage is full, and works again after, nothing half-staged', async () => {
    const roomId = await makeRoom(house);
    const before = sent(await sendMessage(house, roomId, ALICE, 'before'));
    house.storage.fault = 'disk-full';
    expectUnavailable(await sendMessage(house, roomId, ALICE, 'lost', 'one'));
    expectUnavailable(
      await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: 'lost' } }),
    );
    expectUnavailable(await change(house, roomId, 'join', BOB));
    house.storage.fault = null;
    const after = sent(await sendMessage(house, roomId, ALICE, 'after', 'one'));
    expect(after.position).to.equal(before.position + 1);
    const stored = await findEvent(house.database.db, after.eventId);
    expect(edgeIds((JSON.parse(stored?.pdu ?? '') as Pdu).prev_events)).to.deep.equal([before.eventId]);
    expect(await findCurrentStateEvent(house.database.db, roomId, 'm.room.topic', '')).to.equal(undefined);
    expect(refused(await sendMessage(house, roomId, BOB, 'not in'))).to.equal('M_FORBIDDEN');
    await house.idle();
    expect(house.rows.map(({ position }) => position)).to.deep.equal([1, 2, 3, 4, 5, 6]);
  });

  it('never stores an event whose predecessor was not stored', async () => {
    const roomId = await makeRoom(house);
    sent(await sendMessage(house, roomId, ALICE, 'before'));
    // Of four events that are staged one upon the other, the second cannot be stored; the others could.
    house.storage.faultOfSet = (set) => (set === 4 ? 'input-output' : null);
    const replies: (Sent | Refusal)[] = await Promise.all(
      ['a', 'b', 'c', 'd'].map((body) => sendMessage(house, roomId, ALICE, body, body)),
    );
    expect(replies.map(({ kind }) => kind)).to.deep.equal(['sent', 'refused', 'refused', 'refused']);
    for (const reply of replies.slice(1)) expect(reply).to.include({ status: 503 });
    const again = sent(await sendMessage(house, roomId, ALICE, 'b', 'b'));
    expect(again.position).to.equal(sent(replies[0] as Sent).position + 1);
    const room = await findRoom(house.database.db, roomId);
    const extremities = await readExtremities(house.database.db, room?.roomNid ?? 0);
    expect(extremities.map(({ eventId }) => eventId)).to.deep.equal([again.eventId]);
  });

  it('leaves other rooms alone', async () => {
    const [one, other] = [await makeRoom(house), await makeRoom(house)];
    house.storage.faultOfSet = (set) => (set === 3 ? 'disk-full' : null);
    const replies = await Promise.all([
      sendMessage(house, one, ALICE, 'lost'),
      sendMessage(house, other, ALICE, 'kept'),
    ]);
    expect(replies.map(({ kind }) => kind)).to.deep.equal(['refused', 'sent']);
  });

  it('leaves nothing of a room that could not be stored', async () => {
    house.storage.fault = 'read-only';
    const input = {
      creator: ALICE,
      roomVersion: '11',
      creationContent: {},
      events: firstEvents(ALICE),
      alias: '#tea:example.com',
      isPublic: false,
    };
    expectUnavailable(await house.rooms.ask('rooms.create-room', input));
    house.storage.fault = null;
    expect((await house.rooms.ask('rooms.create-room', input)).kind).to.equal('created');
  });

  it('crashes on a defect, and goes on from the database', async () => {
    const roomId = await makeRoom(house);
    house.storage.isDefective = true;
    const failure = await sendMessage(house, roomId, ALICE, 'defect', 'one').catch((error: unknown) => error);
    expect(failure).to.be.instanceOf(AskFailed);
    const reply = sent(await sendMessage(house, roomId, ALICE, 'defect', 'one'));
    expect(reply.position).to.equal(5);
  });

  it('5.8 changes memberships and current state together or not at all', async () => {
    const roomId = await makeRoom(house);
    house.storage.fault = 'disk-full';
    expectUnavailable(await change(house, roomId, 'join', BOB));
    house.storage.fault = null;
    const { db } = house.database;
    expect(await findCurrentStateEvent(db, roomId, 'm.room.member', BOB)).to.equal(undefined);
    await house.restart();
    sent(await change(house, roomId, 'join', BOB));
    expect((await findCurrentStateEvent(db, roomId, 'm.room.member', BOB))?.sender).to.equal(BOB);
  });
});
