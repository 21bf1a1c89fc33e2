import { expect } from 'chai';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const at = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`;
const SYNC = '/_matrix/client/v3/sync';

function contents(section: Answer, type: string): Answer[] {
  return (section?.events ?? [])
    .filter((event: Answer) => event.type === type)
    .map((event: Answer) => event.content);
}

describe('sync: fields and filters', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let people = 0;

  before(async () => {
    world = await openSyncWorld();
  });
  after(() => world.stop());
  beforeEach(async () => {
    people += 1;
    alice = await world.person(`alice${people}`);
    bob = await world.person(`bob${people}`);
  });

  async function roomOfBoth(body = {}): Promise<string> {
    const room = await alice.room({ preset: 'public_chat', ...body });
    await bob.act('join', room);
    return room;
  }

  it('gives events as servers pass them on, where the filter asks for the federation format', async () => {
    const room = await alice.room();
    const filter = { event_format: 'federation', room: { timeline: { limit: 2 } } };
    const secret = await alice.say(room, 'secret');
    await alice.put(`${at(room)}/redact/${encodeURIComponent(secret)}/r1`, {});
    const joined = (await alice.next(filter)).rooms.join[room];
    const [redacted, redaction] = joined.timeline.events;
    expect(redaction).to.include({ event_id: redaction.event_id, room_id: room, type: 'm.room.redaction' });
    for (const event of [redacted, redaction, ...joined.state.events])
      expect(event).to.include.keys(
        'hashes',
        'signatures',
        'auth_events',
        'prev_events',
        'depth',
        'unsigned',
      );
    expect(redacted.content).to.deep.equal({});
    expect(redacted.unsigned.redacted_because.event_id).to.equal(redaction.event_id);
    expect(redaction.unsigned.transaction_id).to.equal('r1');
  });

  it('gives no events with limit 0, and all state', async () => {
    const room = await alice.room({ name: 'Den' });
    const joined = (await alice.next({ room: { timeline: { limit: 0 } } })).rooms.join[room];
    expect(joined.timeline).to.include({ limited: true }).and.deep.include({ events: [] });
    expect(contents(joined.state, 'm.room.name')).to.deep.equal([{ name: 'Den' }]);
    const page = await alice.get(`${at(room)}/messages`, {
      dir: 'b',
      from: joined.timeline.prev_batch,
      limit: 1,
    });
    expect(page.chunk).to.have.length(1);
  });

  it('keeps the timelines of rooms empty that the filter keeps out of timelines, and tells their state', async () => {
    const room = await alice.room({ name: 'Old' });
    const filter = { room: { timeline: { not_rooms: [room] } } };
    expect((await alice.next(filter)).rooms.join[room].timeline).to.deep.include({
      events: [],
      limited: false,
    });
    await alice.say(room, 'hello');
    await alice.put(`${at(room)}/state/m.room.name`, { name: 'New' });
    const joined = (await alice.next(filter)).rooms.join[room];
    expect(joined.timeline).to.deep.include({ events: [], limited: false });
    expect(contents(joined.state, 'm.room.name')).to.deep.equal([{ name: 'New' }]);
  });

  it('says with each event, state too, which membership its reader had', async () => {
    const room = await alice.room({ preset: 'public_chat', name: 'Den' });
    await bob.next();
    await bob.act('join', room);
    await alice.put(`${at(room)}/state/m.room.name`, { name: 'New' });
    await alice.say(room, 'hello');
    const joined = (await bob.next({ room: { timeline: { limit: 1 } } })).rooms.join[room];
    const membershipAt = (type: string, key: string): string =>
      joined.state.events.find((event: Answer) => event.type === type && event.state_key === key).unsigned
        .membership;
    expect(membershipAt('m.room.create', '')).to.equal('leave');
    expect(membershipAt('m.room.member', bob.userId)).to.equal('join');
    expect(membershipAt('m.room.name', '')).to.equal('join');
    expect(joined.timeline.events[0].unsigned.membership).to.equal('join');
  });

  it('tells who joins a room of the account data that they had for it before, and of who types there', async () => {
    const room = await alice.room();
    await bob.put(`/user/${bob.userId}/rooms/${room}/account_data/m.tag`, { tags: { 'm.favourite': {} } });
    await alice.put(`${at(room)}/typing/${alice.userId}`, { typing: true, timeout: 30_000 });
    await bob.next();
    await bob.act('join', room);
    const joined = (await bob.next()).rooms.join[room];
    expect(contents(joined.account_data, 'm.tag')).to.deep.equal([{ tags: { 'm.favourite': {} } }]);
    expect(contents(joined.ephemeral, 'm.typing')).to.deep.equal([{ user_ids: [alice.userId] }]);
  });

  it('names the heroes of a room that loses its name', async () => {
    const room = await roomOfBoth({ name: 'Den' });
    expect((await alice.next()).rooms.join[room].summary).to.not.have.property('m.heroes');
    await alice.put(`${at(room)}/state/m.room.name`, { name: '' });
    const { summary } = (await alice.next()).rooms.join[room];
    expect(summary).to.deep.equal({
      'm.heroes': [bob.userId],
      'm.joined_member_count': 2,
      'm.invited_member_count': 0,
    });
    await bob.act('leave', room);
    const alone = (await alice.next()).rooms.join[room].summary;
    expect(alone).to.deep.include({ 'm.heroes': [bob.userId], 'm.joined_member_count': 1 });
  });

  it('tells the counts after what was read elsewhere, also where the filter keeps receipts out', async () => {
    const room = await roomOfBoth();
    const event = await alice.say(room, 'hello');
    const filter = { room: { ephemeral: { not_types: ['m.receipt'] } } };
    expect((await bob.next(filter)).rooms.join[room].unread_notifications.notification_count).to.equal(1);
    await bob.post(`${at(room)}/receipt/m.read.private/${encodeURIComponent(event)}`);
    const joined = (await bob.next(filter)).rooms.join[room];
    expect(joined.unread_notifications.notification_count).to.equal(0);
    expect(joined).to.not.have.property('ephemeral');
    expect(await bob.next(filter)).to.not.have.property('rooms');
  });

  it('tells whose devices to follow whatever rooms the filter leaves out', async () => {
    const room = await alice.room();
    const filter = { room: { rooms: [] } };
    await alice.next(filter);
    await bob.act('join', room);
    expect((await alice.next(filter)).device_lists.changed).to.include(bob.userId);
    await bob.act('leave', room);
    expect((await alice.next(filter)).device_lists.left).to.deep.equal([bob.userId]);
    await bob.act('join', room);
    await alice.next(filter);
    await alice.act('leave', room);
    const answer = await alice.next(filter);
    expect(answer.device_lists.left).to.deep.equal([bob.userId]);
    expect(answer).to.not.have.property('rooms');
  });

  it('counts one-time keys also where there are none, and names the unused fallback keys', async () => {
    const answer = await alice.next();
    expect(answer.device_one_time_keys_count).to.deep.equal({ signed_curve25519: 0 });
    expect(answer.device_unused_fallback_key_types).to.deep.equal([]);
    expect(await alice.next()).to.deep.include({ device_one_time_keys_count: { signed_curve25519: 0 } });
  });

  it('tells a lazily loading client of those in a gap whom it knows by another name', async () => {
    const room = await roomOfBoth({ name: 'Den' });
    const lazy = { room: { state: { lazy_load_members: true }, timeline: { limit: 2 } } };
    await bob.say(room, 'hello');
    await alice.next(lazy);
    await bob.put(`${at(room)}/state/m.room.member/${bob.userId}`, {
      membership: 'join',
      displayname: 'Robert',
    });
    for (const body of ['1', '2', '3']) await alice.say(room, body);
    const joined = (await alice.next(lazy)).rooms.join[room];
    const names = contents(joined.state, 'm.room.member').map(({ displayname }) => displayname);
    expect(names).to.include('Robert');
  });

  it('tells of kicks, bans and what follows them, once', async () => {
    const room = await roomOfBoth();
    await bob.next();
    const last = async (query = {}): Promise<Answer> =>
      (await bob.next(undefined, query)).rooms?.leave?.[room];
    const shown = (left: Answer): string[] =>
      contents(left.timeline, 'm.room.member').map((one) => one.membership);
    await alice.act('kick', room, bob);
    expect(shown(await last())).to.deep.equal(['leave']);
    await alice.act('ban', room, bob);
    expect(shown(await last())).to.deep.equal(['ban']);
    expect(await last()).to.equal(undefined);
    const include = JSON.stringify({ room: { include_leave: true } });
    expect((await bob.sync({ filter: include })).rooms.leave).to.have.keys(room);
    expect(await bob.sync()).to.not.have.property('rooms');
    await alice.act('unban', room, bob);
    expect(shown(await last())).to.deep.equal(['leave']);
    await bob.act('join', room);
    const back = (await bob.next()).rooms.join[room];
    expect(
      contents(back.state, 'm.room.create').concat(contents(back.timeline, 'm.room.create')),
    ).to.have.length(1);
  });

  it('gives redacted events with what redacted them', async () => {
    const room = await alice.room();
    const event = await alice.say(room, 'secret');
    await alice.put(`${at(room)}/redact/${encodeURIComponent(event)}/r2`, { reason: 'oops' });
    const { events } = (await alice.next()).rooms.join[room].timeline;
    const redacted = events.find((one: Answer) => one.event_id === event);
    expect(redacted.content).to.deep.equal({});
    expect(redacted.unsigned.redacted_because).to.deep.include({ event_id: events.at(-1).event_id });
  });

  it('gives only what passes every part of a filter', async () => {
    const room = await roomOfBoth();
    await alice.next();
    const send = (person: Person, type: string, txn: string, content: object): Promise<Answer> =>
      person.put(`${at(room)}/send/${type}/${txn}`, content);
    await send(alice, 'm.room.message', '1', {
      msgtype: 'm.image',
      body: 'mine',
      url: 'mxc://example.org/x',
    });
    await send(bob, 'm.room.message', '2', { msgtype: 'm.image', body: 'his', url: 'mxc://example.org/y' });
    await send(bob, 'm.room.message', '3', { msgtype: 'm.text', body: 'plain' });
    await send(bob, 'org.example.thing', '4', { url: 'mxc://example.org/z' });
    const { next_batch: since } = await alice.sync();
    const bodies = async (timeline: object): Promise<string[]> => {
      const filter = JSON.stringify({ room: { timeline: { limit: 20, ...timeline } } });
      const { events } = (await alice.sync({ filter })).rooms.join[room].timeline;
      return events
        .filter((one: Answer) => one.state_key === undefined)
        .map((one: Answer) => one.content.body ?? '*');
    };
    expect(await bodies({ contains_url: true, types: ['m.room.*'] })).to.deep.equal(['mine', 'his']);
    expect(await bodies({ contains_url: false })).to.deep.equal(['plain']);
    expect(await bodies({ senders: [bob.userId], not_types: ['m.*'] })).to.deep.equal(['*']);
    expect(await bodies({ not_senders: [bob.userId] })).to.deep.equal(['mine']);
    expect(await bodies({ senders: [bob.userId], not_senders: [bob.userId] })).to.deep.equal([]);
    expect(await alice.sync({ since })).to.not.have.property('rooms');
  });

  it('refuses filters and tokens that are none', async () => {
    const garbage = [
      { since: 'garbage' },
      { since: 's72595_4483_1934' },
      { since: 't1-2_3' },
      { filter: '{' },
      { filter: '{"room":5}' },
      { filter: '{"room":{"timeline":{"limit":-1}}}' },
      { filter: '12345' },
      { filter: 'name' },
      { timeout: -1 },
      { full_state: 'perhaps' },
    ];
    for (const query of garbage) {
      const answer = await alice.http.get(SYNC, { query });
      expect(answer.status, JSON.stringify(query)).to.equal(400);
    }
  });

  it('takes a filter of its own user by id, and no other', async () => {
    const room = await alice.room();
    await alice.say(room, 'hello');
    const { filter_id: filter } = await alice.post(`/user/${alice.userId}/filter`, {
      room: { timeline: { types: ['m.room.create'] } },
    });
    const { events } = (await alice.sync({ filter })).rooms.join[room].timeline;
    expect(events.map((one: Answer) => one.type)).to.deep.equal(['m.room.create']);
    expect((await bob.http.get(SYNC, { query: { filter } })).status).to.equal(400);
  });

  it('answers a device alike that asks twice at the same time', async () => {
    const room = await roomOfBoth();
    const { next_batch: since } = await alice.sync();
    await bob.say(room, 'hello');
    const both = await Promise.all([alice.sync({ since }), alice.sync({ since })]);
    for (const answer of both)
      expect(contents(answer.rooms.join[room].timeline, 'm.room.message')).to.have.length(1);
    expect(both[0].next_batch).to.equal(both[1].next_batch);
  });

  it('tells presence as the syncing device states it, to those whose filter lets it through', async () => {
    await roomOfBoth();
    await alice.next(undefined, { set_presence: 'offline' });
    await bob.sync({ set_presence: 'unavailable' });
    await world.host.idle();
    const seen = await alice.next(undefined, { set_presence: 'offline' });
    const ofBob = seen.presence.events.find((one: Answer) => one.sender === bob.userId);
    expect(ofBob.content.presence).to.equal('unavailable');
    expect(seen.presence.events.map((one: Answer) => one.sender)).to.not.include(alice.userId);
    await bob.sync({ set_presence: 'online' });
    await world.host.idle();
    const filtered = await alice.next(
      { presence: { not_senders: [bob.userId] } },
      { set_presence: 'offline' },
    );
    expect(filtered).to.not.have.property('presence');
  });
});
