import { expect } from 'chai';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { findLocalMembership, readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { readCurrentState, readStateAt } from '../../../db/rooms/state-reader.ts';
import { readEventRows } from '../../../db/rooms/stream-reader.ts';
import { storeRemoteMember } from '../../support/stored-member.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  REMOTE,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

const roomChangesOf = defineQuery<
  { readonly roomId: string },
  { readonly position: number; readonly change: string }
>({
  name: 'test.room-changes',
  sql: 'SELECT position, change FROM room_changes WHERE room_id = :roomId ORDER BY position',
});

describe('this server leaves a room', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const addRemote = async (roomId: string, userId = REMOTE, membership = 'join'): Promise<string> => {
    await house.idle();
    const eventId = await storeRemoteMember(house.database, roomId, userId, membership);
    await house.restart();
    return eventId;
  };
  const changesOf = (roomId: string) => house.database.db.all(roomChangesOf, { roomId });
  const stateOf = async (roomId: string): Promise<number> =>
    (await readCurrentState(house.database.db, roomId)).length;
  const extremitiesOf = async (roomId: string) => {
    const room = await findRoom(house.database.db, roomId);
    return readExtremities(house.database.db, room?.roomNid ?? 0);
  };
  const memberships = async (roomId: string): Promise<Record<string, string>> => {
    const rows = await readLocalMemberships(house.database.db, roomId);
    return Object.fromEntries(rows.map(({ userId, membership }) => [userId, membership]));
  };

  it('5.1 with its last local member: the state is deleted, memberships, history and version stay, after a restart too', async () => {
    const roomId = await makeRoom(house, { version: '10' });
    sent(await change(house, roomId, 'join', BOB));
    await addRemote(roomId);
    const first = sent(await change(house, roomId, 'leave', ALICE));
    expect(await stateOf(roomId)).to.be.greaterThan(4);
    expect(await changesOf(roomId)).to.deep.equal([]);
    const last = sent(await change(house, roomId, 'leave', BOB));
    for (const life of ['first', 'second']) {
      expect(await stateOf(roomId), life).to.equal(0);
      expect(await extremitiesOf(roomId), life).to.deep.equal([]);
      expect(await memberships(roomId), life).to.deep.equal({ [ALICE]: 'leave', [BOB]: 'leave' });
      expect(await changesOf(roomId), life).to.deep.equal([{ position: last.position + 1, change: 'left' }]);
      expect((await findRoom(house.database.db, roomId))?.roomVersion, life).to.equal('10');
      const then = await readStateAt(house.database.db, roomId, last.position);
      expect(then.find(({ stateKey }) => stateKey === ALICE)?.eventId, life).to.equal(first.eventId);
      expect(then.find(({ stateKey }) => stateKey === BOB)?.eventId, life).to.equal(last.eventId);
      expect(
        then.map(({ stateKey }) => stateKey),
        life,
      ).to.include(REMOTE);
      for (const reply of [
        await sendMessage(house, roomId, BOB, 'too late'),
        await sendState(house, roomId, ALICE, { type: 'm.room.create', content: { creator: ALICE } }),
        await change(house, roomId, 'invite', ALICE, BOB),
        await change(house, roomId, 'leave', BOB),
      ])
        expect(refused(reply), life).to.equal('M_FORBIDDEN');
      expect(refused(await change(house, roomId, 'join', BOB)), life).to.equal('M_NOT_FOUND');
      await house.restart();
    }
  });

  it('5.1 announces the leave and that the room was left, in this order, now and from the database', async () => {
    const roomId = await makeRoom(house);
    await addRemote(roomId);
    await house.idle();
    house.rows.length = 0;
    const { position, eventId } = sent(await change(house, roomId, 'leave', ALICE));
    await house.idle();
    const rows = house.rows.filter((row) => row.position >= position);
    expect(rows.map((row) => row.row.kind)).to.deep.equal(['event', 'room']);
    expect(rows[1]?.row).to.deep.equal({ kind: 'room', roomId, change: 'left' });
    const stored = await readEventRows(house.database.db, position - 1, position + 1, 10);
    expect(stored.rows.map(({ row }) => row)).to.deep.equal(rows.map(({ row }) => row));
    const queued = house.told.findLast(({ message }) => message === 'federation.queue-event');
    expect(queued?.input).to.deep.include({ eventId, furtherHosts: ['other.example'] });
  });

  it('5.1 stays for another local member, and in a room that nobody else is in', async () => {
    const [alone, federated] = [await makeRoom(house), await makeRoom(house)];
    sent(await change(house, federated, 'join', BOB));
    await addRemote(federated);
    sent(await change(house, federated, 'leave', ALICE));
    sent(await change(house, federated, 'leave', BOB));
    sent(await change(house, alone, 'leave', ALICE));
    expect(await stateOf(federated)).to.equal(0);
    expect(await stateOf(alone)).to.be.greaterThan(3);
    expect(await changesOf(alone)).to.deep.equal([]);
    sent(await change(house, alone, 'join', BOB));
  });

  it('5.1 does not stay for users of other servers who have left, nor go while they are only invited', async () => {
    const [left, invited] = [await makeRoom(house), await makeRoom(house)];
    await addRemote(left);
    await addRemote(left, REMOTE, 'leave');
    sent(await change(house, invited, 'invite', ALICE, REMOTE));
    for (const roomId of [left, invited]) {
      sent(await change(house, roomId, 'leave', ALICE));
      expect(await stateOf(roomId)).to.be.greaterThan(3);
    }
  });

  it('5.1 does not stay for a pending invite, which can still be rejected', async () => {
    const roomId = await makeRoom(house);
    sent(await change(house, roomId, 'invite', ALICE, BOB));
    await addRemote(roomId);
    sent(await change(house, roomId, 'leave', ALICE));
    expect(await stateOf(roomId)).to.equal(0);
    expect(await memberships(roomId)).to.deep.equal({ [ALICE]: 'leave', [BOB]: 'invite' });
    const { eventId, position } = sent(await change(house, roomId, 'leave', BOB, BOB, { reason: 'no' }));
    expect(await findLocalMembership(house.database.db, BOB, roomId)).to.include({
      membership: 'leave',
      eventId,
      position,
      sender: BOB,
    });
    expect(await stateOf(roomId)).to.equal(0);
  });

  it('5.3 lets a knock on a room that it has left be taken back', async () => {
    const roomId = await makeRoom(house, { joinRule: { join_rule: 'knock' } });
    sent(await change(house, roomId, 'knock', BOB));
    await house.idle();
    sent(await change(house, roomId, 'invite', ALICE, REMOTE));
    await addRemote(roomId);
    sent(await change(house, roomId, 'leave', ALICE));
    expect(await memberships(roomId)).to.deep.equal({ [ALICE]: 'leave', [BOB]: 'knock' });
    const { eventId } = sent(await change(house, roomId, 'leave', BOB));
    expect(await findLocalMembership(house.database.db, BOB, roomId)).to.include({
      membership: 'leave',
      eventId,
    });
    expect(refused(await change(house, roomId, 'knock', BOB))).to.equal('M_NOT_FOUND');
  });

  it('5.6 goes where users of servers with a similar name stay, and stays for nobody of them', async () => {
    for (const userId of ['@x:badexample.com', '@x:example.com:8448', '@x:example.co']) {
      const roomId = await makeRoom(house);
      await addRemote(roomId, userId);
      sent(await change(house, roomId, 'leave', ALICE));
      expect(await stateOf(roomId), userId).to.equal(0);
      expect(await memberships(roomId), userId).to.deep.equal({ [ALICE]: 'leave' });
    }
  });

  it('5.2 keeps the rows of those who were banned or kicked before it left, each with its event', async () => {
    const users = { [ALICE]: 100, [BOB]: 50 };
    for (const [action, membership] of [
      ['ban', 'ban'],
      ['kick', 'leave'],
    ] as const) {
      const roomId = await makeRoom(house, { powerLevels: { users } });
      sent(await change(house, roomId, 'join', BOB));
      sent(await change(house, roomId, 'join', CAROL));
      await addRemote(roomId);
      sent(await change(house, roomId, 'leave', BOB));
      const removal = sent(await change(house, roomId, action, ALICE, CAROL));
      expect(await stateOf(roomId)).to.be.greaterThan(4);
      const { eventId } = sent(await change(house, roomId, 'leave', ALICE));
      expect((await findLocalMembership(house.database.db, CAROL, roomId))?.eventId).to.equal(
        removal.eventId,
      );
      expect(await memberships(roomId)).to.deep.equal({
        [ALICE]: 'leave',
        [BOB]: 'leave',
        [CAROL]: membership,
      });
      expect((await findLocalMembership(house.database.db, ALICE, roomId))?.eventId).to.equal(eventId);
      expect(await stateOf(roomId)).to.equal(0);
    }
  });

  it('5.1 counts what is staged and not yet stored: of two who leave at once the second takes the server with it', async () => {
    const roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
    await addRemote(roomId);
    const replies = await Promise.all([
      sendMessage(house, roomId, ALICE, 'bye'),
      change(house, roomId, 'leave', ALICE),
      change(house, roomId, 'join', CAROL),
      change(house, roomId, 'leave', BOB),
      change(house, roomId, 'leave', CAROL),
      sendMessage(house, roomId, CAROL, 'gone'),
    ]);
    expect(replies.map(({ kind }) => kind)).to.deep.equal([
      'sent',
      'sent',
      'sent',
      'sent',
      'sent',
      'refused',
    ]);
    expect(await changesOf(roomId)).to.have.length(1);
    expect(await stateOf(roomId)).to.equal(0);
  });

  it('5.8 leaves nothing behind when the write fails: the room goes on, and can be left again', async () => {
    const roomId = await makeRoom(house);
    await addRemote(roomId);
    house.storage.fault = 'disk-full';
    expect(refused(await change(house, roomId, 'leave', ALICE))).to.equal('M_RESOURCE_LIMIT_EXCEEDED');
    house.storage.fault = null;
    expect(await stateOf(roomId)).to.be.greaterThan(4);
    expect(await memberships(roomId)).to.deep.equal({ [ALICE]: 'join' });
    sent(await sendMessage(house, roomId, ALICE, 'still here'));
    sent(await change(house, roomId, 'leave', ALICE));
    expect(await stateOf(roomId)).to.equal(0);
  });

  it('5.9 never takes a room that is being made for one that was left', async () => {
    const making = makeRoom(house);
    const replies = await Promise.all([
      change(house, '!unknown:example.com', 'leave', ALICE),
      sendMessage(house, '!unknown:example.com', ALICE, 'nowhere'),
    ]);
    expect(replies.map(refused)).to.deep.equal(['M_FORBIDDEN', 'M_FORBIDDEN']);
    const roomId = await making;
    expect(await changesOf(roomId)).to.deep.equal([]);
    expect(await stateOf(roomId)).to.equal(4);
    expect(await extremitiesOf(roomId)).to.have.length(1);
    const invitation = makeRoom(house, {
      events: [
        { type: 'm.room.member', stateKey: BOB, content: { membership: 'invite' } },
        { type: 'm.room.member', stateKey: REMOTE, content: { membership: 'invite' } },
      ],
    });
    const other = await invitation;
    expect(await changesOf(other)).to.deep.equal([]);
    sent(await change(house, other, 'leave', BOB));
    expect(await stateOf(other)).to.equal(6);
  });
});
