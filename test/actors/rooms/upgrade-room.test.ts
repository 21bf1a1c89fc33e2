import { expect } from 'chai';
import { findAlias, findRoom, readRoomAliases } from '../../../db/rooms/room-reader.ts';
import type { EventProposal } from '../../../actors/rooms/protocol.ts';
import { createEventIdOfRoom } from '../../../src/matrix/identifiers/room-id.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  firstEvents,
  makeRoom,
  openRoomsHouse,
  refused,
  REMOTE,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';
import { expectSound, stateOf, timelineOf, upgrade } from './upgrade-world.ts';

const state = (type: string, content: EventProposal['content'], stateKey = ''): EventProposal => ({
  type,
  stateKey,
  content,
});

/** Everything that goes with a room. */
const FURNITURE: readonly EventProposal[] = [
  state('m.room.server_acl', { allow: ['*'], deny: ['evil.example'] }),
  state('m.room.history_visibility', { history_visibility: 'joined' }),
  state('m.room.guest_access', { guest_access: 'forbidden' }),
  state('m.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' }),
  state('m.room.name', { name: 'Tea' }),
  state('m.room.avatar', { url: 'mxc://example.com/tea' }),
  state('m.room.topic', { topic: 'drinking it' }),
];

/** What stays behind. */
const LEFT_BEHIND: readonly EventProposal[] = [
  state('m.room.pinned_events', { pinned: ['$x'] }),
  state('m.space.parent', { via: ['example.com'] }, '!space:example.com'),
  state('org.example.widget', { url: 'https://example.com' }, 'one'),
  state('m.room.third_party_invite', { display_name: 'x', key_validity_url: 'x', public_key: 'x' }, 'token'),
];

describe('rooms.upgrade-room', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const ask = (roomId: string, sender: string, roomVersion: string) =>
    house.rooms.ask('rooms.upgrade-room', { roomId, sender, roomVersion, additionalCreators: [] });

  describe('copies the state, each event allowed', () => {
    const pairs = ROOM_VERSIONS.flatMap(({ id }) => [
      [id, '12'],
      [id, '1'],
      [id, id],
    ]);
    for (const [from = '', to = ''] of [...pairs, ['5', '6'], ['9', '10'], ['10', '9'], ['11', '10']])
      it(`${from} → ${to}`, async () => {
        const isPrivileged = to === '12';
        const old = await makeRoom(house, {
          version: from,
          events: [...FURNITURE, ...LEFT_BEHIND],
          powerLevels: { events: { 'm.room.tombstone': 100 }, invite: 10, ban: 60 },
          joinRule: { join_rule: 'invite' },
        });
        sent(await change(house, old, 'invite', ALICE, BOB));
        sent(await change(house, old, 'join', BOB));
        sent(await change(house, old, 'ban', ALICE, CAROL, { reason: 'spam' }));
        sent(await change(house, old, 'ban', ALICE, REMOTE));
        const roomId = await upgrade(house, old, to);
        await expectSound(house, roomId);
        await expectSound(house, old);
        const before = await stateOf(house, old);
        const tombstone = (await timelineOf(house, old)).find(({ type }) => type === 'm.room.tombstone');
        const predecessor = isPrivileged ? { room_id: old } : { room_id: old, event_id: tombstone?.eventId };
        expect(await stateOf(house, roomId)).to.deep.equal({
          'm.room.create': {
            room_version: to,
            predecessor,
            ...(Number(to) <= 10 && { creator: ALICE }),
          },
          [`m.room.member|${ALICE}`]: { membership: 'join', displayname: 'Creator' },
          [`m.room.member|${CAROL}`]: { membership: 'ban', reason: 'spam' },
          [`m.room.member|${REMOTE}`]: { membership: 'ban' },
          'm.room.join_rules': { join_rule: 'invite' },
          'm.room.power_levels': {
            users: isPrivileged ? {} : { [ALICE]: 100 },
            events: { 'm.room.tombstone': 100 },
            invite: 10,
            ban: 60,
          },
          ...Object.fromEntries(FURNITURE.map(({ type, content }) => [type, content])),
        });
        expect(before['m.room.tombstone']).to.deep.equal({
          body: 'This room has been replaced',
          replacement_room: roomId,
        });
        expect(before['m.room.power_levels']).to.include({ events_default: 50, invite: 50, ban: 60 });
        expect(await findRoom(house.database.db, roomId)).to.include({ roomVersion: to, creator: ALICE });
        expect(roomId.includes(':')).to.equal(!isPrivileged);
      });
  });

  it('makes everything in one write set, and tells of both rooms', async () => {
    const old = await makeRoom(house, { alias: '#tea:example.com' });
    sent(await change(house, old, 'join', BOB));
    sent(await change(house, old, 'ban', ALICE, REMOTE));
    const before = [house.transactions(), house.rows.length, house.told.length] as const;
    const reply = await ask(old, ALICE, '12');
    if (reply.kind !== 'upgraded') throw new Error(reply.error);
    const { roomId, position } = reply;
    await house.idle();
    expect(house.transactions() - before[0]).to.equal(1);
    const rows = house.rows.slice(before[1]).map(({ row, position: at }) => {
      if (row.kind !== 'event') throw new Error('not an event');
      return [at, row.roomId === old ? 'old' : row.roomId === roomId && 'new', row.type];
    });
    const first = position - 5 - 1;
    expect(rows).to.deep.equal([
      [first, 'old', 'm.room.tombstone'],
      [first + 1, 'old', 'm.room.power_levels'],
      [first + 2, 'new', 'm.room.create'],
      [first + 3, 'new', 'm.room.member'],
      [first + 4, 'new', 'm.room.join_rules'],
      [first + 5, 'new', 'm.room.member'],
      [position, 'new', 'm.room.power_levels'],
    ]);
    const told = house.told.slice(before[2]);
    const inputs = (message: string) =>
      told.filter((one) => one.message === message).map(({ input }) => input);
    expect(inputs('caches.room-changed')).to.deep.equal([
      { roomId: old, invalidations: 2, members: [] },
      { roomId, invalidations: 7, members: [ALICE, REMOTE] },
    ]);
    expect(inputs('caches.invalidate')).to.deep.equal([
      { facts: [{ fact: 'room-alias', alias: '#tea:example.com' }] },
    ]);
    // Nobody else is in the new room, and a banned user's server need not learn of it.
    expect(
      inputs('federation.queue-event').map((input) => (input as { readonly roomId: string }).roomId),
    ).to.deep.equal([old, old]);
  });

  it('goes on in the new room, from memory and from the database', async () => {
    const old = await makeRoom(house, { version: '11' });
    const roomId = await upgrade(house, old, '12');
    sent(await sendMessage(house, roomId, ALICE, 'here'));
    sent(await sendMessage(house, old, ALICE, 'and there'));
    await house.restart();
    sent(await sendMessage(house, roomId, ALICE, 'here again'));
    sent(await change(house, roomId, 'join', BOB));
    await expectSound(house, roomId);
    await expectSound(house, old);
    expect(`$${roomId.slice(1)}`).to.equal(createEventIdOfRoom(roomId));
  });

  it('copies what was staged just before, and closes the old room to what comes just after', async () => {
    const old = await makeRoom(house);
    sent(await change(house, old, 'join', BOB));
    const [, topic, ban, upgraded, late, after] = await Promise.all([
      sendMessage(house, old, BOB, 'first'),
      sendState(house, old, ALICE, { type: 'm.room.topic', content: { topic: 'new' } }),
      change(house, old, 'ban', ALICE, CAROL),
      ask(old, ALICE, '12'),
      sendMessage(house, old, BOB, 'too late'),
      sendMessage(house, old, ALICE, 'farewell'),
    ]);
    sent(topic);
    sent(ban);
    if (upgraded.kind !== 'upgraded') throw new Error(upgraded.error);
    expect(refused(late)).to.equal('M_FORBIDDEN');
    sent(after);
    const copied = await stateOf(house, upgraded.roomId);
    expect(copied['m.room.topic']).to.deep.equal({ topic: 'new' });
    expect(copied[`m.room.member|${CAROL}`]).to.deep.equal({ membership: 'ban' });
    await expectSound(house, old);
    await expectSound(house, upgraded.roomId);
  });

  it('makes strict JSON and integer levels of what an old room called so', async () => {
    const old = await makeRoom(house, {
      version: '5',
      powerLevels: { users: { [ALICE]: '100', [BOB]: 50.5 }, ban: '60', kick: 49.5, events: { x: ' 7' } },
      events: [state('m.room.name', { name: 'Tea', size: 1.5 })],
    });
    const sixth = await upgrade(house, old, '6');
    const levels = { users: { [ALICE]: 100, [BOB]: 50 }, ban: 60, kick: 49, events: { x: 7 } };
    expect((await stateOf(house, sixth))['m.room.power_levels']).to.deep.equal(levels);
    expect((await stateOf(house, sixth))['m.room.name']).to.deep.equal({ name: 'Tea', size: 1 });
    const ninth = await makeRoom(house, {
      version: '9',
      powerLevels: { users: { [ALICE]: '100' }, ban: '60' },
    });
    const tenth = await upgrade(house, ninth, '10');
    expect((await stateOf(house, tenth))['m.room.power_levels']).to.deep.equal({
      users: { [ALICE]: 100 },
      ban: 60,
    });
    for (const roomId of [sixth, tenth]) await expectSound(house, roomId);
  });

  describe('creators', () => {
    it('of version 12 are who upgrades and whom that user names', async () => {
      const users = { [ALICE]: 100, [BOB]: 100, [CAROL]: 50 };
      const old = await makeRoom(house, { version: '11', powerLevels: { users } });
      sent(await change(house, old, 'join', BOB));
      const roomId = await upgrade(house, old, '12', { sender: BOB, additionalCreators: [ALICE, BOB] });
      const { 'm.room.create': create, 'm.room.power_levels': levels } = await stateOf(house, roomId);
      expect(create).to.deep.equal({
        room_version: '12',
        predecessor: { room_id: old },
        additional_creators: [ALICE],
      });
      expect(levels).to.deep.equal({ users: { [CAROL]: 50 } });
      await expectSound(house, roomId);
      // The next one names nobody: being a creator is not inherited.
      const next = await upgrade(house, roomId, '12', { sender: BOB });
      expect((await stateOf(house, next))['m.room.create']).to.deep.equal({
        room_version: '12',
        predecessor: { room_id: roomId },
      });
      expect((await stateOf(house, next))['m.room.power_levels']).to.deep.equal({
        users: { [CAROL]: 50, [ALICE]: 100 },
      });
    });

    it('of version 12 have a level in an older one, with which they can upgrade again', async () => {
      const old = await makeRoom(house, {
        version: '12',
        powerLevels: { events: { 'm.room.tombstone': 150 } },
        creationContent: { additional_creators: [BOB] },
      });
      const eleventh = await upgrade(house, old, '11');
      expect((await stateOf(house, eleventh))['m.room.power_levels']).to.deep.equal({
        users: { [ALICE]: 150, [BOB]: 150 },
        events: { 'm.room.tombstone': 150 },
      });
      const tenth = await upgrade(house, eleventh, '10');
      for (const roomId of [old, eleventh, tenth]) await expectSound(house, roomId);
    });

    it('may have been banned before', async () => {
      const old = await makeRoom(house);
      sent(await change(house, old, 'ban', ALICE, BOB));
      const roomId = await upgrade(house, old, '12', { additionalCreators: [BOB] });
      expect(await stateOf(house, roomId)).not.to.have.property(`m.room.member|${BOB}`);
    });

    it('need no more power in the old room than its tombstone takes', async () => {
      const old = await makeRoom(house, {
        powerLevels: {
          users: { [ALICE]: 100, [BOB]: 30 },
          events: { 'm.room.tombstone': 30, 'm.room.encryption': 100, 'm.room.server_acl': 100 },
        },
        events: FURNITURE,
        alias: '#tea:example.com',
      });
      sent(await change(house, old, 'join', BOB));
      sent(await change(house, old, 'ban', ALICE, CAROL));
      const roomId = await upgrade(house, old, '11', { sender: BOB });
      await expectSound(house, roomId);
      await expectSound(house, old);
      const [before, after] = [await stateOf(house, old), await stateOf(house, roomId)];
      expect(after['m.room.power_levels']).to.deep.equal(before['m.room.power_levels']);
      expect(before['m.room.power_levels']).not.to.have.property('events_default');
      expect(after[`m.room.member|${CAROL}`]).to.deep.equal({ membership: 'ban' });
      expect(
        refused(await sendState(house, roomId, BOB, { type: 'm.room.encryption', content: {} })),
      ).to.equal('M_FORBIDDEN');
    });
  });

  it('copies the kind of a space and the children that are in it', async () => {
    const child = (content: EventProposal['content'], id: string) => state('m.space.child', content, id);
    const events = [
      child({ via: ['example.com'], suggested: true }, '!in:example.com'),
      child({}, '!out:example.com'),
    ];
    const space = await makeRoom(house, {
      creationContent: { type: 'm.space', 'm.federate': false },
      events,
    });
    const roomId = await upgrade(house, space, '12');
    const copied = await stateOf(house, roomId);
    expect(copied['m.room.create']).to.include({ type: 'm.space', 'm.federate': false });
    expect(copied['m.space.child|!in:example.com']).to.deep.equal({ via: ['example.com'], suggested: true });
    expect(copied).not.to.have.property('m.space.child|!out:example.com');
    const room = await makeRoom(house, { events });
    expect(await stateOf(house, await upgrade(house, room, '12'))).not.to.have.property(
      'm.space.child|!in:example.com',
    );
  });

  it('never opens a room', async () => {
    const allow = [{ type: 'm.room_membership', room_id: '!space:example.com' }];
    const old = await makeRoom(house, { version: '9', joinRule: { join_rule: 'restricted', allow } });
    const eighth = await upgrade(house, old, '8');
    expect((await stateOf(house, eighth))['m.room.join_rules']).to.deep.equal({
      join_rule: 'restricted',
      allow,
    });
    const seventh = await upgrade(house, eighth, '7');
    expect((await stateOf(house, seventh))['m.room.join_rules']).to.deep.equal({ join_rule: 'invite' });
    expect(refused(await change(house, seventh, 'join', BOB))).to.equal('M_FORBIDDEN');
  });

  describe('the directory', () => {
    const aliases = async (roomId: string) =>
      (await readRoomAliases(house.database.db, roomId)).map(({ alias }) => alias);
    const setAlias = (roomId: string, alias: string) =>
      house.rooms.ask('rooms.set-alias', { roomId, alias, sender: ALICE });

    it('leads to the new room', async () => {
      const canonical = {
        alias: '#tea:example.com',
        alt_aliases: ['#tea:other.example', '#chai:example.com'],
      };
      const old = await makeRoom(house, {
        alias: '#tea:example.com',
        events: [state('m.room.canonical_alias', canonical)],
      });
      await setAlias(old, '#chai:example.com');
      await setAlias(old, '#hidden:example.com');
      const other = await makeRoom(house, { alias: '#other:example.com' });
      const roomId = await upgrade(house, old, '12');
      expect(await aliases(old)).to.deep.equal([]);
      expect(await aliases(roomId)).to.deep.equal([
        '#chai:example.com',
        '#hidden:example.com',
        '#tea:example.com',
      ]);
      expect(await aliases(other)).to.deep.equal(['#other:example.com']);
      expect((await stateOf(house, roomId))['m.room.canonical_alias']).to.deep.equal({
        alias: '#tea:example.com',
        alt_aliases: ['#chai:example.com'],
      });
      expect((await stateOf(house, old))['m.room.canonical_alias']).to.deep.equal({
        alt_aliases: ['#tea:other.example'],
      });
      expect((await findAlias(house.database.db, '#tea:example.com'))?.creator).to.equal(ALICE);
      await expectSound(house, roomId);
    });

    it('lists the new room where it listed the old one', async () => {
      const publicly = async (isPublic: boolean) => {
        const input = { creator: ALICE, roomVersion: '11', creationContent: {}, alias: null, isPublic };
        const made = await house.rooms.ask('rooms.create-room', { ...input, events: firstEvents(ALICE) });
        if (made.kind !== 'created') throw new Error(made.error);
        const roomId = await upgrade(house, made.roomId, '12');
        const rooms = [
          await findRoom(house.database.db, made.roomId),
          await findRoom(house.database.db, roomId),
        ];
        return rooms.map((room) => room?.isPublic);
      };
      expect(await publicly(true)).to.deep.equal([false, true]);
      expect(await publicly(false)).to.deep.equal([false, false]);
    });
  });

  describe('is refused', () => {
    it('8.6 to versions that there are not', async () => {
      const old = await makeRoom(house);
      for (const version of ['0', '13', 'nope', '', '__proto__'])
        expect(await ask(old, ALICE, version)).to.include({
          errcode: 'M_UNSUPPORTED_ROOM_VERSION',
          status: 400,
        });
    });

    it('to who may not close the room, with nothing done', async () => {
      const old = await makeRoom(house, { alias: '#tea:example.com' });
      sent(await change(house, old, 'join', BOB));
      const before = house.database.write.position('events');
      for (const [room, sender] of [
        [old, BOB],
        [old, CAROL],
        ['!none:example.com', ALICE],
      ] as const)
        expect(await ask(room, sender, '12')).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
      expect(house.database.write.position('events')).to.equal(before);
      expect((await findAlias(house.database.db, '#tea:example.com'))?.roomId).to.equal(old);
      sent(await sendMessage(house, old, BOB, 'still here'));
      await expectSound(house, old);
    });
  });
});
