import { expect } from 'chai';
import { findEvent, findTransactionIds } from '../../../db/rooms/event-reader.ts';
import { AskFailed } from '../../../actors/kit/ref.ts';
import {
  ALICE,
  BOB,
  change,
  makeRoom,
  openRoomsHouse,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
  transactionOf,
} from './rooms-house.ts';

describe('transactions of clients', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('gives the same event to the same transaction: later, at the same time, and after a restart', async () => {
    const roomId = await makeRoom(house);
    const together = await Promise.all(
      [1, 2, 3].map(() => sendMessage(house, roomId, ALICE, 'hello', 'one')),
    );
    const first = sent(await sendMessage(house, roomId, ALICE, 'hello', 'one'));
    for (const reply of together) expect(reply).to.deep.equal(first);
    await house.restart();
    expect(await sendMessage(house, roomId, ALICE, 'hello', 'one')).to.deep.equal(first);
    expect(sent(await sendMessage(house, roomId, ALICE, 'hello', 'two')).eventId).not.to.equal(first.eventId);
    await house.idle();
    expect(
      house.rows.filter(({ row }) => row.kind !== 'room' && row.eventId === first.eventId),
    ).to.have.length(1);
  });

  it('keeps users, devices and paths apart', async () => {
    const roomId = await makeRoom(house);
    const otherRoom = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
    const send = (room: string, sender: string, deviceId: string, path?: string) => {
      const transaction = { ...transactionOf(room, 'one', deviceId), ...(path !== undefined && { path }) };
      const event = { type: 'm.room.message', content: {} };
      return house.rooms.ask('rooms.send-event', {
        roomId: room,
        sender,
        event,
        transaction,
        originServerTs: null,
      });
    };
    const replies = await Promise.all([
      send(roomId, ALICE, 'A'),
      send(roomId, ALICE, 'B'),
      send(roomId, BOB, 'A'),
      send(otherRoom, ALICE, 'A'),
      send(roomId, ALICE, 'A', '/other'),
    ]);
    expect(new Set(replies.map((reply) => sent(reply).eventId)).size).to.equal(5);
  });

  it('remembers redactions, too', async () => {
    const roomId = await makeRoom(house);
    const { eventId } = sent(await sendMessage(house, roomId, ALICE, 'hello'));
    const redact = () =>
      house.rooms.ask('rooms.redact-event', {
        roomId,
        sender: ALICE,
        eventId,
        content: {},
        transaction: { deviceId: 'A', path: `/rooms/${roomId}/redact/${eventId}`, txnId: 'r' },
      });
    const first = await redact();
    expect(await redact()).to.deep.equal(first);
    await house.restart();
    expect(await redact()).to.deep.equal(first);
  });

  it('tries a transaction again that was refused', async () => {
    const roomId = await makeRoom(house);
    const refusal = await sendMessage(house, roomId, BOB, 'hello', 'one');
    expect(refusal).to.include({ errcode: 'M_FORBIDDEN' });
    sent(await change(house, roomId, 'join', BOB));
    sent(await sendMessage(house, roomId, BOB, 'hello', 'one'));
  });

  it('survives a crash between the commit and the reply', async () => {
    const roomId = await makeRoom(house);
    house.storage.crashAfterCommit = true;
    const failure = await sendMessage(house, roomId, ALICE, 'hello', 'one').then(
      () => undefined,
      (error: unknown) => error,
    );
    expect(failure).to.be.instanceOf(AskFailed);
    const again = sent(await sendMessage(house, roomId, ALICE, 'hello', 'one'));
    expect(again.position).to.equal(house.database.write.position('events'));
    expect(await findEvent(house.database.db, again.eventId)).to.include({ streamOrdering: again.position });
    const next = sent(await sendMessage(house, roomId, ALICE, 'goodbye', 'two'));
    expect(next.position).to.equal(again.position + 1);
  });

  it('still knows transactions that are no longer in memory', async () => {
    const roomId = await makeRoom(house);
    const first = await sendMessage(house, roomId, ALICE, 'hello', 'first');
    const many = Array.from({ length: 300 }, (_, index) =>
      sendMessage(house, roomId, ALICE, 'x', `many ${index}`),
    );
    const replies = await Promise.all(many);
    expect(await sendMessage(house, roomId, ALICE, 'hello', 'first')).to.deep.equal(first);
    expect(await sendMessage(house, roomId, ALICE, 'x', 'many 100')).to.deep.equal(replies[100]);
  });

  it('tells a device its own transaction ids, and no other device', async () => {
    const roomId = await makeRoom(house);
    const { position } = sent(await sendMessage(house, roomId, ALICE, 'hello', 'one'));
    const topic = sent(await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: {} }));
    const nids = [position, topic.position];
    const { db } = house.database;
    expect([...(await findTransactionIds(db, ALICE, 'DEVICE', nids))]).to.deep.equal([
      [position, { kind: 'transaction', id: 'one' }],
    ]);
    expect((await findTransactionIds(db, ALICE, 'OTHER', nids)).size).to.equal(0);
    expect((await findTransactionIds(db, BOB, 'DEVICE', nids)).size).to.equal(0);
  });
});
