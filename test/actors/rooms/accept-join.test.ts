import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { readHostsOfRoom } from '../../../db/rooms/hosts-reader.ts';
import { countInconsistentMemberships } from '../../../db/rooms/membership-check-reader.ts';
import { countMembers } from '../../../db/rooms/member-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { readStateOfGroup } from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { findLocalMembership, readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { makeForeignRoom, received } from '../../support/foreign-room.ts';
import { type ForeignHouse, idsOf, joinOf, openForeignHouse } from './foreign-house.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  refused,
  REMOTE,
  sendMessage,
  sent,
  SERVER,
} from './rooms-house.ts';

describe('rooms.accept-join', () => {
  let house: ForeignHouse;
  beforeEach(async () => {
    house = await openForeignHouse();
  });
  afterEach(() => house.stop());
  it('5.4 makes the state that another server gave the state of the room, the join after it, in every room version', async () => {
    const { db } = house.database;
    for (const { id: version } of ROOM_VERSIONS) {
      const room = makeForeignRoom({ version });
      room.member('@other:third.example', 'join');
      const before = idsOf(room.state());
      const { eventId, position } = await house.enter(room);
      expect(await house.stateIds(room.roomId), version).to.deep.equal(idsOf(room.state()));
      const join = await findEvent(db, eventId);
      expect(join).to.include({ streamOrdering: position, rejection: null, receivedFrom: 'other.example' });
      const group = await readStateOfGroup(db, join?.stateGroup ?? 0);
      expect(group.map((entry) => entry.eventId).toSorted(), version).to.deep.equal(idsOf(room.state()));
      expect(before.length).to.equal(group.length - 1);
      const stored = await findRoom(db, room.roomId);
      expect(stored).to.include({ roomVersion: version, creator: REMOTE, resolvedStateGroup: null });
      const extremities = await readExtremities(db, stored?.roomNid ?? 0);
      expect(extremities.map((one) => one.eventId)).to.deep.equal([eventId]);
      const rows = await readLocalMemberships(db, room.roomId);
      expect(rows.map((row) => `${row.userId} ${row.membership}`)).to.deep.equal([`${ALICE} join`]);
      expect(await countMembers(db, room.roomId)).to.deep.equal({ joined: 3, invited: 0 });
      expect(await readHostsOfRoom(db, room.roomId)).to.deep.equal([
        'example.com',
        'other.example',
        'third.example',
      ]);
      for (const { eventId: outlier } of room.state().filter((one) => one.eventId !== eventId))
        expect(await findEvent(db, outlier)).to.include({ streamOrdering: null, rejection: null });
      expect(await countInconsistentMemberships(db, room.roomId, SERVER), version).to.equal(0);
      const message = sent(await sendMessage(house, room.roomId, ALICE, 'hello'));
      expect(message.position, version).to.be.greaterThan(position);
    }
  });

  it('announces that the room was entered, then the join, now and from the database', async () => {
    const room = makeForeignRoom();
    await house.idle();
    const { eventId, position } = await house.enter(room);
    await house.idle();
    const rows = house.rows.filter((row) => row.position >= position - 1);
    expect(rows.map((one) => one.row)).to.deep.equal([
      { kind: 'room', roomId: room.roomId, change: 'joined' },
      {
        kind: 'event',
        eventId,
        roomId: room.roomId,
        type: 'm.room.member',
        stateKey: ALICE,
        sender: ALICE,
        membership: 'join',
        redacts: null,
      },
    ]);
    const page = await readEventRows(house.database.db, position - 2, position, 10);
    expect(page.rows).to.deep.equal(rows);
  });

  it('5.4 5.8 turns an invite into a join, one row for the user, and nothing of it when the write fails', async () => {
    const room = makeForeignRoom({ joinRule: 'invite' });
    const invite = room.member(ALICE, 'invite', REMOTE);
    sent(
      await house.rooms.ask('rooms.receive-invite', {
        roomId: room.roomId,
        roomVersion: room.version,
        event: received(invite),
        strippedState: room.inviteState('m.room.create'),
        receivedFrom: 'other.example',
      }),
    );
    const row = () => findLocalMembership(house.database.db, ALICE, room.roomId);
    const join = joinOf(room);
    // The second set of the join: the first one stores what comes before it.
    let sets = 0;
    house.storage.faultOfSet = () => ((sets += 1) === 2 ? 'disk-full' : null);
    expect(refused(await house.accept(room, join))).to.equal('M_RESOURCE_LIMIT_EXCEEDED');
    house.storage.faultOfSet = null;
    expect(await row()).to.include({ membership: 'invite', eventId: invite.eventId });
    expect(await house.stateIds(room.roomId)).to.deep.equal([]);
    expect(refused(await sendMessage(house, room.roomId, ALICE, 'early'))).to.equal('M_FORBIDDEN');
    const { position } = sent(await house.accept(room, join));
    expect(await row()).to.include({ membership: 'join', eventId: join.eventId, position });
    expect(await readLocalMemberships(house.database.db, room.roomId)).to.have.length(1);
  });

  it('5.1 5.4 comes back into a room that this server has left: the state is the new one, exactly one row each', async () => {
    const room = makeForeignRoom();
    await house.enter(room);
    const left = sent(await change(house, room.roomId, 'leave', ALICE));
    const leave = await findEvent(house.database.db, left.eventId);
    expect(await house.stateIds(room.roomId)).to.deep.equal([]);
    expect(refused(await change(house, room.roomId, 'join', ALICE))).to.equal('M_NOT_FOUND');
    room.append({ ...joinOf(room), eventId: left.eventId, pdu: JSON.parse(leave?.pdu ?? '') });
    room.add({
      sender: REMOTE,
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'while you were away' },
    });
    const state = room
      .state()
      .map((event) =>
        event.eventId === left.eventId ? { eventId: event.eventId, pdu: leave?.pdu ?? '' } : received(event),
      );
    const join = joinOf(room);
    const { position } = sent(await house.accept(room, join, { state, authChain: [] }));
    room.append(join);
    expect(await house.stateIds(room.roomId)).to.deep.equal(idsOf(room.state()));
    expect(await readLocalMemberships(house.database.db, room.roomId)).to.have.length(1);
    expect(await findLocalMembership(house.database.db, ALICE, room.roomId)).to.include({
      membership: 'join',
      eventId: join.eventId,
      position,
    });
    await house.restart();
    sent(await sendMessage(house, room.roomId, ALICE, 'back'));
  });

  it('takes a join that was known as an outlier into the timeline, and says so to who has read it', async () => {
    const room = makeForeignRoom();
    const join = joinOf(room);
    const outliers = [...room.state(), join].map(received);
    const where = { roomId: room.roomId, receivedFrom: 'other.example' };
    expect(refused(await house.rooms.ask('rooms.receive-outliers', { ...where, events: outliers }))).to.equal(
      'M_NOT_FOUND',
    );
    sent(await house.accept(makeForeignRoom(), joinOf(makeForeignRoom(), BOB)));
    sent(await change(house, room.roomId, 'leave', BOB));
    await house.rooms.ask('rooms.receive-outliers', { ...where, events: outliers });
    expect((await findEvent(house.database.db, join.eventId))?.streamOrdering).to.equal(null);
    const { position } = sent(await house.accept(room, join));
    expect(await findEvent(house.database.db, join.eventId)).to.include({ streamOrdering: position });
    await house.idle();
    expect(house.rows.at(-1)).to.deep.include({ position });
    expect(house.rows.at(-1)?.row).to.deep.include({ kind: 'event', eventId: join.eventId, isLate: true });
    const page = await readEventRows(house.database.db, position - 1, position, 1);
    expect(page.rows.map(({ row }) => row)).to.deep.equal([house.rows.at(-1)?.row]);
    expect(refused(await house.accept(room, join, { roomId: room.roomId, roomVersion: '10' }))).to.equal(
      'M_BAD_JSON',
    );
  });

  it('5.7 brings the other local memberships to what the state says, and tells of it', async () => {
    const room = makeForeignRoom();
    const toBob = room.member(BOB, 'invite', REMOTE);
    sent(await house.invite(room, toBob));
    const unknown = makeForeignRoom();
    const toCarol = unknown.member(CAROL, 'invite', REMOTE);
    sent(await house.invite(room, toCarol));
    const ban = room.member(BOB, 'ban', REMOTE);
    await house.idle();
    house.rows.length = 0;
    const { position } = await house.enter(room);
    await house.idle();
    const { db } = house.database;
    expect(await findLocalMembership(db, BOB, room.roomId)).to.include({
      membership: 'ban',
      eventId: ban.eventId,
      position: position + 1,
    });
    // The state has no such invite: it was of another branch.
    expect(await findLocalMembership(db, CAROL, room.roomId)).to.include({
      membership: 'removed',
      position: position + 2,
    });
    expect(house.rows.slice(-2).map(({ row }) => row)).to.deep.equal([
      {
        kind: 'state',
        roomId: room.roomId,
        type: 'm.room.member',
        stateKey: BOB,
        eventId: ban.eventId,
        membership: 'ban',
      },
      {
        kind: 'state',
        roomId: room.roomId,
        type: 'm.room.member',
        stateKey: CAROL,
        eventId: null,
        membership: null,
      },
    ]);
    expect(await countInconsistentMemberships(db, room.roomId, SERVER)).to.equal(0);
    const page = await readEventRows(db, position, position + 2, 10);
    expect(page.rows.map(({ row }) => row)).to.deep.equal(house.rows.slice(-2).map(({ row }) => row));
  });

  it('lets other rooms go on while it takes in a state of two thousand members', async () => {
    const room = makeForeignRoom();
    for (let index = 0; index < 2_000; index += 1) room.member(`@m${index}:other.example`, 'join');
    const other = await makeRoom(house);
    const join = joinOf(room);
    const state = room.state().map(received);
    const accepted = house.accept(room, join, { state, authChain: [] });
    const isOver = accepted.then(() => true);
    let sends = 0;
    do {
      sends += 1;
      sent(await sendMessage(house, other, ALICE, `${sends}`));
    } while (!(await Promise.race([isOver, Promise.resolve(false)])));
    sent(await accepted);
    expect(sends).to.be.greaterThan(3);
    expect(await countMembers(house.database.db, room.roomId)).to.deep.equal({ joined: 2_002, invited: 0 });
  });
});
