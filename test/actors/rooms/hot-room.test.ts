import { expect } from 'chai';
import { step } from '../../../db/kit/write-set.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import {
  findStateGroupAt,
  readCurrentState,
  readStateOfGroup,
  type StateEntry,
} from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import { type EventWrite, insertExtremity, storeEvent } from '../../../db/rooms/writer.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import {
  ALICE,
  BOB,
  change,
  makeRoom,
  openRoomsHouse,
  type RoomsHouse,
  sendMessage,
  sent,
} from './rooms-house.ts';

describe('a hot room', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('stores 50 concurrent messages in a few transactions, each after the one before', async () => {
    const roomId = await makeRoom(house);
    sent(await sendMessage(house, roomId, ALICE, 'warm'));
    const before = house.transactions();
    const replies = await Promise.all(
      Array.from({ length: 50 }, (_, index) => sendMessage(house, roomId, ALICE, `${index}`, `t${index}`)),
    );
    expect(house.transactions() - before).to.be.at.most(5);
    let previous: string | undefined;
    for (const reply of replies) {
      const { eventId } = sent(reply);
      const stored = await findEvent(house.database.db, eventId);
      const prevEvents = edgeIds((JSON.parse(stored?.pdu ?? '') as Pdu).prev_events);
      if (previous !== undefined) expect(prevEvents).to.deep.equal([previous]);
      previous = eventId;
    }
  });

  it('stages upon state that is not committed yet', async () => {
    const roomId = await makeRoom(house);
    const [join, message] = await Promise.all([
      change(house, roomId, 'join', BOB),
      sendMessage(house, roomId, BOB, 'I am in'),
    ]);
    expect(sent(message).position).to.equal(sent(join).position + 1);
  });

  it('6.2 publishes the rows of a batch in order of position, equal to what is read back', async () => {
    const [one, other] = [await makeRoom(house), await makeRoom(house)];
    const from = house.database.write.position('events');
    const work: Promise<unknown>[] = [];
    for (let index = 0; index < 6; index += 1) {
      work.push(change(house, one, index % 2 === 0 ? 'join' : 'leave', BOB));
      work.push(sendMessage(house, index % 3 === 0 ? other : one, ALICE, `${index}`));
    }
    await Promise.all(work);
    await house.idle();
    const published = house.rows.filter(({ position }) => position > from);
    expect(published.map(({ position }) => position - from)).to.deep.equal(
      Array.from({ length: 12 }, (_, index) => index + 1),
    );
    const read = await readEventRows(house.database.db, from, from + 12, 100);
    expect(published).to.deep.equal(read.rows);
  });

  it('7.1 pokes the caches once for each state change, and never for a message', async () => {
    const roomId = await makeRoom(house);
    const before = house.told.length;
    sent(await sendMessage(house, roomId, ALICE, 'hello'));
    sent(await change(house, roomId, 'join', BOB));
    await house.idle();
    const pokes = house.told.slice(before).filter(({ message }) => message.startsWith('caches.'));
    expect(pokes).to.deep.equal([
      { message: 'caches.room-changed', input: { roomId, invalidations: 2, members: [BOB] } },
    ]);
  });

  it('7.5 tells nobody about what was not committed', async () => {
    const roomId = await makeRoom(house);
    await house.idle();
    const before = house.told.length;
    house.storage.fault = 'disk-full';
    await change(house, roomId, 'join', BOB);
    await house.idle();
    expect(house.told.slice(before)).to.deep.equal([]);
  });

  it('joins several newest events into one, at the current state', async () => {
    const roomId = await makeRoom(house);
    const { db, write } = house.database;
    const room = await findRoom(db, roomId);
    const roomNid = room?.roomNid ?? 0;
    const stateGroup = (await findStateGroupAt(db, roomId, Number.MAX_SAFE_INTEGER)) ?? 0;
    // As if another server had sent an event beside ours.
    const other: EventWrite = {
      roomNid,
      eventId: '$other',
      depth: 9,
      originServerTs: 1,
      pdu: JSON.stringify({ type: 'm.room.message', sender: BOB, content: {} }),
      state: null,
      stateGroup: { kind: 'existing', stateGroup },
      resolvedStateGroup: stateGroup,
      follows: [],
      localMembership: null,
      redacts: null,
      transaction: null,
    };
    const steps = [...storeEvent(other, 0), step(insertExtremity, { roomNid }, { positionOffset: 0 })];
    const outcome = await write.write({ owner: 'rooms', advance: { stream: 'events', count: 1 }, steps });
    expect(outcome.kind).to.equal('committed');
    const before = await readExtremities(db, roomNid);
    await house.restart();
    const { eventId } = sent(await sendMessage(house, roomId, ALICE, 'hello'));
    const stored = await findEvent(db, eventId);
    expect(stored).to.include({ depth: 10, stateGroup });
    expect(edgeIds((JSON.parse(stored?.pdu ?? '') as Pdu).prev_events)).to.deep.equal(
      before.map((extremity) => extremity.eventId),
    );
    expect(before).to.have.length(2);
    expect((await readExtremities(db, roomNid)).map((extremity) => extremity.eventId)).to.deep.equal([
      eventId,
    ]);
    const byKey = (entries: readonly StateEntry[]) =>
      entries.map((entry) => JSON.stringify(entry)).toSorted();
    expect((await findRoom(db, roomId))?.resolvedStateGroup).to.equal(null);
    expect(byKey(await readStateOfGroup(db, stateGroup))).to.deep.equal(
      byKey(await readCurrentState(db, roomId)),
    );
    sent(await change(house, roomId, 'join', BOB));
    sent(await sendMessage(house, roomId, BOB, 'hello'));
  });

  it('goes on counting positions and state groups after a restart', async () => {
    const roomId = await makeRoom(house);
    const before = sent(await change(house, roomId, 'join', BOB));
    await house.restart();
    const after = sent(await change(house, roomId, 'leave', BOB));
    expect(after.position).to.equal(before.position + 1);
    const groups = await Promise.all(
      [before, after].map(({ eventId }) => findEvent(house.database.db, eventId)),
    );
    expect(groups[1]?.stateGroup).to.equal((groups[0]?.stateGroup ?? 0) + 1);
  });
});
