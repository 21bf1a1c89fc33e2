import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readExtremities } from '../../../db/rooms/head-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { hashAndSignEvent } from '../../../src/matrix/events/event-signatures.ts';
import { edgeIds, checkPduFormat, type ProtoPdu } from '../../../src/matrix/events/pdu.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey } from '../../../src/matrix/signing.ts';
import { storeRemoteMember } from '../../support/stored-member.ts';
import {
  ALICE,
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

describe('rooms.make-join', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const ask = (roomId: string, versions: readonly string[], userId = REMOTE) =>
    house.rooms.ask('rooms.make-join', { roomId, userId, versions });
  const templateOf = async (roomId: string, version: string, userId = REMOTE): Promise<JsonObject> => {
    const reply = await ask(roomId, [version], userId);
    if (reply.kind !== 'template') throw new Error(`${reply.errcode} ${reply.error}`);
    expect(reply.roomVersion).to.equal(version);
    return reply.event;
  };

  it('8.5 gives a template that its server only has to hash and sign, in every room version', async () => {
    for (const { id } of ROOM_VERSIONS) {
      const roomId = await makeRoom(house, { version: id });
      const last = sent(await sendMessage(house, roomId, ALICE, 'newest'));
      const event = await templateOf(roomId, id);
      expect(event, id).to.deep.include({
        type: 'm.room.member',
        room_id: roomId,
        sender: REMOTE,
        state_key: REMOTE,
        content: { membership: 'join' },
      });
      expect(event, id).to.not.have.any.keys('hashes', 'signatures', 'event_id', 'unsigned');
      const proto = event as unknown as ProtoPdu;
      expect(edgeIds(proto.prev_events)).to.deep.equal([last.eventId]);
      const rules = await findCurrentStateEvent(house.database.db, roomId, 'm.room.join_rules', '');
      expect(edgeIds(proto.auth_events)).to.include(rules?.eventId);
      const version = getRoomVersion(id);
      const key = makeServerKey(new Uint8Array(32).fill(9), 'theirs');
      const named = version.eventIdFormat === 'server-chosen' ? { event_id: '$chosen:other.example' } : {};
      const signed = hashAndSignEvent(version, { ...proto, ...named }, { serverName: 'other.example', key });
      expect(checkPduFormat(version, signed), id).to.equal(null);
    }
  });

  it('8.5 takes no version for version 1, and refuses others with the version of the room', async () => {
    const [one, eleven] = [await makeRoom(house, { version: '1' }), await makeRoom(house)];
    expect((await ask(one, [])).kind).to.equal('template');
    for (const versions of [[], ['1', '10'], ['12']])
      expect(await ask(eleven, versions)).to.deep.include({
        errcode: 'M_INCOMPATIBLE_ROOM_VERSION',
        status: 400,
        extra: { room_version: '11' },
      });
    expect((await ask(eleven, ['10', '11'])).kind).to.equal('template');
  });

  it('8.5 refuses who may not join, and a room that this server is not in', async () => {
    const [closed, open] = [
      await makeRoom(house, { joinRule: { join_rule: 'invite' } }),
      await makeRoom(house),
    ];
    expect(refused(await ask(closed, ['11']))).to.equal('M_FORBIDDEN');
    sent(await change(house, closed, 'invite', ALICE, REMOTE));
    expect((await ask(closed, ['11'])).kind).to.equal('template');
    sent(await change(house, open, 'ban', ALICE, REMOTE));
    expect(refused(await ask(open, ['11']))).to.equal('M_FORBIDDEN');
    expect(refused(await ask('!nowhere:example.com', ['11']))).to.equal('M_NOT_FOUND');
  });

  it('8.5 names who lets a user into a restricted room, or says why nobody does', async () => {
    const lobby = await makeRoom(house);
    sent(await change(house, lobby, 'invite', ALICE, REMOTE));
    const restricted = (allowed: string, powerLevels: JsonObject = {}) =>
      makeRoom(house, {
        joinRule: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: allowed }] },
        powerLevels,
      });
    const stranger = await restricted(lobby);
    expect(refused(await ask(stranger, ['11']))).to.equal('M_FORBIDDEN');
    const elsewhere = await restricted('!elsewhere:other.example');
    expect(refused(await ask(elsewhere, ['11']))).to.equal('M_UNABLE_TO_AUTHORISE_JOIN');
    const open = await restricted(lobby);
    const local = await templateOf(open, '11', ALICE);
    expect(local['content']).to.deep.equal({ membership: 'join' });
    await house.idle();
    await storeRemoteMember(house.database, lobby, REMOTE);
    await house.restart();
    const joined = await templateOf(open, '11');
    expect(joined['content']).to.deep.equal({
      membership: 'join',
      join_authorised_via_users_server: ALICE,
    });
    const alices = await findCurrentStateEvent(house.database.db, open, 'm.room.member', ALICE);
    expect(joined['auth_events']).to.include(alices?.eventId);
    const powerless = await restricted(lobby, { invite: 101 });
    expect(refused(await ask(powerless, ['11']))).to.equal('M_UNABLE_TO_GRANT_JOIN');
  });

  it('names stored events only, and stores nothing', async () => {
    const roomId = await makeRoom(house);
    const isStored = async (): Promise<boolean> => {
      const reply = await ask(roomId, ['11']);
      const template = reply.kind === 'template' ? reply.event : {};
      const [last] = template['prev_events'] as readonly string[];
      return (await findEvent(house.database.db, last ?? '')) !== undefined;
    };
    const [message, ...stored] = await Promise.all([
      sendMessage(house, roomId, ALICE, 'on its way'),
      isStored(),
      isStored(),
    ]);
    expect(stored).to.deep.equal([true, true]);
    const room = await findRoom(house.database.db, roomId);
    const extremities = await readExtremities(house.database.db, room?.roomNid ?? 0);
    expect(extremities.map(({ eventId }) => eventId)).to.deep.equal([sent(message).eventId]);
    house.storage.fault = 'disk-full';
    const [lost, later] = await Promise.all([
      sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: 'lost' } }),
      ask(roomId, ['11']),
    ]);
    house.storage.fault = null;
    expect(lost.kind).to.equal('refused');
    const second = later.kind === 'template' ? later.event : {};
    expect(second['prev_events']).to.deep.equal([sent(message).eventId]);
  });
});
