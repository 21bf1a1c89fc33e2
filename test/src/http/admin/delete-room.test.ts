import { expect } from 'chai';
import { findAlias, findRoom } from '../../../../db/rooms/room-reader.ts';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { makeForeignRoom, received } from '../../../support/foreign-room.ts';
import type { Person } from '../../sync/sync-world.ts';
import { breakRoom } from './break-room.ts';
import { type AdminWorld, findRemains, openAdminWorld, readParts } from './admin-world.ts';

const path = (roomId: string): string => encodeURIComponent(roomId);

describe('the deletion of a room', () => {
  let world: AdminWorld;
  let alice: Person;
  let bob: Person;
  beforeEach(async () => {
    world = await openAdminWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  async function fullRoom(): Promise<string> {
    const roomId = await alice.room({ preset: 'public_chat', room_alias_name: 'place', topic: 'old' });
    await bob.act('join', roomId);
    const said = await bob.say(roomId, 'hello');
    const relatesTo = { rel_type: 'm.thread', event_id: said };
    const thread = { msgtype: 'm.text', body: 'hello again', 'm.relates_to': relatesTo };
    await alice.put(`/rooms/${path(roomId)}/send/m.room.message/txn-0`, thread);
    const topic = await alice.put(`/rooms/${path(roomId)}/state/m.room.topic`, { topic: 'new' });
    await alice.put(`/rooms/${path(roomId)}/redact/${path(topic.event_id)}/txn-1`, { reason: 'test' });
    await alice.post(`/rooms/${path(roomId)}/receipt/m.read/${path(said)}`);
    await alice.put(`/user/${path(alice.userId)}/rooms/${path(roomId)}/tags/u.work`, { order: 0.5 });
    await alice.put(`/user/${path(alice.userId)}/rooms/${path(roomId)}/account_data/org.example.own`, {
      a: 1,
    });
    return roomId;
  }
  /** The search index follows from behind. */
  async function indexAll(): Promise<void> {
    const position = world.streams.currentToken('events');
    expect(await world.host.ref('search').ask('search.index-now', null)).to.deep.equal({ position });
  }
  async function remove(roomId: string, body: object = {}): Promise<string> {
    const begun = await world.ask('DELETE', `/_synapse/admin/v2/rooms/${path(roomId)}`, body);
    const status = await world.settled(`/_synapse/admin/v2/rooms/delete_status/${begun.delete_id as string}`);
    expect(status.status, status.error).to.equal('complete');
    await world.host.idle();
    return begun.delete_id as string;
  }

  it('leaves nothing of it in any table, and everything of other rooms', async () => {
    const other = await alice.room();
    await alice.say(other, 'stays');
    const roomId = await fullRoom();
    const { db } = world.database;
    const parts = await readParts(db, roomId);
    await indexAll();
    const before = await findRemains(db, parts);
    expect(before).to.include.members([
      'receipts.room_nid',
      'account_data.room_id',
      'events.redacted_by',
      'event_relations.child_nid',
      'event_relations.parent_id',
      'search_entries.event_nid',
      'search_rooms.room_id',
      'search_words_docsize.id',
    ]);
    const others = await findRemains(db, await readParts(db, other));
    await remove(roomId);
    await indexAll();
    // What clients are to be told, and that it was deleted.
    expect((await findRemains(db, parts)).toSorted()).to.deep.equal([
      'ended_memberships.room_id',
      'room_changes.room_id',
    ]);
    expect(await findRemains(db, await readParts(db, other))).to.deep.equal(others);
    expect(await findAlias(db, '#place:example.org')).to.equal(undefined);
  });

  it('tells who is there at once, and who was away at the next sync, once', async () => {
    const roomId = await fullRoom();
    const device = await world.device(bob);
    await bob.next();
    await device.next();
    await alice.next();
    // Presence may end a poll before.
    const untilTold = async (): Promise<void> => {
      while ((await alice.next(undefined, { timeout: 30_000 })).rooms?.leave?.[roomId] === undefined)
        continue;
    };
    const told = untilTold();
    await remove(roomId);
    await told;
    for (const away of [bob, device]) {
      const { rooms } = await away.next();
      expect(rooms.join ?? {}).not.to.have.property(roomId);
      const [event] = rooms.leave[roomId].timeline.events;
      expect(event).to.deep.include({ type: 'm.room.member', state_key: bob.userId, sender: bob.userId });
      expect(event.content.membership).to.equal('leave');
      expect((await away.next()).rooms?.leave ?? {}).not.to.have.property(roomId);
    }
    expect((await bob.sync()).rooms ?? {}).not.to.have.property('leave');
  });

  it('tells who was banned or had left long ago, and had not heard of it', async () => {
    const roomId = await fullRoom();
    await bob.next();
    await alice.act('ban', roomId, bob);
    await remove(roomId);
    const { rooms } = await bob.next();
    expect(rooms.leave[roomId].timeline.events[0].content.membership).to.equal('ban');
  });

  it('tells who was invited or knocked', async () => {
    const roomId = await alice.room({ preset: 'private_chat' });
    await alice.act('invite', roomId, bob);
    expect((await bob.next()).rooms.invite).to.have.property(roomId);
    await remove(roomId);
    const { rooms } = await bob.next();
    expect(rooms.leave).to.have.property(roomId);
    expect((await bob.sync()).rooms?.invite ?? {}).not.to.have.property(roomId);
  });

  it('puts those out whom the room does not let go', async () => {
    const roomId = await fullRoom();
    await bob.next();
    // Nobody may do anything in a room without a state that allows it.
    const nid = (await findRoom(world.database.db, roomId))?.roomNid ?? 0;
    breakRoom(world.database.path, nid);
    await world.host.restart('rooms');
    await remove(roomId);
    const { rooms } = await bob.next();
    expect(rooms.leave[roomId].timeline.events[0].content.membership).to.equal('leave');
    expect((await bob.get('/joined_rooms')).joined_rooms).to.deep.equal([]);
  });

  it('is the end of the room for every endpoint', async () => {
    const roomId = await fullRoom();
    await remove(roomId);
    for (const what of ['messages?dir=b', 'state', 'members', 'joined_members'])
      expect(
        (await alice.http.request('GET', `/_matrix/client/v3/rooms/${path(roomId)}/${what}`)).status,
      ).to.equal(403);
    const sent = await alice.http.request(
      'PUT',
      `/_matrix/client/v3/rooms/${path(roomId)}/send/m.room.message/x`,
      {
        body: { msgtype: 'm.text', body: 'nobody' },
      },
    );
    expect(sent.status).to.equal(403);
    const joined = await alice.http.request('POST', `/_matrix/client/v3/join/${path(roomId)}`, { body: {} });
    expect(joined.status).to.be.within(400, 404);
    expect((await alice.sync()).rooms ?? {}).not.to.have.property('join');
  });

  it('keeps everybody from a blocked room, and lets them in when it is unblocked', async () => {
    const roomId = await alice.room();
    const block = `/_synapse/admin/v1/rooms/${path(roomId)}/block`;
    expect(await world.ask('GET', block)).to.deep.equal({ block: false });
    expect(await world.ask('PUT', block, { block: true })).to.deep.equal({ block: true });
    expect(await world.ask('GET', block)).to.deep.equal({ block: true, user_id: '@admin:example.org' });
    const join = () => bob.http.request('POST', `/_matrix/client/v3/join/${path(roomId)}`, { body: {} });
    const refused = await join();
    expect(refused.status).to.equal(403);
    expect((refused.body as { error: string }).error).to.equal('This room has been blocked on this server.');
    const invited = await alice.http.request('POST', `/_matrix/client/v3/rooms/${path(roomId)}/invite`, {
      body: { user_id: bob.userId },
    });
    expect(invited.status).to.equal(403);
    await alice.say(roomId, 'who is in it goes on');
    await world.ask('PUT', block, { block: false });
    expect((await join()).status).to.equal(200);
  });

  it('blocks as it deletes, also what other servers say of the room', async () => {
    const roomId = await fullRoom();
    await remove(roomId, { block: true });
    const closed = await world.host.ref('rooms').ask('rooms.make-join', {
      roomId,
      userId: '@remote:other.example',
      versions: ['11'],
    });
    expect(isRefusal(closed) && closed.errcode).to.equal('M_FORBIDDEN');
    expect(await world.ask('GET', `/_synapse/admin/v1/rooms/${path(roomId)}/block`)).to.include({
      block: true,
    });
  });

  it('goes on after a restart, from wherever it was, and its numbers are not given again', async () => {
    const roomId = await fullRoom();
    for (let count = 0; count < 30; count += 1) await alice.say(roomId, `message ${count}`);
    const { db } = world.database;
    const parts = await readParts(db, roomId);
    await bob.next();
    const begun = world.ask('DELETE', `/_synapse/admin/v2/rooms/${path(roomId)}`, {});
    while ((await findRoom(db, roomId)) !== undefined) await new Promise(setImmediate);
    await world.host.restart('rooms');
    await begun.catch(() => undefined);
    while ((await findRemains(db, parts)).length > 2) await new Promise(setImmediate);
    await world.host.idle();
    expect((await bob.next()).rooms.leave).to.have.property(roomId);
    await world.host.restart('rooms');
    const next = await alice.room();
    const { roomNid, stateGroup } = await readParts(db, next);
    expect(Math.min(...roomNid)).to.be.greaterThan(Math.max(...parts.roomNid));
    expect(Math.min(...stateGroup)).to.be.greaterThan(Math.max(...parts.stateGroup));
  });

  it('takes a room that this server was only invited to, and one that comes again later', async () => {
    const remote = '@remote:other.example';
    const room = makeForeignRoom({ creator: remote });
    const { roomId, version: roomVersion } = room;
    const rooms = world.host.ref('rooms');
    const receivedFrom = 'other.example';
    const invite = room.member(bob.userId, 'invite', remote);
    const strippedState = room.inviteState('m.room.create', 'm.room.join_rules');
    const invited = { roomId, roomVersion, event: received(invite), strippedState, receivedFrom };
    expect((await rooms.ask('rooms.receive-invite', invited)).kind).to.equal('sent');
    await world.host.idle();
    expect((await bob.next()).rooms.invite).to.have.property(roomId);
    const { db } = world.database;
    const parts = await readParts(db, roomId);
    await remove(roomId);
    expect((await bob.next()).rooms.leave).to.have.property(roomId);
    expect(await findRemains(db, parts)).to.have.members([
      'ended_memberships.room_id',
      'room_changes.room_id',
    ]);

    const state = room.state().map(received);
    const join = room.member(bob.userId, 'join');
    const joined = {
      roomId,
      roomVersion,
      event: received(join),
      state,
      authChain: state,
      receivedFrom,
      partial: null,
    };
    expect((await rooms.ask('rooms.accept-join', joined)).kind).to.equal('sent');
    await world.host.idle();
    const { rooms: again } = await bob.next();
    expect(again.join).to.have.property(roomId);
    expect(again.leave ?? {}).not.to.have.property(roomId);
    await bob.say(roomId, 'here again');
    // The other server goes on without us: it is the one that gets the leave.
    const whole = await readParts(db, roomId);
    await remove(roomId, { block: true });
    expect((await bob.next()).rooms.leave).to.have.property(roomId);
    expect(await findRemains(db, whole)).to.have.members([
      'ended_memberships.room_id',
      'room_changes.room_id',
      'blocked_rooms.room_id',
    ]);
    const blocked = await rooms.ask('rooms.receive-invite', invited);
    expect(isRefusal(blocked) && blocked.errcode).to.equal('M_FORBIDDEN');
  });

  it('gives back about what it says, and others send meanwhile', async () => {
    const [roomId, other] = [await alice.room(), await alice.room()];
    const rooms = world.host.ref('rooms');
    const send = (to: string, body: string) =>
      rooms.ask('rooms.send-event', {
        roomId: to,
        sender: alice.userId,
        event: { type: 'm.room.message', content: { msgtype: 'm.text', body } },
        transaction: null,
        originServerTs: null,
      });
    await Promise.all(
      Array.from({ length: 2_500 }, (_, index) => send(roomId, `${index} ${'x'.repeat(200)}`)),
    );
    const progress = { isOver: false };
    const deleting = rooms
      .ask('rooms.delete-room', { roomId, isBlocked: false }, { deadlineMs: 60_000 })
      .finally(() => (progress.isOver = true));
    let between = 0;
    while (!progress.isOver) {
      expect((await send(other, 'meanwhile')).kind).to.equal('sent');
      between += 1;
    }
    expect(between).to.be.greaterThan(5);
    const deleted = await deleting;
    if (isRefusal(deleted)) throw new Error(deleted.error);
    const { freedBytes, freedPages, pageBytes } = deleted;
    expect(freedBytes / (freedPages * pageBytes), `${freedBytes} of ${freedPages} pages`).to.be.within(
      0.6,
      1.4,
    );
  });

  it('says whom it has removed, and what became of it', async () => {
    const roomId = await fullRoom();
    const id = await remove(roomId);
    const { results } = await world.ask('GET', `/_synapse/admin/v2/rooms/${path(roomId)}/delete_status`);
    expect(results).to.have.lengthOf(1);
    expect(results[0]).to.deep.include({ delete_id: id, room_id: roomId, status: 'complete' });
    expect(results[0].shutdown_room.kicked_users).to.have.members([alice.userId, bob.userId]);
    const unknown = await world.admin.http.request('DELETE', `/_synapse/admin/v2/rooms/${path(roomId)}`, {
      body: {},
    });
    expect(unknown.status).to.equal(404);
  });

  it('is for administrators only', async () => {
    const roomId = await fullRoom();
    for (const [method, where] of [
      ['DELETE', `/_synapse/admin/v2/rooms/${path(roomId)}`],
      ['DELETE', `/_synapse/admin/v1/rooms/${path(roomId)}`],
      ['POST', `/_synapse/admin/v1/purge_history/${path(roomId)}`],
      ['PUT', `/_synapse/admin/v1/rooms/${path(roomId)}/block`],
    ] as const)
      expect((await bob.http.request(method, where, { body: { block: true } })).status, where).to.equal(403);
    expect(await findRoom(world.database.db, roomId)).not.to.equal(undefined);
  });

  it('moves those who were in it to a room that says why, with the aliases', async () => {
    const roomId = await fullRoom();
    const answer = await world.ask('DELETE', `/_synapse/admin/v1/rooms/${path(roomId)}`, {
      new_room_user_id: world.admin.userId,
      room_name: 'Gone',
      message: 'It had to be.',
    });
    expect(answer.kicked_users).to.have.members([alice.userId, bob.userId]);
    expect(answer.local_aliases).to.deep.equal(['#place:example.org']);
    await world.host.idle();
    const { rooms } = await bob.sync();
    const { events } = rooms.join[answer.new_room_id].timeline;
    expect(events.at(-1).content.body).to.equal('It had to be.');
    expect((await findAlias(world.database.db, '#place:example.org'))?.roomId).to.equal(answer.new_room_id);
  });

  it('only empties the room when it is not to be purged', async () => {
    const roomId = await fullRoom();
    const answer = await world.ask('DELETE', `/_synapse/admin/v1/rooms/${path(roomId)}`, { purge: false });
    expect(answer.kicked_users).to.have.members([alice.userId, bob.userId]);
    expect(await findRoom(world.database.db, roomId)).not.to.equal(undefined);
    expect((await alice.get('/joined_rooms')).joined_rooms).to.deep.equal([]);
  });
});
