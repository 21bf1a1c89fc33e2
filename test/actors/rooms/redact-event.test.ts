import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sent,
} from './rooms-house.ts';

describe('rooms.redact-event', () => {
  let house: RoomsHouse;
  let roomId: string;
  beforeEach(async () => {
    house = await openRoomsHouse();
    roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
  });
  afterEach(() => house.stop());

  const redact = (sender: string, eventId: string, content = {}) =>
    house.rooms.ask('rooms.redact-event', { roomId, sender, eventId, content, transaction: null });

  it('lets users redact their own events, and the moderator those of others', async () => {
    const own = sent(await sendMessage(house, roomId, BOB, 'mine'));
    const other = sent(await sendMessage(house, roomId, BOB, 'his'));
    const first = sent(await redact(BOB, own.eventId));
    sent(await redact(ALICE, other.eventId));
    expect((await findEvent(house.database.db, own.eventId))?.redactedBy?.eventId).to.equal(first.eventId);
    await house.idle();
    expect(house.rows.slice(-2).map(({ row }) => row.kind === 'event' && row.redacts)).to.deep.equal([
      own.eventId,
      other.eventId,
    ]);
  });

  it('refuses others, strangers, events of other rooms and unknown events', async () => {
    const alices = sent(await sendMessage(house, roomId, ALICE, 'hers'));
    expect(refused(await redact(BOB, alices.eventId))).to.equal('M_FORBIDDEN');
    expect(refused(await redact(CAROL, alices.eventId))).to.equal('M_FORBIDDEN');
    expect(refused(await redact(ALICE, '$nothing'))).to.equal('M_NOT_FOUND');
    const elsewhere = sent(await sendMessage(house, await makeRoom(house), ALICE, 'elsewhere'));
    expect(refused(await redact(ALICE, elsewhere.eventId))).to.equal('M_NOT_FOUND');
    const create = await findCurrentStateEvent(house.database.db, roomId, 'm.room.create', '');
    expect(refused(await redact(ALICE, create?.eventId ?? ''))).to.equal('M_FORBIDDEN');
    expect((await findEvent(house.database.db, alices.eventId))?.redactedBy).to.equal(null);
  });

  it('keeps the first redaction of an event', async () => {
    const { eventId } = sent(await sendMessage(house, roomId, BOB, 'mine'));
    const first = sent(await redact(BOB, eventId));
    const second = sent(await redact(ALICE, eventId));
    expect(second.eventId).not.to.equal(first.eventId);
    expect((await findEvent(house.database.db, eventId))?.redactedBy?.eventId).to.equal(first.eventId);
    await house.idle();
    expect(house.rows.at(-1)?.row).to.include({ redacts: null });
  });

  it('keeps the first of two redactions that come together', async () => {
    const { eventId } = sent(await sendMessage(house, roomId, BOB, 'mine'));
    const [first, second] = await Promise.all([redact(BOB, eventId), redact(ALICE, eventId)]);
    expect(sent(second).position).to.be.greaterThan(sent(first).position);
    expect((await findEvent(house.database.db, eventId))?.redactedBy?.eventId).to.equal(sent(first).eventId);
    await house.idle();
    expect(house.rows.slice(-2).map(({ row }) => row.kind === 'event' && row.redacts)).to.deep.equal([
      eventId,
      null,
    ]);
  });

  it('takes a redaction that comes through send', async () => {
    const { eventId } = sent(await sendMessage(house, roomId, BOB, 'mine'));
    const send = (redacts: string | number) =>
      house.rooms.ask('rooms.send-event', {
        roomId,
        sender: BOB,
        event: { type: 'm.room.redaction', content: { redacts, reason: 'oops' } },
        transaction: null,
        originServerTs: null,
      });
    expect(refused(await send(5))).to.equal('M_BAD_JSON');
    const redaction = sent(await send(eventId));
    const stored = await findEvent(house.database.db, eventId);
    expect(stored?.redactedBy?.eventId).to.equal(redaction.eventId);
    expect(stored?.pdu).to.include('mine');
  });

  it('leaves a redacted join a join', async () => {
    const join = await findCurrentStateEvent(house.database.db, roomId, 'm.room.member', BOB);
    sent(await redact(BOB, join?.eventId ?? ''));
    sent(await sendMessage(house, roomId, BOB, 'still here'));
    await house.restart();
    sent(await sendMessage(house, roomId, BOB, 'still here'));
  });
});
