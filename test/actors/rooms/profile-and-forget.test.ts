import { expect } from 'chai';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
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
  sent,
} from './rooms-house.ts';

describe('rooms.update-profile', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const memberIn = async (roomId: string, userId: string) => {
    const event = await findCurrentStateEvent(house.database.db, roomId, 'm.room.member', userId);
    return (JSON.parse(event?.pdu ?? '') as Pdu).content;
  };
  const update = (displayname: string | null, avatarUrl: string | null) =>
    house.rooms.ask('rooms.update-profile', { userId: BOB, displayname, avatarUrl });

  it('writes the profile into the joined rooms, and leaves the others', async () => {
    const [first, second, left, invited] = await Promise.all([1, 2, 3, 4].map(() => makeRoom(house)));
    if (first === undefined || second === undefined || left === undefined || invited === undefined) return;
    sent(await change(house, first, 'join', BOB, BOB, { displayname: 'Bob', reason: 'tea' }));
    sent(await change(house, second, 'join', BOB));
    sent(await change(house, left, 'join', BOB));
    sent(await change(house, left, 'leave', BOB));
    sent(await change(house, invited, 'invite', ALICE, BOB));
    const reply = await update('Robert', 'mxc://example.com/r');
    expect(reply.rooms).to.equal(2);
    expect(reply.position).to.equal(house.database.write.position('events'));
    const profile = { displayname: 'Robert', avatar_url: 'mxc://example.com/r', membership: 'join' };
    expect(await memberIn(first, BOB)).to.deep.equal({ ...profile, reason: 'tea' });
    expect(await memberIn(second, BOB)).to.deep.equal(profile);
    expect(await memberIn(left, BOB)).to.deep.equal({ membership: 'leave' });
    expect(await memberIn(invited, BOB)).to.deep.equal({ membership: 'invite' });
    await update(null, null);
    expect(await memberIn(second, BOB)).to.deep.equal({ membership: 'join' });
  });

  it('does not bring back who is leaving', async () => {
    const roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
    await Promise.all([change(house, roomId, 'leave', BOB), update('Robert', null)]);
    expect(await memberIn(roomId, BOB)).to.deep.equal({ membership: 'leave' });
  });

  it('answers with the present position when there is nothing to write', async () => {
    await makeRoom(house);
    expect(await update('Robert', null)).to.deep.equal({ kind: 'updated', rooms: 0, position: 4 });
  });
});

describe('rooms.forget-room', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('forgets a room that was left, tells the caches, and remembers it after a new invite', async () => {
    const roomId = await makeRoom(house);
    const forget = () => house.rooms.ask('rooms.forget-room', { roomId, userId: BOB });
    const row = () => findLocalMembership(house.database.db, BOB, roomId);
    expect(refused(await forget())).to.equal('M_NOT_FOUND');
    sent(await change(house, roomId, 'join', BOB));
    expect(refused(await forget())).to.equal('M_UNKNOWN');
    sent(await change(house, roomId, 'leave', BOB));
    expect(await forget()).to.deep.equal({ kind: 'forgotten' });
    expect(await forget()).to.deep.equal({ kind: 'forgotten' });
    expect(await row()).to.include({ membership: 'leave', isForgotten: true });
    await house.idle();
    expect(house.told.filter(({ message }) => message === 'caches.invalidate')).to.deep.equal([
      { message: 'caches.invalidate', input: { facts: [{ fact: 'membership', roomId, userId: BOB }] } },
    ]);
    sent(await change(house, roomId, 'invite', ALICE, BOB));
    expect(await row()).to.include({ membership: 'invite', isForgotten: false });
  });
});
