import { expect } from 'chai';
import { findAlias, findRoom, readRoomAliases } from '../../../db/rooms/room-reader.ts';
import { readCurrentState } from '../../../db/rooms/state-reader.ts';
import { readLatestTimeline } from '../../../db/rooms/timeline-reader.ts';
import {
  ALICE,
  BOB,
  firstEvents,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sent,
} from './rooms-house.ts';

describe('rooms.create-room', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('makes the room with all its events in one transaction', async () => {
    const reply = await house.rooms.ask('rooms.create-room', {
      creator: ALICE,
      roomVersion: '11',
      creationContent: { type: 'm.space' },
      events: [
        ...firstEvents(ALICE),
        { type: 'm.room.name', stateKey: '', content: { name: 'Tea' } },
        { type: 'm.room.member', stateKey: BOB, content: { membership: 'invite' } },
      ],
      alias: '#tea:example.com',
      isPublic: true,
    });
    if (reply.kind !== 'created') throw new Error(reply.error);
    const { roomId } = reply;
    const { db } = house.database;
    expect(house.transactions()).to.equal(1);
    expect(await findRoom(db, roomId)).to.include({ roomVersion: '11', creator: ALICE, isPublic: true });
    expect((await findAlias(db, '#tea:example.com'))?.roomId).to.equal(roomId);
    expect(await readRoomAliases(db, roomId)).to.have.length(1);
    const { events } = await readLatestTimeline(db, roomId, 0, reply.position, 100);
    expect(events.map(({ type }) => type).toReversed()).to.deep.equal([
      'm.room.create',
      'm.room.member',
      'm.room.power_levels',
      'm.room.join_rules',
      'm.room.name',
      'm.room.member',
    ]);
    expect(events[0]?.streamOrdering).to.equal(reply.position);
    expect(await readCurrentState(db, roomId)).to.have.length(6);
    await house.idle();
    expect(house.rows.map(({ position }) => position)).to.deep.equal([1, 2, 3, 4, 5, 6]);
    const poke = house.told.filter(({ message }) => message === 'caches.room-changed');
    expect(poke.map(({ input }) => input)).to.deep.equal([
      { roomId, invalidations: 8, members: [ALICE, BOB] },
    ]);
  });

  it('refuses a taken alias, and leaves nothing behind', async () => {
    const first = await makeRoom(house, { alias: '#tea:example.com' });
    const input = {
      creator: BOB,
      roomVersion: '11',
      creationContent: {},
      events: firstEvents(BOB),
      alias: '#tea:example.com',
      isPublic: false,
    };
    const before = house.database.write.position('events');
    expect(refused(await house.rooms.ask('rooms.create-room', input))).to.equal('M_ROOM_IN_USE');
    expect((await findAlias(house.database.db, '#tea:example.com'))?.roomId).to.equal(first);
    expect(house.database.write.position('events')).to.equal(before);
    const again = await house.rooms.ask('rooms.create-room', { ...input, alias: '#milk:example.com' });
    expect(again.kind).to.equal('created');
  });

  it('refuses first events that the state before them does not allow', async () => {
    const events = [
      ...firstEvents(ALICE, { powerLevels: { users: { [ALICE]: 10 } } }),
      { type: 'm.room.name', stateKey: '', content: { name: 'Tea' } },
    ];
    const reply = await house.rooms.ask('rooms.create-room', {
      creator: ALICE,
      roomVersion: '11',
      creationContent: {},
      events,
      alias: '#tea:example.com',
      isPublic: false,
    });
    expect(reply).to.include({ errcode: 'M_INVALID_ROOM_STATE', status: 400 });
    expect(await findAlias(house.database.db, '#tea:example.com')).to.equal(undefined);
    expect(house.transactions()).to.equal(0);
  });

  it('refuses content that is not canonical JSON', async () => {
    const reply = await house.rooms.ask('rooms.create-room', {
      creator: ALICE,
      roomVersion: '11',
      creationContent: { half: 0.5 },
      events: firstEvents(ALICE),
      alias: null,
      isPublic: false,
    });
    expect(refused(reply)).to.equal('M_BAD_JSON');
  });

  it('makes many rooms at once, each its own', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, () => makeRoom(house)));
    expect(new Set(ids).size).to.equal(20);
    const replies = await Promise.all(ids.map((roomId) => sendMessage(house, roomId, ALICE, 'hello')));
    expect(new Set(replies.map((reply) => sent(reply).position)).size).to.equal(20);
  });
});
