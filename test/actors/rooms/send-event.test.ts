import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import {
  ALICE,
  BOB,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

describe('rooms.send-event', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('stores a message, publishes it and tells federation', async () => {
    const roomId = await makeRoom(house);
    const reply = sent(await sendMessage(house, roomId, ALICE, 'hello'));
    const stored = await findEvent(house.database.db, reply.eventId);
    expect(stored).to.include({ roomId, type: 'm.room.message', sender: ALICE, stateKey: null, depth: 5 });
    expect(stored?.streamOrdering).to.equal(reply.position);
    expect((JSON.parse(stored?.pdu ?? '') as Pdu).content).to.deep.equal({
      msgtype: 'm.text',
      body: 'hello',
    });
    await house.idle();
    expect(house.rows.at(-1)).to.deep.equal({
      position: reply.position,
      row: {
        kind: 'event',
        eventId: reply.eventId,
        roomId,
        type: 'm.room.message',
        stateKey: null,
        sender: ALICE,
        membership: null,
        redacts: null,
      },
    });
    expect(house.told.at(-1)).to.deep.equal({
      message: 'federation.queue-event',
      input: { roomId, eventId: reply.eventId, position: reply.position },
    });
  });

  it('takes the time that the caller gives', async () => {
    const roomId = await makeRoom(house);
    const reply = sent(
      await house.rooms.ask('rooms.send-event', {
        roomId,
        sender: ALICE,
        event: { type: 'm.room.message', content: {} },
        transaction: null,
        originServerTs: 1234,
      }),
    );
    expect((await findEvent(house.database.db, reply.eventId))?.originServerTs).to.equal(1234);
  });

  it('changes the current state, and tells the caches once', async () => {
    const roomId = await makeRoom(house);
    const told = house.told.length;
    const topic = { type: 'm.room.topic', stateKey: '', content: { topic: 'tea' } };
    const reply = sent(await sendState(house, roomId, ALICE, topic));
    const standing = await findCurrentStateEvent(house.database.db, roomId, 'm.room.topic', '');
    expect(standing?.eventId).to.equal(reply.eventId);
    await house.idle();
    expect(house.told.slice(told)).to.deep.equal([
      {
        message: 'federation.queue-event',
        input: { roomId, eventId: reply.eventId, position: reply.position },
      },
      { message: 'caches.room-changed', input: { roomId, invalidations: 1, members: [] } },
    ]);
  });

  it('gives the state event that stands when it is only repeated', async () => {
    const roomId = await makeRoom(house);
    const topic = { type: 'm.room.topic', stateKey: '', content: { topic: 'tea' } };
    const [first, second] = await Promise.all([
      sendState(house, roomId, ALICE, topic),
      sendState(house, roomId, ALICE, topic),
    ]);
    expect(second).to.deep.equal(first);
    await house.restart();
    expect(await sendState(house, roomId, ALICE, topic)).to.deep.equal(first);
    const other = sent(await sendState(house, roomId, ALICE, { ...topic, content: { topic: 'coffee' } }));
    expect(other.eventId).not.to.equal(sent(first).eventId);
  });

  it('refuses who is not in the room, and every sender of an unknown room, in the same words', async () => {
    const roomId = await makeRoom(house);
    const stranger = await sendMessage(house, roomId, BOB, 'let me in');
    expect(stranger).to.include({ kind: 'refused', errcode: 'M_FORBIDDEN', status: 403 });
    expect(refused(await sendMessage(house, '!nowhere:example.com', BOB, 'anybody?'))).to.equal(
      'M_FORBIDDEN',
    );
  });

  it('refuses an event above the sender’s level, with the reason', async () => {
    const roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
    const reply = await sendState(house, roomId, BOB, { type: 'm.room.topic', content: { topic: 'mine' } });
    expect(reply).to.include({ kind: 'refused', errcode: 'M_FORBIDDEN' });
    expect((reply as { error: string }).error).to.match(/50/);
  });

  it('refuses events that are too large', async () => {
    const roomId = await makeRoom(house);
    expect(refused(await sendMessage(house, roomId, ALICE, 'x'.repeat(66_000)))).to.equal('M_TOO_LARGE');
    sent(await sendMessage(house, roomId, ALICE, 'the room goes on'));
  });

  it('refuses fractions where canonical JSON is strict, and takes them where it is not', async () => {
    const content = { msgtype: 'm.text', body: 'half', ratio: 0.5 };
    for (const [version, expected] of [
      ['11', 'refused'],
      ['5', 'sent'],
    ] as const) {
      const roomId = await makeRoom(house, { version });
      const event = { type: 'm.room.message', content };
      const input = { roomId, sender: ALICE, event, transaction: null, originServerTs: null };
      const reply = await house.rooms.ask('rooms.send-event', input);
      expect(reply.kind, version).to.equal(expected);
      if (reply.kind === 'refused') expect(reply.errcode).to.equal('M_BAD_JSON');
    }
  });

  it('takes a redacted power levels event for what is left of it', async () => {
    const roomId = await makeRoom(house, { powerLevels: { notifications: { room: 20 }, events_default: 0 } });
    const levels = await findCurrentStateEvent(house.database.db, roomId, 'm.room.power_levels', '');
    sent(
      await house.rooms.ask('rooms.redact-event', {
        roomId,
        sender: ALICE,
        eventId: levels?.eventId ?? '',
        content: {},
        transaction: null,
      }),
    );
    const again = { users: { [ALICE]: 100 }, events_default: 0 };
    // The same content as what the redaction left: so that the memory must hold the redacted event.
    const reply = await sendState(house, roomId, ALICE, { type: 'm.room.power_levels', content: again });
    expect(sent(reply).eventId).to.equal(levels?.eventId);
    await house.restart();
    const later = await sendState(house, roomId, ALICE, { type: 'm.room.power_levels', content: again });
    expect(sent(later).eventId).to.equal(levels?.eventId);
  });
});
