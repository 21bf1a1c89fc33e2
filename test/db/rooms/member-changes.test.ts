import { expect } from 'chai';
import type { WriteStep } from '../../../db/kit/write-set.ts';
import { changeCurrentState } from '../../../db/rooms/inbound-writer.ts';
import { storeForeignRoom, storeOutOfBandMember } from '../../../db/rooms/out-of-band-writer.ts';
import {
  findMemberChangeAt,
  type MemberChange,
  readMemberChangesOfRoom,
  readMemberChangesOfUser,
  readMemberChangesOfUserInRoom,
} from '../../../db/rooms/sync-reader.ts';
import { type EventWrite, storeRoom } from '../../../db/rooms/writer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const USER = '@user:example.com';
const OTHER = '@other:example.com';
const ROOM = '!room:example.com';
const ELSEWHERE = '!elsewhere:other.example';
const END = 1_000;

function memberWrite(eventId: string, userId: string, membership: string): EventWrite {
  return {
    roomNid: 1,
    eventId,
    depth: 1,
    originServerTs: 0,
    pdu: JSON.stringify({ type: 'm.room.member', sender: userId, content: { membership } }),
    state: { type: 'm.room.member', stateKey: userId, membership },
    stateGroup: null,
    follows: [],
    localMembership: { userId, membership, sender: userId },
    redacts: null,
    transaction: null,
  };
}

/*
 * Positions: 1 the user joins, 2 the other joins, 3 the user leaves, 4 that leave loses its place to the join, 5 the user is removed without
 * an event, 6 the user is invited elsewhere.
 */
describe('changes of memberships, by events and without', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
    const events = [
      memberWrite('$join', USER, 'join'),
      memberWrite('$other', OTHER, 'join'),
      memberWrite('$leave', USER, 'leave'),
    ];
    const room = { roomNid: 1, roomId: ROOM, roomVersion: '11', creator: USER, isPublic: false, alias: null };
    await write(storeRoom({ ...room, events }), 3);
    const place = { type: 'm.room.member', stateKey: USER, localMember: { userId: USER, sender: USER } };
    await write(changeCurrentState(1, { ...place, eventId: '$join', membership: 'join' }, 0, false), 1);
    await write(changeCurrentState(1, { ...place, eventId: null, membership: null }, 0, false), 1);
    const invite = { roomNid: 2, userId: USER, membership: 'invite', sender: '@r:other.example' };
    const pdu = JSON.stringify({ sender: invite.sender, content: { membership: 'invite' } });
    const event = { eventId: '$invite', depth: 9, originServerTs: 0, pdu, receivedFrom: 'other.example' };
    await write(
      [
        storeForeignRoom({ roomNid: 2, roomId: ELSEWHERE, roomVersion: '12', creator: '' }),
        ...storeOutOfBandMember({ ...invite, ...event }, 0),
      ],
      1,
    );
  });
  afterEach(() => database.close());

  const write = async (steps: readonly WriteStep[], count: number): Promise<void> => {
    const outcome = await database.write.write({
      owner: 'rooms',
      advance: { stream: 'events', count },
      steps,
    });
    if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
  };
  const asText = ({ position, userId, roomId, membership, eventId }: MemberChange): string =>
    `${position} ${userId} ${roomId} ${membership} ${eventId ?? '-'}`;
  const OWN = [
    `1 ${USER} ${ROOM} join $join`,
    `3 ${USER} ${ROOM} leave $leave`,
    `4 ${USER} ${ROOM} join $join`,
    `5 ${USER} ${ROOM} removed -`,
  ];

  it('5.5 of a user over all rooms', async () => {
    const all = await readMemberChangesOfUser(database.db, USER, 0, END);
    expect(all.map(asText)).to.deep.equal([...OWN, `6 ${USER} ${ELSEWHERE} invite $invite`]);
    const some = await readMemberChangesOfUser(database.db, USER, 3, 5);
    expect(some.map(asText)).to.deep.equal(OWN.slice(2));
  });

  it('5.5 of a user in one room', async () => {
    const all = await readMemberChangesOfUserInRoom(database.db, USER, ROOM, 0, END);
    expect(all.map(asText)).to.deep.equal(OWN);
    const some = await readMemberChangesOfUserInRoom(database.db, USER, ROOM, 1, 4);
    expect(some.map(asText)).to.deep.equal(OWN.slice(1, 3));
    const elsewhere = await readMemberChangesOfUserInRoom(database.db, USER, ELSEWHERE, 0, END);
    expect(elsewhere.map(asText)).to.deep.equal([`6 ${USER} ${ELSEWHERE} invite $invite`]);
  });

  it('5.5 of everybody in a room', async () => {
    const all = await readMemberChangesOfRoom(database.db, ROOM, 0, END);
    expect(all.map(asText)).to.deep.equal([OWN[0], `2 ${OTHER} ${ROOM} join $other`, ...OWN.slice(1)]);
  });

  it('5.5 the last one by a position: an event that has lost its place is none', async () => {
    const found = await Promise.all(
      [0, 1, 2, 3, 4, 5, END].map((at) => findMemberChangeAt(database.db, USER, ROOM, at)),
    );
    expect(found.map((change) => change?.membership)).to.deep.equal([
      undefined,
      'join',
      'join',
      'leave',
      'join',
      'removed',
      'removed',
    ]);
  });
});
