import { expect } from 'chai';
import type { WriteStep } from '../../../db/kit/write-set.ts';
import { changeCurrentState } from '../../../db/rooms/inbound-writer.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { type ForeignRoom, makeForeignRoom, received } from '../../support/foreign-room.ts';
import { readStateAtEnd } from '../../../src/sync/room-state.ts';
import { storeRemoteMember } from '../../support/stored-member.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const REMOTE = '@remote:other.example';
const INCLUDE_LEAVE = { filter: JSON.stringify({ room: { include_leave: true } }) };

const membershipsOf = (room: Answer): string[] =>
  room.timeline.events
    .filter((event: Answer) => event.type === 'm.room.member')
    .map((event: Answer) => `${event.state_key} ${event.content.membership}`);
const bodiesOf = (room: Answer): string[] =>
  room.timeline.events.flatMap((event: Answer) => event.content.body ?? []);
const placesOf = (section: Answer): string[] =>
  (section?.events ?? []).map((event: Answer) => `${event.type}|${event.state_key}`);

describe('sync of rooms that are left', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  const reached = async (position: number): Promise<void> =>
    void (await world.streams.reached('events', position));
  /** Writes as the owner of rooms, which then starts again; what it writes next tells of it. */
  const write = async (steps: readonly WriteStep[], count = 1): Promise<number> => {
    const advance = { stream: 'events', count };
    const outcome = await world.host
      .ref('committer')
      .ask('committer.write', { owner: 'rooms', advance, steps });
    if (outcome.kind !== 'committed' || outcome.position === null) throw new Error(JSON.stringify(outcome));
    await world.host.restart('rooms');
    await reached(outcome.position + count - 1);
    return outcome.position;
  };
  const addRemote = async (room: string): Promise<void> => {
    const committer = world.host.ref('committer');
    const writer = {
      write: async (set: Parameters<typeof world.database.write.write>[0]) => {
        const outcome = await committer.ask('committer.write', set);
        if (outcome.kind === 'defect') throw new Error(outcome.detail);
        return outcome;
      },
    };
    await storeRemoteMember({ db: world.database.db, write: writer }, room, REMOTE);
    await world.host.restart('rooms');
  };
  /** Current state changes at a place of a member, without an event of the timeline. */
  const changeMember = async (
    room: string,
    person: Person,
    eventId: string | null,
    membership: string | null,
  ) => {
    const record = await findRoom(world.database.db, room);
    const change = {
      type: 'm.room.member',
      stateKey: person.userId,
      eventId,
      membership,
      localMember: { userId: person.userId, sender: person.userId },
    };
    return write(changeCurrentState(record?.roomNid ?? 0, change, 0, false));
  };
  const invite = async (room: ForeignRoom, person: Person): Promise<void> => {
    const reply = await world.host.ref('rooms').ask('rooms.receive-invite', {
      roomId: room.roomId,
      roomVersion: room.version,
      event: received(room.member(person.userId, 'invite', REMOTE)),
      strippedState: room.inviteState('m.room.create', 'm.room.join_rules'),
      receivedFrom: 'other.example',
    });
    if (isRefusal(reply)) throw new Error(reply.error);
    await reached(reply.position);
  };
  const enter = async (room: ForeignRoom, person: Person): Promise<void> => {
    const { userId } = person;
    const state = room.state().map(received);
    const join = room.member(userId, 'join');
    const reply = await world.host.ref('rooms').ask('rooms.accept-join', {
      roomId: room.roomId,
      roomVersion: room.version,
      event: received(join),
      state,
      authChain: [],
      receivedFrom: 'other.example',
      partial: null,
    });
    if (isRefusal(reply)) throw new Error(reply.error);
    await reached(reply.position);
  };
  const path = (room: string, rest: string): string => `/rooms/${encodeURIComponent(room)}/${rest}`;

  for (const version of ['11', '12']) {
    it(`5.3 shows an invite from elsewhere, and the leave when it is rejected (version ${version})`, async () => {
      await alice.next();
      const room = makeForeignRoom({ version });
      await invite(room, alice);
      const { invite_state: state } = (await alice.next()).rooms.invite[room.roomId];
      expect(placesOf(state)).to.deep.equal([
        'm.room.create|',
        'm.room.join_rules|',
        `m.room.member|${alice.userId}`,
      ]);
      for (const event of state.events)
        expect(event).to.have.all.keys('type', 'state_key', 'sender', 'content');
      expect(Object.keys((await alice.sync()).rooms.invite)).to.deep.equal([room.roomId]);
      await alice.act('leave', room.roomId);
      const answer = await alice.next();
      expect(answer.rooms).to.not.have.property('invite');
      expect(membershipsOf(answer.rooms.leave[room.roomId])).to.deep.equal([`${alice.userId} leave`]);
      expect(await alice.next()).to.not.have.property('rooms');
      const first = (await alice.sync(INCLUDE_LEAVE)).rooms.leave[room.roomId];
      expect(membershipsOf(first)).to.deep.equal([`${alice.userId} leave`]);
      await alice.act('leave', room.roomId);
      await alice.act('forget', room.roomId);
      expect(await alice.sync(INCLUDE_LEAVE)).to.not.have.property('rooms');
      await invite(room, alice);
      expect(Object.keys((await alice.next()).rooms.invite)).to.deep.equal([room.roomId]);
    });
  }

  it('5.3 wakes who waits for it', async () => {
    const { next_batch: since } = await alice.sync();
    const parked = alice.sync({ since, timeout: 30_000 });
    const room = makeForeignRoom();
    await invite(room, alice);
    expect(Object.keys((await parked).rooms.invite)).to.deep.equal([room.roomId]);
  });

  it('5.1 5.10 tells of the leave with which this server left, to who was offline, and lets read what was before it', async () => {
    const room = await alice.room({ preset: 'public_chat', name: 'Den' });
    await bob.act('join', room);
    await addRemote(room);
    await alice.next();
    await bob.next();
    await alice.say(room, 'before');
    await bob.act('leave', room);
    await alice.act('leave', room);
    const ofBob = (await bob.next()).rooms.leave[room];
    expect(bodiesOf(ofBob)).to.deep.equal(['before']);
    expect(membershipsOf(ofBob)).to.deep.equal([`${bob.userId} leave`]);
    const answer = await alice.next();
    expect(answer.rooms).to.not.have.property('join');
    expect(membershipsOf(answer.rooms.leave[room])).to.deep.equal([
      `${bob.userId} leave`,
      `${alice.userId} leave`,
    ]);
    expect(answer.device_lists.left, 'who had left before, too').to.have.members([bob.userId, REMOTE]);
    expect(await alice.next()).to.not.have.property('rooms');
    for (const person of [alice, bob]) {
      const first = (await person.sync(INCLUDE_LEAVE)).rooms.leave[room];
      expect(membershipsOf(first)).to.include(`${person.userId} leave`);
      const page = await person.get(path(room, 'messages'), { dir: 'b' });
      expect(page.chunk.map((event: Answer) => event.content.body ?? event.type)).to.include('before');
      expect(page.chunk[0]).to.deep.include({ type: 'm.room.member', state_key: person.userId });
      expect(page.chunk[0].content.membership).to.equal('leave');
      const state = await person.get(path(room, 'state'));
      expect(placesOf({ events: state })).to.include.members(['m.room.name|', `m.room.member|${REMOTE}`]);
      const members = await person.get(path(room, 'members'));
      expect(members.chunk.map((event: Answer) => event.state_key)).to.include(REMOTE);
    }
    const refused = await alice.http.put(`/_matrix/client/v3${path(room, 'send/m.room.message/late')}`, {
      msgtype: 'm.text',
      body: 'late',
    });
    expect([refused.status, (refused.body as Answer).errcode]).to.deep.equal([403, 'M_FORBIDDEN']);
  });

  it('5.1 gives state_after of the leave, whoever has left with whom', async () => {
    const room = await alice.room({ preset: 'public_chat' });
    await addRemote(room);
    const form = { use_state_after: true };
    await alice.next(undefined, form);
    await alice.put(path(room, 'state/m.room.topic'), { topic: 'late' });
    await alice.act('leave', room);
    const left = (await alice.next(undefined, form)).rooms.leave[room];
    const topics = left.state_after.events.filter((event: Answer) => event.type === 'm.room.topic');
    expect(topics.map((event: Answer) => event.content.topic)).to.deep.equal(['late']);
    expect(placesOf(left.state_after)).to.include(`m.room.member|${alice.userId}`);
    const first = (await alice.sync({ ...INCLUDE_LEAVE, ...form })).rooms.leave[room];
    expect(placesOf(first.state_after)).to.include.members(['m.room.create|', `m.room.member|${REMOTE}`]);
  });

  it('5.1 shows a pending invite to a room that this server has left with the state of then', async () => {
    const room = await alice.room({ preset: 'private_chat', name: 'Den' });
    await alice.act('invite', room, bob);
    await addRemote(room);
    await alice.act('leave', room);
    const { invite_state: state } = (await bob.sync()).rooms.invite[room];
    expect(placesOf(state)).to.include.members(['m.room.create|', 'm.room.name|']);
    await bob.act('leave', room);
    const left = (await bob.sync(INCLUDE_LEAVE)).rooms.leave[room];
    expect(membershipsOf(left)).to.include(`${bob.userId} leave`);
  });
  it('5.4 gives a room that was joined elsewhere with all its state, and again after this server was away', async () => {
    const room = makeForeignRoom();
    room.member('@other:third.example', 'join');
    await alice.next();
    await enter(room, alice);
    const joined = (await alice.next()).rooms.join[room.roomId];
    expect(placesOf(joined.state)).to.have.members([
      'm.room.create|',
      'm.room.power_levels|',
      'm.room.join_rules|',
      `m.room.member|${REMOTE}`,
      'm.room.member|@other:third.example',
    ]);
    expect(membershipsOf(joined)).to.deep.equal([`${alice.userId} join`]);
    expect(joined.timeline.limited).to.equal(true);
    expect(joined.summary['m.joined_member_count']).to.equal(3);
    await alice.say(room.roomId, 'first stay');
    await alice.act('leave', room.roomId);
    await alice.next();
    room.member(alice.userId, 'leave');
    room.add({ sender: REMOTE, type: 'm.room.topic', stateKey: '', content: { topic: 'meanwhile' } });
    await enter(room, alice);
    for (const again of [
      (await alice.next()).rooms.join[room.roomId],
      (await alice.sync()).rooms.join[room.roomId],
    ]) {
      expect(bodiesOf(again)).to.deep.equal([]);
      expect(membershipsOf(again)).to.deep.equal([`${alice.userId} join`]);
      expect(again.timeline.limited).to.equal(true);
      const topics = again.state.events.filter((event: Answer) => event.type === 'm.room.topic');
      expect(topics.map((event: Answer) => event.content.topic)).to.deep.equal(['meanwhile']);
    }
    await alice.act('leave', room.roomId);
    const left = (await alice.sync(INCLUDE_LEAVE)).rooms.leave[room.roomId];
    expect(bodiesOf(left)).to.deep.equal([]);
    expect(membershipsOf(left)).to.deep.equal([`${alice.userId} join`, `${alice.userId} leave`]);
  });

  it('5.1 gives the state of a room to a view that does not know yet that this server has left it', async () => {
    const room = await alice.room({ preset: 'public_chat', name: 'Den' });
    await addRemote(room);
    await alice.say(room, 'before');
    const to = world.streams.now().positions['events']?.position ?? 0;
    await alice.act('leave', room);
    const timeline = { items: [], isLimited: false, isWhole: true, wasLookedAt: () => false };
    const window = { roomId: room, from: to - 1, to, timeline, isFull: true, isEnded: false };
    const state = await readStateAtEnd(world.services, window);
    expect(state.map(({ type, stateKey }) => `${type}|${stateKey}`)).to.include.members([
      'm.room.create|',
      'm.room.name|',
      `m.room.member|${REMOTE}`,
    ]);
  });

  it('5.5 6.4 gives who leaves the state that state resolution had made', async () => {
    const room = await alice.room({ preset: 'public_chat' });
    await bob.act('join', room);
    const setTopic = async (topic: string): Promise<string> =>
      (await alice.put(path(room, 'state/m.room.topic'), { topic })).event_id;
    const form = { use_state_after: true };
    const first = await setTopic('first');
    await bob.next(undefined, form);
    await setTopic('second');
    const record = await findRoom(world.database.db, room);
    const change = {
      type: 'm.room.topic',
      stateKey: '',
      eventId: first,
      membership: null,
      localMember: null,
    };
    await write(changeCurrentState(record?.roomNid ?? 0, change, 0, false));
    await bob.act('leave', room);
    const { state_after: state } = (await bob.next(undefined, form)).rooms.leave[room];
    const topics = state.events.filter((event: Answer) => event.type === 'm.room.topic');
    expect(topics.map((event: Answer) => event.content.topic)).to.deep.equal(['first']);
  });

  it('5.5 6.4 takes a room away from who is removed without an event: sync, history, forgetting', async () => {
    const room = await alice.room({ preset: 'public_chat' });
    await bob.act('join', room);
    await alice.say(room, 'before');
    await alice.next();
    const { next_batch: since } = await bob.next();
    const parked = bob.sync({ since, timeout: 30_000 });
    await changeMember(room, bob, null, null);
    const woken = await parked;
    expect(woken.rooms).to.not.have.property('join');
    expect(woken.rooms.leave).to.have.property(room);
    expect(membershipsOf(woken.rooms.leave[room])).to.deep.equal([]);
    const seen = (await alice.next()).rooms.join[room];
    expect(seen.summary['m.joined_member_count']).to.equal(1);
    await alice.say(room, 'after');
    const answer = await bob.next();
    expect(bodiesOf(answer.rooms.leave[room])).to.deep.equal([]);
    expect(await bob.next()).to.not.have.property('rooms');
    expect(await bob.sync()).to.not.have.property('rooms');
    const first = (await bob.sync(INCLUDE_LEAVE)).rooms.leave[room];
    expect(bodiesOf(first)).to.deep.equal(['before']);
    const page = await bob.get(path(room, 'messages'), { dir: 'b' });
    expect(page.chunk.flatMap((event: Answer) => event.content.body ?? [])).to.deep.equal(['before']);
    expect((await bob.get('/joined_rooms')).joined_rooms).to.deep.equal([]);
    await bob.act('leave', room);
    await bob.act('forget', room);
    expect(await bob.sync(INCLUDE_LEAVE)).to.not.have.property('rooms');
  });

  it('5.5 tells who stays that a member is gone without an event', async () => {
    const room = await alice.room({ preset: 'public_chat' });
    await bob.act('join', room);
    await alice.next();
    await changeMember(room, bob, null, null);
    const answer = await alice.next();
    expect(answer.rooms.join[room].summary['m.joined_member_count']).to.equal(1);
    expect(answer.device_lists.left).to.deep.equal([bob.userId]);
  });

  it('5.5 does not count a member event that lost its place again', async () => {
    const room = await alice.room({ preset: 'public_chat' });
    await bob.act('join', room);
    const joined = (await bob.get(path(room, 'members'))).chunk.find(
      (event: Answer) => event.state_key === bob.userId,
    );
    await alice.next();
    await bob.next();
    await bob.act('leave', room);
    await changeMember(room, bob, joined.event_id, 'join');
    await alice.say(room, 'still together');
    const answer = await bob.next();
    expect(answer.rooms).to.not.have.property('leave');
    expect(bodiesOf(answer.rooms.join[room])).to.include('still together');
    expect((await bob.get('/joined_rooms')).joined_rooms).to.deep.equal([room]);
    expect((await alice.next()).device_lists?.left ?? []).to.deep.equal([]);
  });

  it('5.5 gives the event of a ban that state resolution brought back', async () => {
    const room = await alice.room({ preset: 'public_chat' });
    await bob.act('join', room);
    await alice.act('ban', room, bob);
    const ban = (await alice.get(path(room, 'members'))).chunk.find(
      (event: Answer) => event.state_key === bob.userId,
    );
    await alice.act('unban', room, bob);
    await bob.act('join', room);
    await bob.next();
    await changeMember(room, bob, ban.event_id, 'ban');
    const left = (await bob.next()).rooms.leave[room];
    expect(membershipsOf(left)).to.deep.equal([`${bob.userId} ban`]);
  });
});
