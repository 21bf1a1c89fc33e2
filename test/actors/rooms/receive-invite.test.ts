import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findLocalMembership, readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { readCurrentState } from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { RoomsProtocol, Sent } from '../../../actors/rooms/protocol.ts';
import { STRIPPED_EVENTS_MAX } from '../../../actors/rooms/invite-checks.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { BuiltEvent } from '../../../src/matrix/events/build-event.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { type ForeignRoom, makeForeignRoom, received } from '../../support/foreign-room.ts';
import {
  ALICE,
  BOB,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  REMOTE,
  type RoomsHouse,
  sendMessage,
  sent,
} from './rooms-house.ts';

type Invite = InputOf<RoomsProtocol, 'rooms.receive-invite'>;

const TOLD = ['m.room.create', 'm.room.join_rules'];

describe('rooms.receive-invite', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const receive = (
    room: ForeignRoom,
    event: BuiltEvent,
    other: Partial<Invite> = {},
  ): Promise<Sent | Refusal> =>
    house.rooms.ask('rooms.receive-invite', {
      roomId: room.roomId,
      roomVersion: room.version,
      event: received(event),
      strippedState: room.inviteState(...TOLD),
      receivedFrom: 'other.example',
      ...other,
    });
  const rowOf = (roomId: string, userId = ALICE) => findLocalMembership(house.database.db, userId, roomId);

  it('5.3 makes the room known and the membership an invite, in one write and with one row of the stream', async () => {
    const room = makeForeignRoom();
    const invite = room.member(ALICE, 'invite', REMOTE);
    await house.idle();
    const before = house.transactions();
    const reply = sent(await receive(room, invite));
    expect(house.transactions()).to.equal(before + 1);
    const { db } = house.database;
    expect(reply.eventId).to.equal(invite.eventId);
    expect(await rowOf(room.roomId)).to.deep.equal({
      userId: ALICE,
      roomId: room.roomId,
      membership: 'invite',
      eventId: invite.eventId,
      position: reply.position,
      sender: REMOTE,
      isForgotten: false,
    });
    const stored = await findEvent(db, invite.eventId);
    expect(stored).to.include({ streamOrdering: null, stateGroup: null, receivedFrom: 'other.example' });
    await house.idle();
    const row = { kind: 'state', roomId: room.roomId, type: 'm.room.member', stateKey: ALICE };
    const expected = { ...row, eventId: invite.eventId, membership: 'invite' };
    expect(house.rows.at(-1)).to.deep.equal({ position: reply.position, row: expected });
    const page = await readEventRows(db, reply.position - 1, reply.position, 10);
    expect(page.rows).to.deep.equal([{ position: reply.position, row: expected }]);
    expect(await readCurrentState(db, room.roomId)).to.deep.equal([]);
    expect(refused(await sendMessage(house, room.roomId, ALICE, 'hello'))).to.equal('M_FORBIDDEN');
  });

  it('8.4 8.7 keeps the version of a room that we are only invited to, whatever others say later, after a restart too', async () => {
    for (const { id: version } of ROOM_VERSIONS) {
      const room = makeForeignRoom({ version });
      sent(await receive(room, room.member(ALICE, 'invite', REMOTE)));
      await house.restart();
      expect(await findRoom(house.database.db, room.roomId)).to.include({
        roomVersion: version,
        creator: REMOTE,
      });
      const other = version === '9' ? '10' : '9';
      const invite = room.member(BOB, 'invite', REMOTE);
      const reply = await receive(room, invite, { roomVersion: other, strippedState: [] });
      expect(refused(reply), version).to.be.oneOf(['M_BAD_JSON', 'M_MISSING_PARAM']);
      expect(await rowOf(room.roomId, BOB), version).to.equal(undefined);
      expect((await findRoom(house.database.db, room.roomId))?.roomVersion).to.equal(version);
    }
  });

  it('keeps of unsigned nothing but the state that came with it, stripped and bounded', async () => {
    const room = makeForeignRoom();
    const event = room.member(ALICE, 'invite', REMOTE);
    const forged = { ...event.pdu, unsigned: { invite_room_state: 'forged', prev_content: { a: 1 } } };
    const many = Array.from({ length: STRIPPED_EVENTS_MAX + 5 }, (_, index) => ({
      type: 'm.room.topic',
      state_key: `${index}`,
      sender: REMOTE,
      content: {},
      signatures: {},
    }));
    const wrong: JsonObject[] = [{ type: 1 }, { type: 'm.room.name', state_key: '', sender: REMOTE }];
    sent(
      await receive(room, event, {
        event: { eventId: event.eventId, pdu: JSON.stringify(forged) },
        strippedState: [...wrong, ...room.inviteState('m.room.create'), ...many],
      }),
    );
    const stored = JSON.parse((await findEvent(house.database.db, event.eventId))?.pdu ?? '') as Pdu;
    expect(Object.keys(stored.unsigned ?? {})).to.deep.equal(['invite_room_state']);
    const state = stored.unsigned?.['invite_room_state'] as readonly JsonObject[];
    expect(state).to.have.length(STRIPPED_EVENTS_MAX);
    for (const one of state)
      expect(Object.keys(one).toSorted()).to.deep.equal(['content', 'sender', 'state_key', 'type']);
    expect(state[0]).to.include({ type: 'm.room.create' });
  });

  it('takes the same invite once, and an older one not at all', async () => {
    const room = makeForeignRoom();
    const invite = room.member(ALICE, 'invite', REMOTE);
    const first = sent(await receive(room, invite));
    expect(sent(await receive(room, invite))).to.deep.equal(first);
    const left = sent(await change(house, room.roomId, 'leave', ALICE));
    const again = sent(await receive(room, invite));
    expect(again.position).to.equal(left.position);
    expect(await rowOf(room.roomId)).to.include({ membership: 'leave', eventId: left.eventId });
    expect(await readLocalMemberships(house.database.db, room.roomId)).to.have.length(1);
  });

  it('5.3 rejects it while nobody can be asked: a leave of our own, and the row stays', async () => {
    for (const version of ['1', '11', '12']) {
      const room = makeForeignRoom({ version });
      const invite = room.member(ALICE, 'invite', REMOTE);
      sent(await receive(room, invite));
      await house.restart();
      const reply = sent(await change(house, room.roomId, 'leave', ALICE, ALICE, { reason: 'busy' }));
      const stored = await findEvent(house.database.db, reply.eventId);
      const pdu = JSON.parse(stored?.pdu ?? '') as Pdu;
      expect(stored, version).to.include({ streamOrdering: null, receivedFrom: null, rejection: null });
      expect(pdu.content).to.deep.equal({ membership: 'leave', reason: 'busy' });
      expect(Object.keys(pdu.signatures)).to.deep.equal(['example.com']);
      expect(JSON.stringify(pdu.prev_events)).to.include(invite.eventId);
      expect(await rowOf(room.roomId)).to.include({
        membership: 'leave',
        eventId: reply.eventId,
        sender: ALICE,
      });
      await house.idle();
      expect(house.rows.at(-1)?.row).to.include({ kind: 'state', membership: 'leave', stateKey: ALICE });
      expect(refused(await change(house, room.roomId, 'leave', ALICE)), version).to.equal('M_FORBIDDEN');
    }
    expect(refused(await change(house, '!none:other.example', 'leave', ALICE))).to.equal('M_FORBIDDEN');
  });

  it('5.3 shows a new invite after a leave, and after the room was forgotten', async () => {
    const room = makeForeignRoom();
    sent(await receive(room, room.member(ALICE, 'invite', REMOTE)));
    sent(await change(house, room.roomId, 'leave', ALICE));
    const forgotten = await house.rooms.ask('rooms.forget-room', { roomId: room.roomId, userId: ALICE });
    expect(forgotten.kind).to.equal('forgotten');
    expect((await rowOf(room.roomId))?.isForgotten).to.equal(true);
    const again = room.member(ALICE, 'invite', REMOTE);
    const { position } = sent(await receive(room, again));
    expect(await rowOf(room.roomId)).to.include({
      membership: 'invite',
      eventId: again.eventId,
      position,
      isForgotten: false,
    });
  });

  it('refuses what is no invite of a local user to the room', async () => {
    const room = makeForeignRoom();
    const other = makeForeignRoom({ creator: '@remote:third.example' });
    const cases: readonly (readonly [string, BuiltEvent, Partial<Invite>, string])[] = [
      ['a remote user', room.member('@x:badexample.com', 'invite', REMOTE), {}, 'M_BAD_JSON'],
      ['a port', room.member('@x:example.com:8448', 'invite', REMOTE), {}, 'M_BAD_JSON'],
      ['a ban', room.member(BOB, 'ban', REMOTE), {}, 'M_BAD_JSON'],
      ['another room', other.member(ALICE, 'invite', '@remote:third.example'), {}, 'M_BAD_JSON'],
      [
        'an unknown version',
        room.member(ALICE, 'invite', REMOTE),
        { roomVersion: '999' },
        'M_UNSUPPORTED_ROOM_VERSION',
      ],
      ['another version', room.member(ALICE, 'invite', REMOTE), { roomVersion: '10' }, 'M_INVALID_PARAM'],
    ];
    for (const [name, event, differing, errcode] of cases)
      expect(refused(await receive(room, event, differing)), name).to.equal(errcode);
    const message = room.build({ sender: REMOTE, type: 'm.room.message', content: {} });
    expect(refused(await receive(room, message))).to.equal('M_BAD_JSON');
    expect(await findRoom(house.database.db, room.roomId)).to.equal(undefined);
    expect(await rowOf(room.roomId)).to.equal(undefined);
  });

  it('8.7 takes an invite to a room of version 12 only with the whole create event that makes its id', async () => {
    const [room, other] = [
      makeForeignRoom({ version: '12' }),
      makeForeignRoom({ version: '12', creator: '@b:other.example' }),
    ];
    const invite = room.member(ALICE, 'invite', REMOTE);
    const create = room.inviteState('m.room.create')[0] ?? {};
    const { type, state_key: stateKey, sender, content } = create;
    const stripped = { type, state_key: stateKey, sender, content } as JsonObject;
    const cases: readonly (readonly [string, readonly JsonObject[], string])[] = [
      ['none', room.inviteState('m.room.join_rules'), 'M_MISSING_PARAM'],
      ['stripped', [stripped], 'M_INVALID_PARAM'],
      ['of another room', other.inviteState('m.room.create'), 'M_INVALID_PARAM'],
      ['changed', [{ ...create, content: { room_version: '12', more: true } }], 'M_INVALID_PARAM'],
    ];
    for (const [name, strippedState, errcode] of cases)
      expect(refused(await receive(room, invite, { strippedState })), name).to.equal(errcode);
    expect(await findRoom(house.database.db, room.roomId)).to.equal(undefined);
    sent(await receive(room, invite, { strippedState: [create] }));
    const lenient = makeForeignRoom({ version: '11' });
    sent(await receive(lenient, lenient.member(ALICE, 'invite', REMOTE), { strippedState: [] }));
    expect((await findRoom(house.database.db, lenient.roomId))?.creator).to.equal('');
  });

  it('5.8 leaves neither room nor membership when the write fails', async () => {
    const room = makeForeignRoom();
    const invite = room.member(ALICE, 'invite', REMOTE);
    house.storage.fault = 'input-output';
    expect(refused(await receive(room, invite))).to.equal('M_RESOURCE_LIMIT_EXCEEDED');
    house.storage.fault = null;
    expect(await findRoom(house.database.db, room.roomId)).to.equal(undefined);
    expect(await rowOf(room.roomId)).to.equal(undefined);
    sent(await receive(room, invite));
    expect(await rowOf(room.roomId)).to.include({ membership: 'invite' });
  });

  it('8.4 reads a create event without a version as one of version 1, and no other', async () => {
    const room = makeForeignRoom({ version: '1' });
    const invite = room.member(ALICE, 'invite', REMOTE);
    expect(refused(await receive(room, invite, { roomVersion: '2' }))).to.equal('M_INVALID_PARAM');
    sent(await receive(room, invite));
    expect((await findRoom(house.database.db, room.roomId))?.roomVersion).to.equal('1');
  });

  it('never takes the id of an event of another room', async () => {
    const roomId = await makeRoom(house, { version: '1' });
    const own = sent(await sendMessage(house, roomId, ALICE, 'mine'));
    const room = makeForeignRoom({ version: '1' });
    const invite = room.member(ALICE, 'invite', REMOTE);
    const event = { eventId: own.eventId, pdu: invite.json.replaceAll(invite.eventId, own.eventId) };
    expect(refused(await receive(room, invite, { event }))).to.equal('M_BAD_JSON');
    expect((await findEvent(house.database.db, own.eventId))?.pdu).to.include('mine');
  });

  it('8.7 refuses to change the version of a room of our own', async () => {
    const roomId = await makeRoom(house, { version: '11' });
    const room = makeForeignRoom({ version: '11' });
    const invite = room.member(BOB, 'invite', REMOTE);
    expect(refused(await receive(room, invite, { roomId }))).to.equal('M_BAD_JSON');
    const event = received(invite);
    const stolen = { ...event, pdu: event.pdu.replaceAll(room.roomId, roomId) };
    const reply = await receive(room, invite, {
      roomId,
      roomVersion: '10',
      event: stolen,
      strippedState: [],
    });
    expect(refused(reply)).to.equal('M_BAD_JSON');
    expect((await findRoom(house.database.db, roomId))?.roomVersion).to.equal('11');
  });
});
