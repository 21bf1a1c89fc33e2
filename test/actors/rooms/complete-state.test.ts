import { expect } from 'chai';
import { defineQuery } from '../../../db/kit/query.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { countMembers } from '../../../db/rooms/member-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { readStateOfGroup } from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { makeForeignRoom, received } from '../../support/foreign-room.ts';
import { type ForeignEvent, receive } from './foreign-events.ts';
import { idsOf, joinOf, openForeignHouse } from './foreign-house.ts';
import {
  checkJoinedRoom,
  completed,
  FRANK,
  GINA,
  given,
  leftovers,
  openPartialWorld,
  OTHER,
  type PartialWorld,
  readPicture,
  redaction,
} from './partial-world.ts';
import { DAVE, ERIN, member, message, topic } from './receive-world.ts';
import { ALICE, makeRoom, sendMessage, sent } from './rooms-house.ts';

const unusedGroups = defineQuery<{ readonly roomNid: number }, { readonly stateGroup: number }>({
  name: 'test.unused-groups',
  sql: `SELECT state_group AS stateGroup FROM state_groups g WHERE room_nid = :roomNid
         AND NOT EXISTS (SELECT 1 FROM events e WHERE e.room_nid = :roomNid AND e.state_group = g.state_group)`,
});

describe('rooms.complete-state', () => {
  const worlds: PartialWorld[] = [];
  const open: typeof openPartialWorld = async (options) => {
    const world = await openPartialWorld(options);
    worlds.push(world);
    return world;
  };
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });

  it('a partial room takes what its members send, and is whole afterwards', async () => {
    const world = await open();
    const { room, house, roomId } = world;
    await world.enter();
    expect(await world.isPartial()).to.equal(true);
    const events = [
      room.add(message(ERIN, 'hello')),
      room.add(message(FRANK, 'hello')),
      room.add(topic(ERIN, 'news')),
      room.add(message(ERIN, 'again')),
    ];
    expect(await world.giveAll(...events)).to.deep.equal(['accepted', 'accepted', 'accepted', 'accepted']);
    await checkJoinedRoom(house, roomId);
    completed(await world.complete());
    expect(await world.isPartial()).to.equal(false);
    await checkJoinedRoom(house, roomId);
    const full = await open({ room, join: world.join() });
    await full.enter({ isPartial: false });
    await full.giveAll(...events);
    expect(await readPicture(house, roomId)).to.deep.equal(await readPicture(full.house, roomId));
  });

  it('takes back what a banned user has sent, and what the user has done', async () => {
    const world = await open();
    const { room, house, roomId } = world;
    room.add(member(GINA, GINA, 'join'));
    const before = room.tips();
    const auth = edgeIds(room.build(message(GINA, 'of before')).pdu.auth_events);
    room.add(member(DAVE, GINA, 'ban'));
    await world.enter();
    const hello = room.add(message(ERIN, 'hello'));
    await world.give(hello);
    const spam = room.add({ ...message(GINA, 'spam'), auth });
    const voice = room.add({ ...message(GINA, 'mine'), prev: before, auth });
    const own = sent(await sendMessage(house, roomId, ALICE, 'what?'));
    expect(await world.give(spam)).to.equal('accepted');
    await house.idle();
    expect((await findEvent(house.database.db, spam.eventId))?.streamOrdering).not.to.equal(null);
    // One that is made of the state of before the ban, which it is given with, stays: it is allowed there.
    expect(await world.give(voice, 'given')).to.equal('accepted');
    house.rows.length = 0;
    const position = completed(await world.complete());
    await house.idle();
    expect(await world.standing(spam)).to.equal('rejected');
    expect(await world.standing(voice)).to.equal('soft-failed');
    expect(await world.standing(hello)).to.equal('accepted');
    expect(await world.standing(own)).to.equal('accepted');
    expect((await readPicture(house, roomId)).extremities).to.deep.equal([own.eventId]);
    await checkJoinedRoom(house, roomId);
    expect(house.rows.at(-1)).to.deep.equal({ position, row: { kind: 'room', roomId, change: 'completed' } });
    const stored = await readEventRows(house.database.db, (house.rows[0]?.position ?? 0) - 1, position, 100);
    expect(stored.rows.map(({ row }) => row)).to.have.deep.members(house.rows.map(({ row }) => row));
    // What follows it is taken in memory as well.
    expect(await world.give(room.add({ ...message(GINA, 'more'), auth }))).to.equal('rejected');
  });

  it('lets in what a banned user had kept out, late', async () => {
    const world = await open();
    const { room, house, roomId } = world;
    room.add(member(GINA, GINA, 'join'));
    room.add({
      sender: DAVE,
      type: 'm.room.power_levels',
      stateKey: '',
      content: { users: { [DAVE]: 100, [GINA]: 60 } },
    });
    const kick = { ...member(GINA, FRANK, 'ban') };
    const auth = edgeIds(room.build(kick).pdu.auth_events);
    room.add(member(DAVE, GINA, 'ban'));
    await world.enter();
    const forged = room.add({ ...kick, auth });
    const message1 = room.add(message(FRANK, 'I am here'));
    const redacted = room.add(message(ERIN, 'redacted'));
    const redaction1 = room.add(redaction(FRANK, message1.eventId));
    const named = room.add({ ...topic(DAVE, 'after'), prev: [redaction1.eventId] });
    const events = [forged, message1, redacted, redaction1, named];
    expect(await world.giveAll(...events)).to.deep.equal([
      'accepted',
      'soft-failed',
      'accepted',
      'soft-failed',
      'accepted',
    ]);
    house.rows.length = 0;
    completed(await world.complete());
    await house.idle();
    expect(await world.standing(forged)).to.equal('rejected');
    expect(await world.standing(message1)).to.equal('accepted');
    expect(await world.standing(redaction1)).to.equal('accepted');
    const late = house.rows.map(({ row }) => row).filter((row) => row.kind === 'event');
    expect(late).to.have.length(2);
    for (const row of late) expect(row).to.include({ isLate: true });
    expect(late[1]).to.include({ redacts: message1.eventId });
    await checkJoinedRoom(house, roomId);
    const full = await open({ room, join: world.join() });
    await full.enter({ isPartial: false });
    await full.giveAll(...events);
    expect(await readPicture(house, roomId)).to.deep.equal(await readPicture(full.house, roomId));
  });

  it('takes in at its time what had waited for its auth events', async () => {
    const world = await open();
    const { room, house, roomId } = world;
    await world.enter();
    const henry = member('@henry:fourth.example', '@henry:fourth.example', 'join');
    const join = room.add(henry);
    const hello = room.add(message('@henry:fourth.example', 'hello'));
    const after = room.add({ ...topic(DAVE, 'after'), prev: [hello.eventId] });
    // What names the join before it has come is rejected, and looked at again.
    const waiting = room.build({
      ...message('@henry:fourth.example', 'too early'),
      prev: [world.join().eventId],
      auth: edgeIds(hello.pdu.auth_events),
    });
    const take = async (into: PartialWorld): Promise<void> => {
      const reply = await receive(into.house, roomId, waiting, { isFinal: true });
      expect(reply).to.include({ kind: 'rejected' });
      expect(await into.giveAll(join, hello, after)).to.deep.equal(['accepted', 'accepted', 'accepted']);
      await into.house.idle();
    };
    await take(world);
    const full = await open({ room, join: world.join() });
    await full.enter({ isPartial: false });
    await take(full);
    completed(await world.complete());
    await checkJoinedRoom(house, roomId);
    expect(await readPicture(house, roomId)).to.deep.equal(await readPicture(full.house, roomId));
  });

  it('decides about what waited for auth events when they had come, not before', async () => {
    const world = await open({ members: [ERIN, FRANK, GINA] });
    const { room, house, roomId } = world;
    await world.enter();
    const early = room.add(message(GINA, 'nobody knows me'));
    expect(await receive(house, roomId, early, { isFinal: true })).to.include({ kind: 'rejected' });
    const isOfGina = (id: string): boolean => room.get(id).pdu.state_key === GINA;
    const ban = { ...member(DAVE, GINA, 'ban'), prev: [world.join().eventId] };
    const auth = edgeIds(room.build(ban).pdu.auth_events).filter((id) => !isOfGina(id));
    expect(await world.give(room.add({ ...ban, auth }))).to.equal('accepted');
    const joinOfGina = room.get(edgeIds(early.pdu.auth_events).find(isOfGina) ?? '');
    await house.rooms.ask('rooms.receive-outliers', {
      roomId,
      events: [given(joinOfGina)],
      receivedFrom: OTHER,
    });
    expect(await world.standing(early)).to.equal('soft-failed');
    completed(await world.complete());
    expect(await world.standing(early)).to.equal('soft-failed');
    await checkJoinedRoom(house, roomId);
  });

  it('leaves what came late behind what follows it', async () => {
    const world = await open();
    const { room, house, roomId } = world;
    await world.enter();
    const full = await open({ room, join: world.join() });
    await full.enter({ isPartial: false });
    const first = room.add(message(ERIN, 'first'));
    const second = room.add(topic(ERIN, 'second'));
    for (const into of [world, full]) {
      expect(await into.give(second, 'given')).to.equal('accepted');
      expect(await into.give(first)).to.equal('accepted');
    }
    completed(await world.complete());
    const { extremities } = await readPicture(house, roomId);
    expect(extremities).to.deep.equal([second.eventId]);
    expect(await readPicture(house, roomId)).to.deep.equal(await readPicture(full.house, roomId));
    await checkJoinedRoom(house, roomId);
  });

  it('begins anew after a crash before any of its writes, and loses and doubles nothing', async function () {
    this.timeout(30_000);
    const world = await open();
    const { room, house, roomId } = world;
    room.add(member(DAVE, GINA, 'invite'));
    await world.enter();
    const full = await open({ room, join: world.join() });
    await full.enter({ isPartial: false });
    const take = async (event: ForeignEvent): Promise<void> => {
      await world.give(event);
      await full.give(event);
    };
    for (let index = 0; index < 52; index += 1) await take(room.add(message(ERIN, `${index}`)));
    for (const proposal of [topic(ERIN, 'one'), member(GINA, GINA, 'join'), topic(DAVE, 'two')])
      await take(room.add(proposal));
    const { db } = house.database;
    const { roomNid } = (await findRoom(db, roomId)) ?? { roomNid: 0 };
    let crashes = 0;
    for (let set = 1; ; set += 1) {
      let sets = 0;
      const restarts: Promise<void>[] = [];
      house.storage.faultOfSet = () => {
        sets += 1;
        if (sets === set) restarts.push(house.restart());
        return null;
      };
      const reply = await world.complete().catch((error: unknown) => error);
      await Promise.all(restarts);
      await house.idle();
      house.storage.faultOfSet = null;
      await checkJoinedRoom(house, roomId);
      if (!(reply instanceof Error)) break;
      crashes += 1;
      if (set % 3 === 0 && (await world.isPartial()))
        await take(room.add(message(FRANK, `after crash ${set}`)));
      if (crashes > 60) throw new Error('it never ends');
    }
    expect(crashes).to.be.greaterThan(5);
    expect((await db.get(leftovers, { roomNid })).rows).to.equal(0);
    expect(await readPicture(house, roomId)).to.deep.equal(await readPicture(full.house, roomId));
    const unused = await db.all(unusedGroups, { roomNid });
    expect(unused.length, 'states that nothing has are those of before').to.be.lessThan(12);
  });

  it('goes in slices, between which the room and the others go on', async function () {
    this.timeout(30_000);
    const house = await openForeignHouse();
    try {
      const { db } = house.database;
      const other = await makeRoom(house);
      const foreign = makeForeignRoom();
      for (let index = 0; index < 700; index += 1) foreign.member(`@user${index}:other.example`, 'join');
      const state = foreign.state().map(received);
      const join = joinOf(foreign);
      const isMember = (id: string): boolean =>
        foreign.events.some(({ eventId, pdu }) => eventId === id && pdu.type === 'm.room.member');
      const few = state.filter(({ eventId }) => !isMember(eventId));
      const creator = foreign.events.slice(0, 2).map(received);
      sent(
        await house.accept(foreign, join, {
          state: few,
          authChain: [...few, ...creator],
          partial: { servers: ['other.example'] },
        }),
      );
      const { roomId } = foreign;
      const progress = { isOver: false };
      const before = house.transactions();
      const completing = house.rooms
        .ask(
          'rooms.complete-state',
          { roomId, state, authChain: [], receivedFrom: 'other.example' },
          { deadlineMs: 60_000 },
        )
        .then((reply) => {
          progress.isOver = true;
          return reply;
        });
      let between = 0;
      const messages: string[] = [];
      while (!progress.isOver) {
        messages.push(sent(await sendMessage(house, roomId, ALICE, 'meanwhile')).eventId);
        sent(await sendMessage(house, other, ALICE, 'meanwhile'));
        between += 1;
      }
      expect(between).to.be.greaterThan(5);
      const position = completed(await completing);
      expect(house.transactions() - before).to.be.greaterThan(8);
      expect(await countMembers(db, roomId)).to.deep.equal({ joined: 702, invited: 0 });
      for (const eventId of messages) {
        const stored = await findEvent(db, eventId);
        expect(stored?.rejection).to.equal(null);
        expect(await readStateOfGroup(db, stored?.stateGroup ?? 0)).to.have.length(705);
      }
      await house.idle();
      const came = house.rows.filter(({ row }) => row.kind === 'state' && row.roomId === roomId);
      expect(came).to.have.length(701);
      expect(came.every((row) => row.position < position)).to.equal(true);
      expect(house.told.filter(({ message: name }) => name.startsWith('typing.'))).to.deep.equal([]);
      await checkJoinedRoom(house, roomId);
    } finally {
      await house.stop();
    }
  });

  it('makes rooms of every version whole', async function () {
    this.timeout(20_000);
    const house = await openForeignHouse();
    try {
      for (const { id: version } of ROOM_VERSIONS) {
        const room = makeForeignRoom({ version });
        for (const name of ['erin', 'frank']) room.member(`@${name}:third.example`, 'join');
        const members = room.events.filter(({ pdu }) => pdu.type === 'm.room.member').map(received);
        const state = room.state().map(received);
        const few = state.filter(({ eventId }) => members.every((one) => one.eventId !== eventId));
        const authChain = [...few, ...members.slice(0, 1)];
        const join = joinOf(room);
        const partial = { servers: ['other.example', 'third.example'] };
        sent(await house.accept(room, join, { state: few, authChain, partial }));
        room.append(join);
        const { roomId } = room;
        const asked = { roomId, state: state.toReversed(), authChain: [], receivedFrom: 'other.example' };
        completed(await house.rooms.ask('rooms.complete-state', asked));
        expect(await house.stateIds(roomId), version).to.deep.equal(idsOf(room.state()));
        await checkJoinedRoom(house, roomId);
      }
    } finally {
      await house.stop();
    }
  });
});
