import { expect } from 'chai';
import { insertAccount } from '../../../db/accounts/writer.ts';
import { step } from '../../../db/kit/write-set.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { countersignEvent, verifyEvent } from '../../../src/matrix/events/event-signatures.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { FOREIGN_KEY, type ForeignRoom, makeForeignRoom } from '../../support/foreign-room.ts';
import { ALICE, BOB, change, makeRoom, refused, REMOTE, sent } from '../rooms/rooms-house.ts';
import { DOWN, no, openRemoteWorld, OTHER, OWN_KEY, type RemoteWorld } from './remote-world.ts';

const STRANGER_KEY = makeServerKey(new Uint8Array(32).fill(5), 'theirs');

describe('invites across servers', () => {
  let world: RemoteWorld;
  beforeEach(async () => {
    world = await openRemoteWorld();
  });
  afterEach(() => world.close());

  const invite = (roomId: string, content: JsonObject = {}, target = REMOTE, sender = ALICE) =>
    world.ask('remote-rooms.invite', { roomId, sender, target, content });
  const standing = async (roomId: string, userId = REMOTE): Promise<Pdu | undefined> => {
    const event = await findCurrentStateEvent(world.house.database.db, roomId, 'm.room.member', userId);
    return event && (JSON.parse(event.pdu) as Pdu);
  };
  const signs = (roomVersion: string, key = FOREIGN_KEY): void =>
    world.on(OTHER, 'invite', ({ body }) => {
      const event = body?.['event'] as unknown as Pdu;
      return { event: countersignEvent(getRoomVersion(roomVersion), event, { serverName: OTHER, key }) };
    });

  for (const { id: version } of ROOM_VERSIONS)
    it(`an invite into a room of version ${version} is signed there, stored here, and handed on`, async () => {
      const roomId = await makeRoom(world.house, { version });
      signs(version);
      const { eventId } = sent(await invite(roomId, { reason: 'come' }));
      const pdu = await standing(roomId);
      expect(pdu?.content).to.deep.equal({ membership: 'invite', reason: 'come' });
      const { roomVersion } = (await findEvent(world.house.database.db, eventId)) ?? {};
      expect(roomVersion).to.equal(version);
      for (const [name, key] of [
        [OTHER, FOREIGN_KEY],
        ['example.com', OWN_KEY],
      ] as const)
        expect(verifyEvent(getRoomVersion(version), pdu as Pdu, name, verifyKeyOf(key)), name).to.equal(true);
      const [request] = world.requests;
      expect(request?.path).to.match(/^\/_matrix\/federation\/v2\/invite\//);
      expect(request?.body).to.include({ room_version: version });
      const told = ((request?.body?.['invite_room_state'] ?? []) as readonly JsonObject[]).map(
        ({ type }) => type,
      );
      expect(told).to.include.members(['m.room.create', 'm.room.join_rules', 'm.room.member']);
      const queued = world.house.told.filter(({ message }) => message === 'federation.queue-event');
      expect(queued.map(({ input }) => (input as { eventId: string }).eventId)).to.include(eventId);
    });

  it('is the one that was made here, whatever comes back beside the signature', async () => {
    const roomId = await makeRoom(world.house);
    world.on(OTHER, 'invite', ({ body }) => {
      const event = body?.['event'] as unknown as Pdu;
      const signed = countersignEvent(getRoomVersion('11'), event, { serverName: OTHER, key: FOREIGN_KEY });
      return { event: { ...signed, content: { membership: 'ban' }, unsigned: { fool: true } } };
    });
    sent(await invite(roomId));
    expect((await standing(roomId))?.content).to.deep.equal({ membership: 'invite' });
  });

  it('is not stored where the other server does not sign it', async () => {
    const roomId = await makeRoom(world.house);
    const answers: readonly [string, () => void, string][] = [
      ['no', () => world.on(OTHER, 'invite', () => no('M_FORBIDDEN')), 'M_FORBIDDEN'],
      ['blocked', () => world.on(OTHER, 'invite', () => no('M_INVITE_BLOCKED')), 'M_INVITE_BLOCKED'],
      ['down', () => world.on(OTHER, 'invite', () => DOWN), 'M_UNKNOWN'],
      [
        'unsigned',
        () => world.on(OTHER, 'invite', ({ body }) => ({ event: body?.['event'] ?? {} })),
        'M_UNKNOWN',
      ],
      ['forged', () => signs('11', STRANGER_KEY), 'M_UNKNOWN'],
      ['nothing', () => world.on(OTHER, 'invite', () => ({})), 'M_UNKNOWN'],
    ];
    for (const [name, script, errcode] of answers) {
      script();
      expect(refused(await invite(roomId)), name).to.equal(errcode);
      expect(await standing(roomId), name).to.equal(undefined);
    }
  });

  it('asks nobody for an invite that is not allowed', async () => {
    const roomId = await makeRoom(world.house, { powerLevels: { invite: 60 } });
    sent(await change(world.house, roomId, 'join', BOB));
    signs('11');
    expect(refused(await invite(roomId, {}, REMOTE, BOB))).to.equal('M_FORBIDDEN');
    expect(refused(await invite('!nowhere:example.com'))).to.equal('M_FORBIDDEN');
    expect(world.asked).to.deep.equal([]);
  });

  it('falls back to the older form for an older server, in the room versions that it knows', async () => {
    const older = (path: string): boolean => path.startsWith('/_matrix/federation/v1/');
    for (const version of ['1', '11']) {
      const roomId = await makeRoom(world.house, { version });
      world.on(OTHER, 'invite', ({ path, body }) => {
        if (!older(path)) return no('M_UNRECOGNIZED', 404);
        expect(body?.['unsigned']).to.have.property('invite_room_state');
        return no('M_FORBIDDEN');
      });
      expect(refused(await invite(roomId)), version).to.equal(version === '1' ? 'M_FORBIDDEN' : 'M_UNKNOWN');
    }
    expect(world.requests.filter(({ path }) => older(path))).to.have.length(1);
  });

  describe('of users of this server', () => {
    const take = (room: ForeignRoom, other: JsonObject = {}, event = room.build(inviteOf(room))) =>
      world.ask('remote-rooms.receive-invite', {
        origin: OTHER,
        roomId: room.roomId,
        eventId: event.eventId,
        roomVersion: room.version,
        event: event.pdu,
        roomState: room.inviteState('m.room.create', 'm.room.join_rules'),
        ...other,
      });
    const inviteOf = (room: ForeignRoom, target = ALICE, sender = room.creator) => ({
      sender,
      type: 'm.room.member',
      stateKey: target,
      content: { membership: 'invite' },
    });
    const membership = async ({ roomId }: ForeignRoom): Promise<string | undefined> =>
      (await findLocalMembership(world.house.database.db, ALICE, roomId))?.membership;
    beforeEach(async () => {
      const account = { userId: ALICE, passwordHash: null, isAdmin: 0, isGuest: 0, token: null, now: 1 };
      await world.house.database.write.write({ owner: 'accounts', steps: [step(insertAccount, account)] });
    });

    for (const { id: version } of ROOM_VERSIONS)
      it(`are signed and stored, in a room of version ${version}`, async () => {
        const room = makeForeignRoom({ version });
        const answer = await take(room);
        if (answer.kind !== 'signed') throw new Error(answer.error);
        const pdu = answer.event as Pdu;
        for (const [name, key] of [
          [OTHER, FOREIGN_KEY],
          ['example.com', OWN_KEY],
        ] as const)
          expect(verifyEvent(getRoomVersion(version), pdu, name, verifyKeyOf(key)), name).to.equal(true);
        expect(await membership(room)).to.equal('invite');
      });

    it('are refused and not signed where they are not what they have to be', async () => {
      const room = makeForeignRoom();
      const event = room.build(inviteOf(room));
      const pdu = event.pdu as JsonObject;
      const third = room.build(inviteOf(room, ALICE, '@other:third.example'));
      const stranger = room.build(inviteOf(room, '@nobody:example.com'));
      const elsewhere = room.build(inviteOf(room, '@else:third.example'));
      const join = room.build({ ...inviteOf(room), content: { membership: 'join' } });
      for (const [name, other, made, errcode] of [
        ['unknown version', { roomVersion: '99' }, event, 'M_INCOMPATIBLE_ROOM_VERSION'],
        ['another id', { eventId: '$another' }, event, 'M_INVALID_PARAM'],
        ['another room', { roomId: '!another:other.example' }, event, 'M_INVALID_PARAM'],
        ['another server’s user', {}, third, 'M_INVALID_PARAM'],
        ['nobody', {}, stranger, 'M_FORBIDDEN'],
        ['not ours', {}, elsewhere, 'M_INVALID_PARAM'],
        ['no invite', {}, join, 'M_INVALID_PARAM'],
        [
          'changed',
          { event: { ...pdu, content: { membership: 'invite', more: 1 } } },
          event,
          'M_INVALID_PARAM',
        ],
        ['not signed', { event: { ...pdu, signatures: {} } }, event, 'M_INVALID_PARAM'],
        ['no event', { event: { type: 'm.room.member' } }, event, 'M_BAD_JSON'],
      ] as const)
        expect(refused(await take(room, other, made)), name).to.equal(errcode);
      expect(await membership(room)).to.equal(undefined);
    });

    it('are told by whole events alone from room version 12 on, by what is right of them before', async () => {
      for (const [version, expected] of [
        ['11', 'signed'],
        ['12', 'M_INVALID_PARAM'],
      ] as const) {
        const room = makeForeignRoom({ version });
        const [create = {}, rules = {}] = room.inviteState('m.room.create', 'm.room.join_rules');
        const forged = { ...rules, content: { join_rule: 'knock' }, depth: 77 };
        const answer = await take(room, { roomState: [create, forged] });
        expect(answer.kind === 'refused' ? answer.errcode : answer.kind, version).to.equal(expected);
      }
      const old = makeForeignRoom({ version: '10', name: 'old' });
      const stripped = { type: 'm.room.name', state_key: '', sender: old.creator, content: { name: 'Old' } };
      expect((await take(old, { roomState: [stripped] })).kind).to.equal('signed');
    });
  });
});
