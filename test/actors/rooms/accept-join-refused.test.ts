import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import type { BuiltEvent } from '../../../src/matrix/events/build-event.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import { type ForeignRoom, makeForeignRoom, received } from '../../support/foreign-room.ts';
import { type AcceptJoin, type ForeignHouse, idsOf, joinOf, openForeignHouse } from './foreign-house.ts';
import { ALICE, change, refused, REMOTE, sent } from './rooms-house.ts';

describe('rooms.accept-join of what is not all allowed', () => {
  let house: ForeignHouse;
  beforeEach(async () => {
    house = await openForeignHouse();
  });
  afterEach(() => house.stop());
  it('leaves out of the state what its auth events do not allow', async () => {
    const room = makeForeignRoom();
    const forged = room.build({
      sender: '@stranger:third.example',
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'never joined' },
    });
    const join = joinOf(room);
    const state = [...room.state(), forged].map(received);
    const { eventId } = sent(await house.accept(room, join, { state }));
    expect((await findEvent(house.database.db, forged.eventId))?.rejection).to.include('rejected');
    expect(await house.stateIds(room.roomId)).to.deep.equal([...idsOf(room.state()), eventId].toSorted());
  });

  it('refuses a join that the state does not allow, and what is no join', async () => {
    const [closed, room] = [makeForeignRoom({ joinRule: 'invite', name: 'closed' }), makeForeignRoom()];
    expect(refused(await house.accept(closed, joinOf(closed)))).to.equal('M_FORBIDDEN');
    expect(await house.stateIds(closed.roomId)).to.deep.equal([]);
    const join = joinOf(room);
    const message = room.build({ sender: ALICE, type: 'm.room.message', content: {} });
    const cases: readonly (readonly [string, BuiltEvent, Partial<AcceptJoin>, string])[] = [
      ['a message', message, {}, 'M_BAD_JSON'],
      ['a remote user', joinOf(room, '@x:badexample.com'), {}, 'M_BAD_JSON'],
      ['an unknown version', join, { roomVersion: '999' }, 'M_UNSUPPORTED_ROOM_VERSION'],
      ['no create event', join, { state: room.state().slice(1).map(received) }, 'M_BAD_JSON'],
      [
        'two of a place',
        join,
        {
          state: [
            ...room.state(),
            room.build({ sender: REMOTE, type: 'm.room.join_rules', stateKey: '', content: {} }),
          ].map(received),
        },
        'M_BAD_JSON',
      ],
      ['a message in the state', join, { state: [...room.state(), message].map(received) }, 'M_BAD_JSON'],
    ];
    for (const [name, event, differing, errcode] of cases)
      expect(refused(await house.accept(room, event, differing)), name).to.equal(errcode);
    expect(await findRoom(house.database.db, room.roomId)).to.equal(undefined);
  });

  it('8.4 reads a create event without a version as one of version 1, and no other', async () => {
    const room = makeForeignRoom({ version: '1' });
    const join = joinOf(room);
    expect(refused(await house.accept(room, join, { roomVersion: '2' }))).to.equal('M_BAD_JSON');
    sent(await house.accept(room, join));
    await house.restart();
    expect((await findRoom(house.database.db, room.roomId))?.roomVersion).to.equal('1');
  });

  it('8.7 refuses a version that differs from what is known, or from what the create event says', async () => {
    const room = makeForeignRoom({ version: '10' });
    const join = joinOf(room);
    expect(refused(await house.accept(room, join, { roomVersion: '9' }))).to.equal('M_BAD_JSON');
    expect(await findRoom(house.database.db, room.roomId)).to.equal(undefined);
    await house.enter(room);
    sent(await change(house, room.roomId, 'leave', ALICE));
    const other = makeForeignRoom({ version: '10' });
    const changed = other.state().map((event) => ({
      eventId: event.eventId,
      pdu: event.json.replace('"room_version":"10"', '"room_version":"9"'),
    }));
    const again = await house.accept(other, joinOf(other), { roomVersion: '9', state: changed });
    expect(refused(again)).to.equal('M_BAD_JSON');
    expect((await findRoom(house.database.db, room.roomId))?.roomVersion).to.equal('10');
    const twelve = makeForeignRoom({ version: '12' });
    const another = makeForeignRoom({ version: '12', creator: '@b:other.example' });
    const state = [another.state()[0], ...twelve.state().slice(1)].flatMap((event) => event ?? []);
    expect(refused(await house.accept(twelve, joinOf(twelve), { state: state.map(received) }))).to.equal(
      'M_BAD_JSON',
    );
  });

  it('refuses a join of who was banned by the time, whatever its own auth events say', async () => {
    const room = makeForeignRoom();
    const join = joinOf(room);
    room.member(ALICE, 'ban', REMOTE);
    expect(refused(await house.accept(room, join))).to.equal('M_FORBIDDEN');
    expect(await findLocalMembership(house.database.db, ALICE, room.roomId)).to.equal(undefined);
  });

  it('leaves out of the state what is known as an event of another room', async () => {
    const [one, other] = [
      makeForeignRoom({ version: '1' }),
      makeForeignRoom({ version: '1', name: 'other' }),
    ];
    const topic = (room: ForeignRoom) =>
      room.add({ sender: REMOTE, type: 'm.room.topic', stateKey: '', content: { topic: 'mine' } });
    const [first, second] = [topic(one), topic(other)];
    await house.enter(one);
    const join = joinOf(other);
    const state = other
      .state()
      .map(received)
      .map((event) =>
        event.eventId === second.eventId
          ? { eventId: first.eventId, pdu: event.pdu.replaceAll(second.eventId, first.eventId) }
          : event,
      );
    sent(await house.accept(other, join, { state, authChain: [] }));
    expect(await house.stateIds(other.roomId)).to.not.include.members([first.eventId]);
    expect(await house.stateIds(other.roomId)).to.include(join.eventId);
  });

  it('refuses a join whose own auth events do not allow it, or are others than the rules select', async () => {
    const room = makeForeignRoom();
    const join = joinOf(room);
    const unknown = { ...join.pdu, auth_events: [...join.pdu.auth_events, '$unknown'] };
    const fewer = { ...join.pdu, auth_events: join.pdu.auth_events.slice(0, 1) };
    const creator = room.state().find(({ pdu }) => pdu.state_key === REMOTE)?.eventId ?? '';
    const more = { ...join.pdu, auth_events: [...join.pdu.auth_events, creator] };
    for (const pdu of [unknown, fewer, more]) {
      const event = { eventId: join.eventId, pdu: JSON.stringify(pdu) };
      expect(refused(await house.accept(room, join, { event }))).to.equal('M_FORBIDDEN');
    }
    expect(await house.stateIds(room.roomId)).to.deep.equal([]);
    sent(await house.accept(room, join));
  });
});
