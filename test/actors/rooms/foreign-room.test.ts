import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import { makeForeignRoom } from '../../support/foreign-room.ts';
import { type ForeignHouse, openForeignHouse } from './foreign-house.ts';
import { ALICE, BOB, CAROL, refused, REMOTE, sendMessage, sent } from './rooms-house.ts';

describe('a room of another server that this server is in', () => {
  let house: ForeignHouse;
  beforeEach(async () => {
    house = await openForeignHouse();
  });
  afterEach(() => house.stop());
  it('takes an invite into a room that this server is in as any other event', async () => {
    const room = makeForeignRoom();
    await house.enter(room);
    const row = (userId: string) => findLocalMembership(house.database.db, userId, room.roomId);
    const toBob = room.member(BOB, 'invite', REMOTE);
    const first = sent(await house.invite(room, toBob));
    expect(await findEvent(house.database.db, toBob.eventId)).to.include({ streamOrdering: first.position });
    expect(await row(BOB)).to.include({ membership: 'invite', position: first.position });
    expect(await house.stateIds(room.roomId)).to.include(toBob.eventId);
    expect(sent(await house.invite(room, toBob))).to.deep.equal(first);
    for (const sender of ['@stranger:third.example', REMOTE]) {
      const content = { membership: 'invite' };
      const target = sender === REMOTE ? ALICE : CAROL;
      const forbidden = room.build({ sender, type: 'm.room.member', stateKey: target, content });
      expect(refused(await house.invite(room, forbidden)), sender).to.equal('M_FORBIDDEN');
    }
    const missed = room.add({ sender: REMOTE, type: 'm.room.message', content: { body: 'missed' } });
    const banned = room.build({
      sender: '@stranger:third.example',
      type: 'm.room.member',
      stateKey: CAROL,
      content: { membership: 'invite' },
    });
    expect(refused(await house.invite(room, banned))).to.equal('M_FORBIDDEN');
    const toCarol = room.member(CAROL, 'invite', REMOTE);
    expect(sent(await house.invite(room, toCarol)).eventId).to.equal(toCarol.eventId);
    expect(await row(CAROL)).to.equal(undefined);
    for (const event of [missed, toCarol])
      expect((await house.receive(room, event)).kind).to.equal('accepted');
    expect(await row(CAROL)).to.include({ membership: 'invite', eventId: toCarol.eventId });
  });

  it('takes a join into a room that this server is in as any other event', async () => {
    const room = makeForeignRoom();
    await house.enter(room);
    const first = await house.stateIds(room.roomId);
    const { eventId, position } = await house.enter(room, BOB);
    expect(await house.stateIds(room.roomId)).to.deep.equal([...first, eventId].toSorted());
    expect((await findLocalMembership(house.database.db, BOB, room.roomId))?.position).to.equal(position);
    // What came between is not known here: the state that came with it helps.
    room.add({ sender: REMOTE, type: 'm.room.message', content: { body: 'missed' } });
    const carol = await house.enter(room, CAROL);
    expect(await house.stateIds(room.roomId)).to.include(carol.eventId);
  });

  it('5.2 is left with its last local member who is banned or kicked by another server', async () => {
    for (const [membership, row] of [
      ['ban', 'ban'],
      ['leave', 'leave'],
    ] as const) {
      const room = makeForeignRoom({ version: membership === 'ban' ? '11' : '10' });
      await house.enter(room);
      await house.enter(room, BOB);
      expect((await house.receive(room, room.member(BOB, membership, REMOTE))).kind).to.equal('accepted');
      expect(await house.stateIds(room.roomId)).to.have.length(6);
      const last = room.member(ALICE, membership, REMOTE);
      expect((await house.receive(room, last)).kind).to.equal('accepted');
      expect(await house.stateIds(room.roomId)).to.deep.equal([]);
      expect(await findLocalMembership(house.database.db, ALICE, room.roomId)).to.include({
        membership: row,
        eventId: last.eventId,
        sender: REMOTE,
      });
      expect(refused(await sendMessage(house, room.roomId, ALICE, 'gone'))).to.equal('M_FORBIDDEN');
      expect((await house.receive(room, room.member('@late:third.example', 'join'))).kind).to.equal(
        'refused',
      );
    }
  });
});
