import { expect } from 'chai';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const TIMELINE_OF_3 = { room: { timeline: { limit: 3 } } };

/** What a room's timeline says: the body of messages, the type of state events. */
function said(room: Answer): string[] {
  return room.timeline.events.map((event: Answer) => event.content.body ?? event.type);
}

/** The entries of a section of state, by type and key. */
function entries(section: Answer): string[] {
  return (section?.events ?? []).map((event: Answer) => `${event.type}|${event.state_key}`);
}

describe('sync', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  describe('a first sync', () => {
    it('gives joined rooms with the state before their timeline', async () => {
      const room = await alice.room({ preset: 'public_chat', name: 'Den' });
      for (const body of ['one', 'two', 'three', 'four']) await alice.say(room, body);
      const joined = (await alice.next(TIMELINE_OF_3)).rooms.join[room];
      expect(said(joined)).to.deep.equal(['two', 'three', 'four']);
      expect(joined.timeline.limited).to.equal(true);
      expect(entries(joined.state)).to.include.members([
        'm.room.create|',
        'm.room.name|',
        'm.room.member|@alice:example.org',
      ]);
      expect(joined.summary['m.joined_member_count']).to.equal(1);
    });

    it('does not repeat in the state what the timeline shows, but tells the value before it', async () => {
      const room = await alice.room({ name: 'Old' });
      await alice.put(`/rooms/${encodeURIComponent(room)}/state/m.room.name`, { name: 'New' });
      const joined = (await alice.next({ room: { timeline: { limit: 1 } } })).rooms.join[room];
      const names = joined.state.events.filter((event: Answer) => event.type === 'm.room.name');
      expect(names.map((event: Answer) => event.content.name)).to.deep.equal(['Old']);
      expect(joined.timeline.events[0].content.name).to.equal('New');
      expect(joined.timeline.events[0].unsigned.prev_content).to.deep.equal({ name: 'Old' });
    });

    it('gives push rules, and a token that then finds nothing', async () => {
      const first = await alice.next();
      expect(first.account_data.events.map((event: Answer) => event.type)).to.include('m.push_rules');
      expect(await alice.next()).to.not.have.any.keys('rooms', 'account_data', 'to_device');
    });

    it('leaves out rooms that were left, unless the filter asks for them', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await bob.act('leave', room);
      expect(await bob.sync()).to.not.have.property('rooms');
      const asked = await bob.sync({ filter: JSON.stringify({ room: { include_leave: true } }) });
      expect(said(asked.rooms.leave[room]).at(-1)).to.equal('m.room.member');
      await bob.act('forget', room);
      expect(
        await bob.sync({ filter: JSON.stringify({ room: { include_leave: true } }) }),
      ).to.not.have.property('rooms');
    });
  });

  describe('an incremental sync', () => {
    it('gives only what came after, once', async () => {
      const room = await alice.room();
      await alice.say(room, 'before');
      await alice.next();
      await alice.say(room, 'after');
      const joined = (await alice.next()).rooms.join[room];
      expect(said(joined)).to.deep.equal(['after']);
      expect(joined.timeline.limited).to.equal(false);
      expect(joined).to.not.have.property('state');
      expect(await alice.next()).to.not.have.property('rooms');
    });

    it('says limited at a gap, tells the state that changed in it, and gives a token that closes it', async () => {
      const room = await alice.room({ name: 'Old', preset: 'public_chat' });
      const path = `/rooms/${encodeURIComponent(room)}`;
      await alice.say(room, 'known');
      await alice.next();
      await alice.put(`${path}/state/m.room.name`, { name: 'New' });
      for (const body of ['1', '2', '3', '4']) await alice.say(room, body);
      const joined = (await alice.next(TIMELINE_OF_3)).rooms.join[room];
      expect(said(joined)).to.deep.equal(['2', '3', '4']);
      expect(joined.timeline.limited).to.equal(true);
      expect(entries(joined.state)).to.deep.equal(['m.room.name|']);
      expect(joined.state.events[0].content.name).to.equal('New');
      const page = await alice.get(`${path}/messages`, {
        dir: 'b',
        from: joined.timeline.prev_batch,
        limit: 3,
      });
      expect(page.chunk.map((event: Answer) => event.content.body ?? event.type)).to.deep.equal([
        '1',
        'm.room.name',
        'known',
      ]);
    });

    it('tells state that the filter keeps out of the timeline', async () => {
      const room = await alice.room({ name: 'Old' });
      await alice.next();
      await alice.put(`/rooms/${encodeURIComponent(room)}/state/m.room.name`, { name: 'New' });
      await alice.say(room, 'hello');
      const joined = (await alice.next({ room: { timeline: { types: ['m.room.message'] } } })).rooms.join[
        room
      ];
      expect(said(joined)).to.deep.equal(['hello']);
      expect(joined.state.events[0].content.name).to.equal('New');
    });

    it('gives a newly joined room whole', async () => {
      const room = await alice.room({ name: 'Den', preset: 'public_chat' });
      await alice.say(room, 'earlier');
      await bob.next();
      await bob.act('join', room);
      const joined = (await bob.next({ room: { timeline: { limit: 1 } } })).rooms.join[room];
      expect(said(joined)).to.deep.equal(['m.room.member']);
      expect(joined.timeline.limited).to.equal(true);
      expect(entries(joined.state)).to.include.members([
        'm.room.create|',
        'm.room.name|',
        'm.room.member|@alice:example.org',
      ]);
      expect(joined.summary).to.include({ 'm.joined_member_count': 2 });
    });

    it('gives a room whole again when its user left and came back', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await bob.next();
      await bob.act('leave', room);
      await alice.say(room, 'meanwhile');
      await bob.act('join', room);
      const joined = (await bob.next({ room: { timeline: { limit: 1 } } })).rooms.join[room];
      expect(joined.timeline.limited).to.equal(true);
      expect(entries(joined.state)).to.include('m.room.create|');
    });

    it('5.10 includes a leave that happened while the client was offline, and nothing after it', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await bob.next();
      await alice.say(room, 'before');
      await alice.act('kick', room, bob);
      await alice.say(room, 'secret');
      const answer = await bob.next();
      expect(said(answer.rooms.leave[room])).to.deep.equal(['before', 'm.room.member']);
      expect(answer.rooms).to.not.have.property('join');
      expect(await bob.next()).to.not.have.property('rooms');
    });

    it('ends at the leave also where everybody may read what comes after', async () => {
      const content = { history_visibility: 'world_readable' };
      const state = [{ type: 'm.room.history_visibility', state_key: '', content }];
      const room = await alice.room({ preset: 'public_chat', initial_state: state });
      await bob.act('join', room);
      await bob.next();
      await bob.act('leave', room);
      await alice.say(room, 'later');
      expect(said((await bob.next()).rooms.leave[room])).to.deep.equal(['m.room.member']);
    });

    it('says limited of a newly joined room that fits whole, unless the room is new itself', async () => {
      const room = await alice.room();
      await bob.next();
      const large = { room: { timeline: { limit: 100 } } };
      await bob.act('join', room);
      expect((await bob.next(large)).rooms.join[room].timeline.limited).to.equal(true);
      const own = await bob.room();
      expect((await bob.next(large)).rooms.join[own].timeline.limited).to.equal(false);
    });

    it('gives a join and a leave that both happened since as a left room with its state', async () => {
      const room = await alice.room({ name: 'Den', preset: 'public_chat' });
      await bob.next();
      await bob.act('join', room);
      await bob.act('leave', room);
      const left = (await bob.next({ room: { timeline: { limit: 1 } } })).rooms.leave[room];
      expect(said(left)).to.deep.equal(['m.room.member']);
      expect(entries(left.state)).to.include('m.room.name|');
    });

    it('gives invites with stripped state, and the leave when they are rejected', async () => {
      await bob.next();
      const room = await alice.room({ name: 'Den', invite: [bob.userId] });
      const invite = (await bob.next()).rooms.invite[room].invite_state;
      expect(entries(invite)).to.include.members([
        'm.room.create|',
        'm.room.name|',
        'm.room.member|@bob:example.org',
      ]);
      expect(entries(invite)).to.not.include('m.room.power_levels|');
      expect(invite.events[0]).to.have.all.keys('type', 'state_key', 'sender', 'content');
      expect(await bob.next()).to.not.have.property('rooms');
      await bob.act('leave', room);
      const left = (await bob.next()).rooms.leave[room];
      expect(left.timeline.events.map((event: Answer) => event.content.membership)).to.deep.equal(['leave']);
      expect(left).to.not.have.property('state');
    });

    it('turns an invite that was accepted into a joined room', async () => {
      await bob.next();
      const room = await alice.room({ invite: [bob.userId] });
      await bob.next();
      await bob.act('join', room);
      const answer = await bob.next();
      expect(answer.rooms.join).to.have.keys(room);
      expect(answer.rooms).to.not.have.property('invite');
    });

    it('gives a knock with its state', async () => {
      const state = [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }];
      const room = await alice.room({ preset: 'public_chat', initial_state: state });
      await bob.next();
      await bob.post(`/knock/${encodeURIComponent(room)}`, { reason: 'please' });
      const knocked = (await bob.next()).rooms.knock[room];
      expect(entries(knocked.knock_state)).to.include.members([
        'm.room.join_rules|',
        'm.room.member|@bob:example.org',
      ]);
    });

    it('gives all state with full_state, the timeline only since', async () => {
      const room = await alice.room({ name: 'Den' });
      const { next_batch: since } = await alice.next();
      await alice.say(room, 'new');
      const joined = (await alice.sync({ since, full_state: true })).rooms.join[room];
      expect(said(joined)).to.deep.equal(['new']);
      expect(entries(joined.state)).to.include.members(['m.room.create|', 'm.room.name|']);
    });

    for (const [query, key] of [
      ['use_state_after', 'state_after'],
      ['org.matrix.msc4222.use_state_after', 'org.matrix.msc4222.state_after'],
    ] as const) {
      it(`answers ${query} with ${key}: the state at the end of the timeline`, async () => {
        const room = await alice.room({ name: 'Old' });
        await alice.next();
        await alice.put(`/rooms/${encodeURIComponent(room)}/state/m.room.name`, { name: 'New' });
        const joined = (await alice.next(undefined, { [query]: true })).rooms.join[room];
        expect(joined[key].events.map((event: Answer) => event.content.name)).to.deep.equal(['New']);
        expect(joined).to.not.have.property('state');
        await alice.say(room, 'hello');
        const quiet = (await alice.next(undefined, { [query]: true })).rooms.join[room];
        expect(quiet[key]).to.deep.equal({ events: [] });
      });
    }
  });

  describe('events', () => {
    it('have their transaction id for the device that sent them only', async () => {
      const room = await alice.room();
      const phone = await world.device(alice);
      await alice.next();
      await phone.next();
      await alice.say(room, 'mine');
      const own = (await alice.next()).rooms.join[room].timeline.events[0];
      const other = (await phone.next()).rooms.join[room].timeline.events[0];
      expect(own.unsigned.transaction_id).to.equal(`${alice.deviceId}-1`);
      expect(other.unsigned).to.not.have.property('transaction_id');
      expect(other.unsigned).to.include({ membership: 'join', age: 0 });
    });

    it('are given redacted as soon as they are, also where they stood in a cache', async () => {
      const room = await alice.room();
      const eventId = await alice.say(room, 'secret');
      await alice.next();
      const path = `/rooms/${encodeURIComponent(room)}`;
      await alice.put(`${path}/redact/${encodeURIComponent(eventId)}/t1`, { reason: 'oops' });
      const event = await alice.get(`${path}/event/${encodeURIComponent(eventId)}`);
      expect(event.content).to.deep.equal({});
      expect(event.unsigned.redacted_because.content.reason).to.equal('oops');
    });

    it('of before a join stay hidden where history is for those who were there', async () => {
      const state = [
        { type: 'm.room.history_visibility', state_key: '', content: { history_visibility: 'joined' } },
      ];
      const room = await alice.room({ preset: 'public_chat', initial_state: state });
      await alice.say(room, 'secret');
      await bob.act('join', room);
      await alice.say(room, 'hello bob');
      const joined = (await bob.next()).rooms.join[room];
      expect(said(joined)).to.include('hello bob');
      expect(said(joined)).to.not.include('secret');
    });

    it('of ignored users are left out, their state is not', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await alice.put(`/user/${alice.userId}/account_data/m.ignored_user_list`, {
        ignored_users: { [bob.userId]: {} },
      });
      await alice.next();
      await bob.say(room, 'spam');
      await bob.put(`/rooms/${encodeURIComponent(room)}/state/m.room.member/${bob.userId}`, {
        membership: 'join',
        displayname: 'B',
      });
      expect(said((await alice.next()).rooms.join[room])).to.deep.equal(['m.room.member']);
    });

    it('have only the fields that the filter names', async () => {
      const room = await alice.room();
      await alice.next();
      await alice.say(room, 'hello');
      const http = alice.http;
      const { next_batch: since } = await alice.sync();
      await alice.say(room, 'again');
      const filter = JSON.stringify({ event_fields: ['content.body', 'type'] });
      const answer: Answer = (
        await http.get('/_matrix/client/v3/sync', {
          query: { since, filter },
          uncheckedBecause: 'the filter takes required fields out',
        })
      ).body;
      expect(answer.rooms.join[room].timeline.events).to.deep.equal([
        { content: { body: 'again' }, type: 'm.room.message' },
      ]);
    });
  });

  describe('lazy loading', () => {
    const LAZY = { room: { state: { lazy_load_members: true }, timeline: { limit: 1 } } };

    it('gives the members that the timeline needs, once', async () => {
      const carol = await world.person('carol');
      const room = await alice.room({ preset: 'public_chat', name: 'Den' });
      await bob.act('join', room);
      await carol.act('join', room);
      await carol.say(room, 'one');
      const first = (await alice.next(LAZY)).rooms.join[room];
      expect(entries(first.state)).to.include('m.room.member|@carol:example.org');
      expect(entries(first.state)).to.not.include('m.room.member|@bob:example.org');
      await bob.say(room, 'two');
      const second = (await alice.next(LAZY)).rooms.join[room];
      expect(entries(second.state)).to.deep.equal(['m.room.member|@bob:example.org']);
      await bob.say(room, 'three');
      expect((await alice.next(LAZY)).rooms.join[room]).to.not.have.property('state');
      await bob.say(room, 'four');
      const redundant = { room: { state: { lazy_load_members: true, include_redundant_members: true } } };
      const again = (await alice.next(redundant)).rooms.join[room];
      expect(entries(again.state)).to.deep.equal(['m.room.member|@bob:example.org']);
    });

    it('gives a member again to a client that lost the answer', async () => {
      const room = await alice.room({ preset: 'public_chat', name: 'Den' });
      await bob.act('join', room);
      await alice.say(room, 'welcome');
      const { next_batch: since } = await alice.next(LAZY);
      await bob.say(room, 'hello');
      const filter = JSON.stringify(LAZY);
      for (const attempt of ['lost', 'repeated']) {
        const joined = (await alice.sync({ since, filter })).rooms.join[room];
        expect(entries(joined.state), attempt).to.deep.equal(['m.room.member|@bob:example.org']);
      }
    });

    it('gives the members who name a room without a name', async () => {
      const room = await alice.room({ preset: 'public_chat' });
      await bob.act('join', room);
      await alice.say(room, 'hello');
      const joined = (await alice.next(LAZY)).rooms.join[room];
      expect(joined.summary['m.heroes']).to.deep.equal([bob.userId]);
      expect(entries(joined.state)).to.include('m.room.member|@bob:example.org');
    });

    it('tells with state_after of everybody whose membership the timeline shows', async () => {
      const room = await alice.room({ preset: 'public_chat', name: 'Den' });
      await bob.act('join', room);
      const query = { 'org.matrix.msc4222.use_state_after': true };
      await alice.next(LAZY, query);
      await alice.act('kick', room, bob);
      const joined = (await alice.next(LAZY, query)).rooms.join[room];
      const member = joined['org.matrix.msc4222.state_after'].events.find(
        (event: Answer) => event.state_key === bob.userId,
      );
      expect(member.content.membership).to.equal('leave');
    });
  });
});
