import { expect } from 'chai';
import { readPublicRooms } from '../../../../../src/directory/public-rooms.ts';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';

/** Makes a room of the public directory. */
function publish(person: Person, body: JsonObject = {}): Promise<string> {
  return person.room({ preset: 'public_chat', visibility: 'public', ...body });
}

async function codeOf(answer: Promise<{ readonly status: number; readonly body: unknown }>): Promise<string> {
  const { status, body } = await answer;
  return status === 200 ? '200' : `${status} ${(body as Answer).errcode}`;
}

const idsOf = (answer: Answer): string[] => answer.chunk.map((room: Answer) => room.room_id);

describe('the public directory', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  const list = (query: Readonly<Record<string, string | number>> = {}): Promise<Answer> =>
    alice.get('/publicRooms', query);
  const search = (body: JsonObject): Promise<Answer> => alice.post('/publicRooms', body);
  const visibility = (roomId: string): string => pathOf`/directory/list/room/${roomId}`;

  it('says what a room is, and nothing of rooms that are not published', async () => {
    await alice.room();
    const roomId = await publish(alice, {
      name: 'Tea',
      topic: 'Leaves',
      room_alias_name: 'tea',
      creation_content: { type: 'm.space' },
      initial_state: [
        { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
        { type: 'm.room.guest_access', content: { guest_access: 'can_join' } },
        { type: 'm.room.avatar', content: { url: 'mxc://example.org/a' } },
      ],
    });
    await bob.act('join', roomId);
    expect(await list()).to.deep.equal({
      chunk: [
        {
          room_id: roomId,
          num_joined_members: 2,
          world_readable: true,
          guest_can_join: true,
          join_rule: 'public',
          name: 'Tea',
          topic: 'Leaves',
          canonical_alias: '#tea:example.org',
          avatar_url: 'mxc://example.org/a',
          room_type: 'm.space',
        },
      ],
      total_room_count_estimate: 1,
    });
    await alice.put(pathOf`/rooms/${roomId}/state/m.room.topic`, {
      topic: 'no',
      'm.topic': { 'm.text': [{ mimetype: 'text/html', body: '<b>' }, { body: 'Plain' }] },
    });
    expect((await list()).chunk[0].topic).to.equal('Plain');
  });

  it('is for everybody, and its search for who is logged in', async () => {
    await publish(alice);
    const everybody = alice.http.withToken('');
    expect(await codeOf(everybody.get(`${CLIENT}/publicRooms`))).to.equal('200');
    expect(await codeOf(everybody.post(`${CLIENT}/publicRooms`, {}))).to.equal('401 M_MISSING_TOKEN');
  });

  it('finds rooms by name, topic and alias, whatever their case and accents', async () => {
    const tea = await publish(alice, { name: 'Thé Vert', room_alias_name: 'green' });
    const space = await publish(alice, { topic: 'Straße', creation_content: { type: 'm.space' } });
    const find = async (filter: JsonObject): Promise<string[]> => idsOf(await search({ filter }));
    expect(await find({ generic_search_term: 'the vert' })).to.deep.equal([tea]);
    expect(await find({ generic_search_term: '#GREEN' })).to.deep.equal([tea]);
    expect(await find({ generic_search_term: 'STRASSE' })).to.deep.equal([space]);
    expect(await find({ generic_search_term: 'coffee' })).to.deep.equal([]);
    expect(await find({ room_types: ['m.space'] })).to.deep.equal([space]);
    expect(await find({ room_types: [null] })).to.deep.equal([tea]);
    expect(await find({ room_types: [null, 'm.space'] })).to.have.members([tea, space]);
    expect(await find({ room_types: [] })).to.deep.equal([]);
    expect(await find({ generic_search_term: 's', room_types: [null] })).to.deep.equal([]);
  });

  it('pages forward and back, large rooms first', async () => {
    const rooms: string[] = [];
    for (let index = 0; index < 7; index += 1) rooms.push(await publish(alice));
    await bob.act('join', rooms[4] ?? '');
    const all = idsOf(await list());
    expect(all).to.have.members(rooms);
    expect(all[0]).to.equal(rooms[4]);
    const first = await list({ limit: 3 });
    const second = await search({ limit: 3, since: first.next_batch });
    const third = await list({ limit: 3, since: second.next_batch });
    expect([first, second, third].flatMap(idsOf)).to.deep.equal(all);
    expect([first.prev_batch, third.next_batch]).to.deep.equal([undefined, undefined]);
    expect(first.total_room_count_estimate).to.equal(7);
    const back = await list({ limit: 3, since: third.prev_batch });
    expect(idsOf(back)).to.deep.equal(idsOf(second));
    const start = await list({ limit: 3, since: back.prev_batch });
    expect(idsOf(start)).to.deep.equal(idsOf(first));
    expect(idsOf(await list({ limit: 3, since: start.next_batch }))).to.deep.equal(idsOf(second));
  });

  it('shows each room that stays as it is once, while others come, go, grow and shrink', async () => {
    const steady: string[] = [];
    for (let index = 0; index < 6; index += 1) steady.push(await publish(alice));
    const moving = await publish(alice);
    const seen: string[] = [];
    let since: string | undefined;
    for (let page = 0; page === 0 || since !== undefined; page += 1) {
      const answer = await list({ limit: 1, ...(since === undefined ? {} : { since }) });
      seen.push(...idsOf(answer));
      since = answer.next_batch;
      if (page < 4) {
        await publish(bob);
        await bob.act(page % 2 === 0 ? 'join' : 'leave', moving);
        await alice.put(visibility(await publish(alice)), { visibility: 'private' });
      }
    }
    for (const roomId of steady)
      expect(
        seen.filter((each) => each === roomId),
        roomId,
      ).to.have.length(1);
  });

  it('takes rooms in and out at once, for who may', async () => {
    const roomId = await alice.room();
    expect(await bob.get(visibility(roomId))).to.deep.equal({ visibility: 'private' });
    expect(idsOf(await list())).to.deep.equal([]);
    await alice.put(visibility(roomId), {});
    expect(await bob.get(visibility(roomId))).to.deep.equal({ visibility: 'public' });
    expect(idsOf(await list())).to.deep.equal([roomId]);
    const set = (person: Person, id: string): Promise<string> =>
      codeOf(person.http.put(CLIENT + visibility(id), { visibility: 'private' }));
    expect(await set(bob, roomId)).to.equal('403 M_FORBIDDEN');
    await bob.act('join', roomId);
    expect(await set(bob, roomId)).to.equal('403 M_FORBIDDEN');
    expect(await set(alice, roomId)).to.equal('200');
    expect(idsOf(await list())).to.deep.equal([]);
    expect(await set(alice, '!none:example.org')).to.equal('404 M_NOT_FOUND');
    const unknown = visibility('!none:example.org');
    expect(await codeOf(bob.http.get(CLIENT + unknown))).to.equal('404 M_NOT_FOUND');
  });

  it('is in the hands of administrators of the server, whatever room it is', async () => {
    const roomId = await alice.room();
    const set = (isAdmin: boolean): Promise<{ readonly kind: string }> =>
      world.host.ref('rooms').ask('rooms.set-visibility', {
        roomId,
        sender: bob.userId,
        isAdmin,
        isPublic: true,
      });
    expect((await set(false)).kind).to.equal('refused');
    expect((await set(true)).kind).to.equal('set');
  });

  it('lets a room go that nobody is in any more, and one that was upgraded', async () => {
    const empty = await publish(alice);
    const old = await publish(alice);
    await alice.act('leave', empty);
    const upgraded = await alice.post(pathOf`/rooms/${old}/upgrade`, { new_version: '12' });
    expect(idsOf(await list())).to.deep.equal([upgraded.replacement_room]);
  });

  for (const [query, expected] of [
    [{ since: 'x' }, '400 M_INVALID_PARAM'],
    [{ limit: -1 }, '400 M_INVALID_PARAM'],
    [{ limit: 'x' }, '400 M_INVALID_PARAM'],
    [{ server: 'example.org' }, '200'],
    [{ server: 'other.example' }, '502 M_UNKNOWN'],
    [{ server: 'no server' }, '400 M_INVALID_PARAM'],
  ] as const)
    it(`answers ${JSON.stringify(query)} with ${expected}`, async () => {
      expect(await codeOf(alice.http.get(`${CLIENT}/publicRooms`, { query }))).to.equal(expected);
    });

  it('knows no networks beside Matrix', async () => {
    await publish(alice);
    expect(idsOf(await search({ third_party_instance_id: 'irc' }))).to.deep.equal([]);
    expect(idsOf(await search({ include_all_networks: true }))).to.have.length(1);
    const both = { third_party_instance_id: 'irc', include_all_networks: true };
    expect(await codeOf(alice.http.post(`${CLIENT}/publicRooms`, both))).to.equal('400 M_INVALID_PARAM');
  });

  it('reads each room once, and then only those that change', async () => {
    for (let index = 0; index < 3; index += 1) await publish(alice);
    await list();
    let loads = 0;
    const { cached } = world.services;
    const counted = {
      ...cached,
      get: ((cache, key) => {
        loads += 1;
        return cached.get(cache, key);
      }) as typeof cached.get,
    };
    const request = { searchTerm: null, roomTypes: null, limit: 10, since: null };
    await readPublicRooms({ cached: counted }, request);
    // The list of ids alone.
    expect(loads).to.equal(1);
  });
});

describe('the public directory, closed', () => {
  let world: SyncWorld;
  let alice: Person;

  before(async () => {
    world = await openSyncWorld({
      TROUPE_ROOMS_PUBLISH_BY: 'admins',
      TROUPE_ROOMS_DIRECTORY_FOR_EVERYBODY: 'false',
    });
    alice = await world.person('alice');
  });
  after(() => world.stop());

  it('is for users only', async () => {
    const everybody = alice.http.withToken('');
    expect(await codeOf(everybody.get(`${CLIENT}/publicRooms`))).to.equal('401 M_MISSING_TOKEN');
    expect(await codeOf(alice.http.get(`${CLIENT}/publicRooms`))).to.equal('200');
  });

  it('is filled by administrators only; everybody may take rooms of theirs out', async () => {
    const made = alice.http.post(`${CLIENT}/createRoom`, { visibility: 'public' });
    expect(await codeOf(made)).to.equal('403 M_FORBIDDEN');
    const roomId = await alice.room();
    const put = (visibility: string): Promise<string> =>
      codeOf(alice.http.put(CLIENT + pathOf`/directory/list/room/${roomId}`, { visibility }));
    expect(await put('public')).to.equal('403 M_FORBIDDEN');
    expect(await put('private')).to.equal('200');
  });
});
