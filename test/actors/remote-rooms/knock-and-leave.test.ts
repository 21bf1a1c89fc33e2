import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import { ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { type ForeignRoom, makeForeignRoom, received } from '../../support/foreign-room.ts';
import { ALICE, refused, sent } from '../rooms/rooms-house.ts';
import { DOWN, no, openRemoteWorld, OTHER, type RemoteWorld } from './remote-world.ts';

describe('knocks on, and leaves of, rooms elsewhere', () => {
  let world: RemoteWorld;
  beforeEach(async () => {
    world = await openRemoteWorld();
  });
  afterEach(() => world.close());

  const membership = async ({ roomId }: ForeignRoom): Promise<string | undefined> =>
    (await findLocalMembership(world.house.database.db, ALICE, roomId))?.membership;
  const leave = ({ roomId }: ForeignRoom) =>
    world.ask('remote-rooms.leave', { roomId, userId: ALICE, content: { reason: 'no, thank you' } });
  const knock = ({ roomId }: ForeignRoom) =>
    world.ask('remote-rooms.knock', {
      roomId,
      userId: ALICE,
      via: [OTHER],
      content: { reason: 'let me in' },
    });
  const invite = async (room: ForeignRoom): Promise<void> => {
    const { roomId, version: roomVersion } = room;
    const event = received(room.member(ALICE, 'invite', room.creator));
    const strippedState = room.inviteState('m.room.create');
    const message = { roomId, roomVersion, event, strippedState, receivedFrom: OTHER };
    sent(await world.house.rooms.ask('rooms.receive-invite', message));
  };
  /** The end of an invite or a knock that another server sends. */
  const end = (room: ForeignRoom, event: ReturnType<ForeignRoom['member']>) =>
    world.house.rooms.ask('rooms.receive-event', {
      roomId: room.roomId,
      event: received(event),
      receivedFrom: OTHER,
      stateBefore: null,
      isFinal: false,
    });

  for (const { id: version } of ROOM_VERSIONS.filter((one) => one.knock))
    it(`a knock on a room of version ${version} is remembered, with what the room is`, async () => {
      const room = makeForeignRoom({ version, joinRule: 'knock' });
      world.hosts(OTHER, room);
      const { eventId } = sent(await knock(room));
      expect(await membership(room)).to.equal('knock');
      const { content, unsigned } = JSON.parse(
        (await findEvent(world.house.database.db, eventId))?.pdu ?? '',
      ) as Pdu;
      expect(content).to.deep.equal({ membership: 'knock', reason: 'let me in' });
      const told = unsigned?.['knock_room_state'] as readonly JsonObject[];
      expect(told.map(({ type }) => type)).to.have.members(['m.room.create', 'm.room.join_rules']);
      sent(await leave(room));
      expect(await membership(room)).to.equal('leave');
    });

  it('what a room is said to be is left out where it is forged', async () => {
    const room = makeForeignRoom({ version: '10', joinRule: 'knock' });
    world.hosts(OTHER, room);
    const [create] = room.inviteState('m.room.create');
    const forged = {
      ...room.inviteState('m.room.join_rules')[0],
      content: { join_rule: 'public' },
      depth: 99,
    };
    world.on(OTHER, 'send_knock', () => ({ knock_room_state: [create ?? {}, forged] }));
    const { eventId } = sent(await knock(room));
    const { unsigned } = JSON.parse((await findEvent(world.house.database.db, eventId))?.pdu ?? '') as Pdu;
    expect(
      ((unsigned?.['knock_room_state'] ?? []) as readonly JsonObject[]).map(({ type }) => type),
    ).to.deep.equal(['m.room.create']);
  });

  it('a knock is refused with what the server says', async () => {
    const room = makeForeignRoom({ joinRule: 'knock' });
    world.hosts(OTHER, room);
    world.on(OTHER, 'send_knock', () => no('M_FORBIDDEN'));
    expect(refused(await knock(room))).to.equal('M_FORBIDDEN');
    expect(await membership(room)).to.equal(undefined);
  });

  it('an invite is rejected through the server that it came from', async () => {
    const room = makeForeignRoom();
    world.hosts(OTHER, room);
    await invite(room);
    const { eventId } = sent(await leave(room));
    expect(world.asked).to.deep.equal([`${OTHER} make_leave`, `${OTHER} send_leave`]);
    const [, send] = world.requests;
    expect(send?.path.endsWith(encodeURIComponent(eventId))).to.equal(true);
    expect(send?.body?.['content']).to.deep.equal({ membership: 'leave', reason: 'no, thank you' });
    expect(await membership(room)).to.equal('leave');
    expect(refused(await leave(room))).to.equal('M_FORBIDDEN');
  });

  it('an invite is rejected alone while nobody can be asked, and when the room says no', async () => {
    for (const [name, answer] of [
      ['down', DOWN],
      ['no', no('M_FORBIDDEN')],
    ] as const) {
      const room = makeForeignRoom({ name });
      world.on(OTHER, 'make_leave', () => answer);
      await invite(room);
      sent(await leave(room));
      expect(await membership(room), name).to.equal('leave');
    }
  });

  it('an invite that is taken back ends, and so does a knock that is turned down; nothing else ends them', async () => {
    const room = makeForeignRoom();
    await invite(room);
    const other = room.member('@else:other.example', 'join');
    expect(refused(await end(room, other))).to.equal('M_NOT_FOUND');
    // It names another member event than the invite among its auth events: its sender knows nothing of that.
    const stranger = makeForeignRoom();
    expect(refused(await end(room, stranger.member(ALICE, 'leave', stranger.creator)))).to.equal(
      'M_NOT_FOUND',
    );
    expect(await membership(room)).to.equal('invite');
    const kick = room.member(ALICE, 'leave', room.creator);
    expect(await end(room, kick)).to.include({ kind: 'accepted', eventId: kick.eventId });
    expect(await membership(room)).to.equal('leave');
    expect(refused(await end(room, kick))).to.equal('M_NOT_FOUND');
    const gate = makeForeignRoom({ name: 'gate', joinRule: 'knock' });
    world.hosts(OTHER, gate);
    world.on(OTHER, 'send_knock', ({ body }) => {
      const { pdu } = gate.build({ sender: ALICE, type: 'm.room.member', stateKey: ALICE, content: {} });
      expect(pdu.type).to.equal(body?.['type']);
      return { knock_room_state: gate.inviteState('m.room.create') };
    });
    const { eventId } = sent(await knock(gate));
    const ban = gate.build({
      sender: gate.creator,
      type: 'm.room.member',
      stateKey: ALICE,
      content: { membership: 'ban' },
    });
    const named = { ...ban.pdu, auth_events: [...ban.pdu.auth_events, eventId] } as Pdu;
    const event = { ...ban, json: JSON.stringify(named) };
    expect(await end(gate, event)).to.include({ kind: 'accepted' });
    expect(await membership(gate)).to.equal('ban');
  });
});
