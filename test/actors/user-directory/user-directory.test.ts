import { expect } from 'chai';
import { openWriteConnection } from '../../../db/kit/sqlite.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { pathOf } from '../../support/http-client.ts';
import { openStoredRoom } from '../../support/stored-room.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../src/sync/sync-world.ts';

/** Resolves when the directory holds all that has happened. */
async function settled(world: SyncWorld): Promise<void> {
  for (;;) {
    const state = await world.host.ref('user-directory').ask('user-directory.read-state', null);
    if (!state.isBusy && state.eventsUpTo >= world.streams.currentToken('events')) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** The id of the event that holds a room's join rules. */
function joinRulesOf(world: SyncWorld, roomId: string): string {
  const file = openWriteConnection(world.database.path);
  const sql = `SELECT e.event_id FROM events e JOIN rooms r ON r.room_nid = e.room_nid
                WHERE r.room_id = ? AND json_extract(e.pdu, '$.type') = 'm.room.join_rules'`;
  const eventId = file.prepare(sql).pluck().get([roomId]) as string;
  file.close();
  return eventId;
}

const PRIVATE = { preset: 'private_chat' };

describe('the user directory', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let carol: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    [alice, bob, carol] = [
      await world.person('alice'),
      await world.person('bob'),
      await world.person('carol'),
    ];
  });
  afterEach(() => world.stop());

  async function find(person: Person, term: string, more: JsonObject = {}): Promise<string[]> {
    await settled(world);
    const answer = await person.post('/user_directory/search', { search_term: term, ...more });
    return answer.results.map((user: { readonly user_id: string }) => user.user_id);
  }
  const rename = (person: Person, displayname: string): Promise<unknown> =>
    person.put(pathOf`/profile/${person.userId}/displayname`, { displayname });

  it('finds who is in an open room, and nobody else', async () => {
    expect(await find(alice, 'bob')).to.deep.equal([]);
    const roomId = await bob.room();
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
    expect(await find(bob, 'alice')).to.deep.equal([]);
    await bob.act('leave', roomId);
    expect(await find(alice, 'bob')).to.deep.equal([]);
  });

  it('finds who shares a room, as long as that lasts', async () => {
    const roomId = await alice.room(PRIVATE);
    await alice.act('invite', roomId, bob);
    expect(await find(alice, 'bob')).to.deep.equal([]);
    await bob.act('join', roomId);
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
    expect(await find(bob, 'ALICE')).to.deep.equal([alice.userId]);
    // Sharing a room with oneself does not count.
    expect(await find(alice, 'alice')).to.deep.equal([]);
    expect(await find(carol, 'bob')).to.deep.equal([]);
    await bob.act('leave', roomId);
    expect(await find(alice, 'bob')).to.deep.equal([]);
  });

  it('follows rooms that open and close', async () => {
    const roomId = await bob.room(PRIVATE);
    const set = (type: string, content: JsonObject): Promise<unknown> =>
      bob.put(pathOf`/rooms/${roomId}/state/${type}`, content);
    expect(await find(alice, 'bob')).to.deep.equal([]);
    await set('m.room.join_rules', { join_rule: 'public' });
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
    await set('m.room.join_rules', { join_rule: 'invite' });
    expect(await find(alice, 'bob')).to.deep.equal([]);
    await set('m.room.history_visibility', { history_visibility: 'world_readable' });
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
  });

  it('finds by the words of names and ids, whatever their case and accents', async () => {
    await bob.room();
    await rename(bob, 'Zoë van der Straße');
    for (const term of ['zoe', 'ZOË', 'van zo', 'strasse', '@bob:example.org', 'bob:exa', 'example'])
      expect(await find(alice, term), term).to.deep.equal([bob.userId]);
    for (const term of ['oe', 'zoe bobby', 'zz', '', '  ', '!'])
      expect(await find(alice, term), term).to.deep.equal([]);
    await rename(bob, 'Robert');
    expect(await find(alice, 'zoe')).to.deep.equal([]);
    await settled(world);
    const answer = await alice.post('/user_directory/search', { search_term: 'rob' });
    expect(answer).to.deep.equal({
      results: [{ user_id: bob.userId, display_name: 'Robert' }],
      limited: false,
    });
  });

  it('shows users by their profile, not by what a room calls them', async () => {
    const roomId = await bob.room();
    await bob.put(pathOf`/rooms/${roomId}/state/m.room.member/${bob.userId}`, {
      membership: 'join',
      displayname: 'Nickname',
    });
    expect(await find(alice, 'nickname')).to.deep.equal([]);
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
  });

  it('puts the best first, and says when there are more', async () => {
    const roomId = await alice.room();
    const people = await Promise.all(['robin', 'rob', 'robert'].map((name) => world.person(name)));
    for (const person of people) await person.act('join', roomId);
    expect(await find(alice, 'rob')).to.deep.equal(
      ['rob', 'robert', 'robin'].map((name) => `@${name}:example.org`),
    );
    await settled(world);
    const limited = await alice.post('/user_directory/search', { search_term: 'rob', limit: 2 });
    expect(limited.results).to.have.length(2);
    expect(limited.limited).to.equal(true);
  });

  it('hides who is gone', async () => {
    await bob.room();
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
    const gone = await world.host
      .ref('accounts')
      .ask('accounts.deactivate', { userId: bob.userId, erase: false });
    expect(gone.kind).to.equal('changed');
    expect(await find(alice, 'bob')).to.deep.equal([]);
  });

  it('goes on where it was, and is built anew when it is not there', async () => {
    const roomId = await bob.room();
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
    for (let life = 0; life < 2; life += 1) {
      await world.host.restart('user-directory');
      expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
    }
    await carol.act('join', roomId);
    expect(await find(alice, 'carol')).to.deep.equal([carol.userId]);
    const file = openWriteConnection(world.database.path);
    file.exec('DELETE FROM directory_progress; DELETE FROM directory_places; DELETE FROM directory_users');
    file.close();
    await world.host.restart('user-directory');
    expect(await find(alice, 'carol')).to.deep.equal([carol.userId]);
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
  });

  it('goes on with what happened while it was away', async () => {
    await bob.room();
    await settled(world);
    const file = openWriteConnection(world.database.path);
    file.exec('UPDATE directory_progress SET events_up_to = 0; DELETE FROM directory_places');
    file.close();
    await world.host.restart('user-directory');
    expect(await find(alice, 'bob')).to.deep.equal([bob.userId]);
  });

  it('puts in members of other servers by their member events, some at a time', async () => {
    const roomId = await bob.room();
    await settled(world);
    const room = openStoredRoom(world.database.path, roomId, bob.userId);
    const first = world.streams.currentToken('events') + 1_000;
    const members = Array.from({ length: 450 }, (_, index) => `@far${index}:other.example`);
    for (const [index, userId] of members.entries())
      room.addEvent({
        eventId: `$far${index}`,
        type: 'm.room.member',
        stateKey: userId,
        sender: userId,
        content: { membership: 'join', displayname: `Faraway ${index}` },
        depth: 100,
        prevEvents: [],
        position: first + index,
        isOutlier: true,
      });
    room.setCurrentState([
      ['m.room.join_rules', '', joinRulesOf(world, roomId)],
      ...members.map((userId, index) => ['m.room.member', userId, `$far${index}`] as const),
    ]);
    room.close();
    const file = openWriteConnection(world.database.path);
    file.exec('DELETE FROM directory_progress');
    file.close();
    await world.host.restart('user-directory');
    expect(await find(alice, 'faraway 449')).to.deep.equal(['@far449:other.example']);
    expect(await find(alice, 'faraway', { limit: 50 })).to.have.length(50);
  });
});

describe('the user directory of a server whose users all know each other', () => {
  it('finds everybody', async () => {
    const world = await openSyncWorld({ TROUPE_USER_DIRECTORY_SEARCH_ALL: 'true' });
    const alice = await world.person('alice');
    await world.person('bob');
    await settled(world);
    const answer = await alice.post('/user_directory/search', { search_term: 'bo' });
    expect(answer.results).to.deep.equal([{ user_id: '@bob:example.org', display_name: 'bob' }]);
    // Neither has a display name to be found by.
    const nameless = {
      passwordHash: null,
      isAdmin: false,
      registrationToken: null,
      displayname: null,
      device: null,
    };
    await world.host.ref('accounts').ask('accounts.register', { userId: '@dave:example.org', ...nameless });
    await settled(world);
    const second = await alice.post('/user_directory/search', { search_term: 'dave' });
    expect(second.results).to.deep.equal([{ user_id: '@dave:example.org' }]);
    await world.stop();
  });
});
