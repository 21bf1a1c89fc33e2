import { expect } from 'chai';
import {
  MUTUAL_ROOMS_PAGE_MAX,
  findMutualRooms,
} from '../../../../../src/http/client/directory/mutual-rooms.ts';
import type { ReadDb } from '../../../../../db/kit/read-db.ts';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const V1 = '/_matrix/client/v1';
const CLIENT = '/_matrix/client/v3';
const PRIVATE = { preset: 'private_chat' };

async function outcomeOf(
  answer: Promise<{ readonly status: number; readonly body: unknown }>,
): Promise<string> {
  const { status, body } = await answer;
  return status === 200 ? '200' : `${status} ${(body as Answer).errcode}`;
}

async function ok(answer: Promise<{ readonly status: number; readonly body: unknown }>): Promise<Answer> {
  const { status, body } = await answer;
  expect(status, JSON.stringify(body)).to.equal(200);
  return body;
}

describe('finding rooms, events and people', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  const setState = (
    person: Person,
    roomId: string,
    type: string,
    content: JsonObject,
    key = '',
  ): Promise<unknown> => person.put(pathOf`/rooms/${roomId}/state/${type}/${key}`, content);

  describe('the summary of a room', () => {
    const summary = (person: Person, room: string) => person.http.get(V1 + pathOf`/room_summary/${room}`);

    it('says what the room is, under all of its paths', async () => {
      const roomId = await alice.room({
        preset: 'public_chat',
        room_version: '11',
        room_alias_name: 'tea',
        initial_state: [{ type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } }],
      });
      const answer = await ok(summary(bob, '#tea:example.org'));
      expect(answer).to.include({
        room_id: roomId,
        room_version: '11',
        encryption: 'm.megolm.v1.aes-sha2',
        membership: 'leave',
        num_joined_members: 1,
        join_rule: 'public',
      });
      expect(await ok(summary(alice, roomId))).to.include({ membership: 'join' });
      for (const path of ['summary/{}', 'rooms/{}/summary'])
        expect(
          await ok(
            bob.http.get(
              `/_matrix/client/unstable/im.nheko.summary/${path.replace('{}', encodeURIComponent(roomId))}`,
            ),
          ),
        ).to.deep.equal(answer);
    });

    it('is for who could come in, and for strangers where everybody could', async () => {
      const nobody = alice.http.withToken('');
      const look = async (roomId: string): Promise<string[]> => [
        await outcomeOf(summary(bob, roomId)),
        await outcomeOf(nobody.get(V1 + pathOf`/room_summary/${roomId}`)),
      ];
      const roomId = await alice.room(PRIVATE);
      const home = await alice.room();
      expect(await look(roomId)).to.deep.equal(['404 M_NOT_FOUND', '404 M_NOT_FOUND']);
      await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'knock' });
      expect(await look(roomId)).to.deep.equal(['200', '404 M_NOT_FOUND']);
      const allow = [{ type: 'm.room_membership', room_id: home }];
      await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'restricted', allow });
      expect(await look(roomId)).to.deep.equal(['404 M_NOT_FOUND', '404 M_NOT_FOUND']);
      await bob.act('join', home);
      expect(await look(roomId)).to.deep.equal(['200', '404 M_NOT_FOUND']);
      expect((await ok(summary(bob, roomId))).allowed_room_ids).to.deep.equal([home]);
      await setState(alice, roomId, 'm.room.join_rules', { join_rule: 'invite' });
      await alice.act('invite', roomId, bob);
      expect((await ok(summary(bob, roomId))).membership).to.equal('invite');
      await bob.act('leave', roomId);
      expect(await look(roomId)).to.deep.equal(['404 M_NOT_FOUND', '404 M_NOT_FOUND']);
      await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
      expect(await look(roomId)).to.deep.equal(['200', '200']);
      expect(await outcomeOf(summary(bob, '#none:example.org'))).to.equal('404 M_NOT_FOUND');
      expect(await outcomeOf(summary(bob, 'tea'))).to.equal('400 M_INVALID_PARAM');
    });
  });

  describe('a space', () => {
    const SPACE = { preset: 'public_chat', creation_content: { type: 'm.space' } };
    const hierarchy = (person: Person, roomId: string, query = {}) =>
      person.http.get(V1 + pathOf`/rooms/${roomId}/hierarchy`, { query });
    const add = (space: string, roomId: string, content: JsonObject = {}): Promise<unknown> =>
      setState(alice, space, 'm.space.child', { via: ['example.org'], ...content }, roomId);
    const idsOf = (answer: Answer): string[] => answer.rooms.map((room: Answer) => room.room_id);

    it('has its children in order, each as it may be seen', async () => {
      const space = await alice.room(SPACE);
      const rooms = [await alice.room(), await alice.room(PRIVATE), await alice.room(), await alice.room()];
      const [first = '', hidden = '', second = '', removed = ''] = rooms;
      await add(space, second, { order: 'b', suggested: true });
      await add(space, hidden, { order: 'aa' });
      await add(space, first, { order: 'a' });
      await add(space, removed);
      await setState(alice, space, 'm.space.child', {}, removed);
      expect(idsOf(await ok(hierarchy(alice, space)))).to.deep.equal([space, first, hidden, second]);
      const answer = await ok(hierarchy(bob, space));
      expect(idsOf(answer)).to.deep.equal([space, first, second]);
      expect(answer.rooms[0].children_state.map((child: Answer) => child.state_key)).to.deep.equal([
        first,
        hidden,
        second,
      ]);
      expect(Object.keys(answer.rooms[0].children_state[0]).toSorted()).to.deep.equal([
        'content',
        'origin_server_ts',
        'sender',
        'state_key',
        'type',
      ]);
      expect(answer.rooms[1]).to.include({ room_version: '12' });
      expect(answer.rooms[1].children_state).to.deep.equal([]);
      expect(idsOf(await ok(hierarchy(bob, space, { suggested_only: true })))).to.deep.equal([space, second]);
      expect(idsOf(await ok(hierarchy(bob, space, { max_depth: 0 })))).to.deep.equal([space]);
      const page = await ok(hierarchy(bob, space, { limit: 2 }));
      const rest = await ok(hierarchy(bob, space, { limit: 2, from: page.next_batch }));
      expect([...idsOf(page), ...idsOf(rest)]).to.deep.equal(idsOf(answer));
      expect(rest.next_batch).to.equal(undefined);
      const wrong = { from: page.next_batch, max_depth: 1 };
      expect(await outcomeOf(hierarchy(bob, space, wrong))).to.equal('400 M_INVALID_PARAM');
    });

    it('is not for everybody, and its parameters are numbers', async () => {
      const space = await alice.room({ ...SPACE, preset: 'private_chat' });
      expect(await outcomeOf(hierarchy(bob, space))).to.equal('403 M_FORBIDDEN');
      expect(await outcomeOf(hierarchy(bob, '!none:example.org'))).to.equal('403 M_FORBIDDEN');
      for (const query of [{ limit: 0 }, { limit: 'x' }, { max_depth: -1 }])
        expect(await outcomeOf(hierarchy(alice, space, query))).to.equal('400 M_INVALID_PARAM');
    });
  });

  describe('the event of a time', () => {
    it('is the nearest in a direction that the user may see', async () => {
      const roomId = await alice.room();
      const nearest = (person: Person, ts: number | string, dir: string) =>
        person.http.get(V1 + pathOf`/rooms/${roomId}/timestamp_to_event`, { query: { ts, dir } });
      await world.clock.advance(1_000);
      const early = await alice.say(roomId, 'early');
      const at = world.clock.now();
      await world.clock.advance(1_000);
      const late = await alice.say(roomId, 'late');
      const idOf = async (ts: number, dir: string): Promise<string> =>
        (await ok(nearest(alice, ts, dir))).event_id;
      expect(await ok(nearest(alice, at, 'f'))).to.deep.equal({ event_id: early, origin_server_ts: at });
      expect(await idOf(at, 'b')).to.equal(early);
      expect(await idOf(at + 1, 'f')).to.equal(late);
      expect(await idOf(at + 1, 'b')).to.equal(early);
      expect(await idOf(at + 999_999, 'b')).to.equal(late);
      expect(await outcomeOf(nearest(alice, at + 999_999, 'f'))).to.equal('404 M_NOT_FOUND');
      expect(await outcomeOf(nearest(alice, 0, 'b'))).to.equal('404 M_NOT_FOUND');
      expect(await outcomeOf(nearest(alice, 0, 'x'))).to.equal('400 M_INVALID_PARAM');
      expect(await outcomeOf(nearest(alice, 'x', 'f'))).to.equal('400 M_INVALID_PARAM');
      expect(await outcomeOf(nearest(bob, at, 'f'))).to.equal('403 M_FORBIDDEN');
    });

    it('is none that the user may not see', async () => {
      const roomId = await alice.room();
      await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
      await world.clock.advance(1_000);
      await alice.say(roomId, 'before bob');
      const at = world.clock.now();
      await world.clock.advance(1_000);
      await bob.act('join', roomId);
      const path = V1 + pathOf`/rooms/${roomId}/timestamp_to_event`;
      const found = await ok(bob.http.get(path, { query: { ts: at, dir: 'f' } }));
      expect(found.origin_server_ts).to.equal(at + 1_000);
    });
  });

  describe('mutual rooms', () => {
    it('are those that both have joined', async () => {
      const [one, other] = [await alice.room(), await alice.room()];
      await alice.room();
      await bob.act('join', one);
      await alice.act('invite', other, bob);
      const query = { user_id: bob.userId };
      expect(await ok(alice.http.get(`${V1}/mutual_rooms`, { query }))).to.deep.equal({
        joined: [one],
        count: 1,
      });
      const unstable = '/_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms';
      expect(await ok(alice.http.get(unstable, { query }))).to.deep.equal({ joined: [one] });
      const ask = (userId: string, more = {}): Promise<string> =>
        outcomeOf(alice.http.get(`${V1}/mutual_rooms`, { query: { user_id: userId, ...more } }));
      expect(await ask('@nobody:example.org')).to.equal('200');
      expect(await ask(alice.userId)).to.equal('400 M_INVALID_PARAM');
      expect(await ask('bob')).to.equal('400 M_INVALID_PARAM');
      expect(await ask(bob.userId, { from: 'x' })).to.equal('400 M_INVALID_PARAM');
      expect(await outcomeOf(alice.http.get(`${V1}/mutual_rooms`))).to.equal('400 M_MISSING_PARAM');
    });

    it('come in pages that hold each room once', async () => {
      const rooms = Array.from({ length: 2 * MUTUAL_ROOMS_PAGE_MAX + 1 }, (_, index) => ({
        roomId: `!${String(index).padStart(4, '0')}:example.org`,
      }));
      const db = { all: () => Promise.resolve(rooms) } as unknown as ReadDb;
      const seen: string[] = [];
      let from: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof findMutualRooms>> = await findMutualRooms(
          db,
          alice.userId,
          bob.userId,
          from,
        );
        if (isRefusal(page)) throw new Error(page.error);
        expect(page.count).to.equal(rooms.length);
        seen.push(...page.joined);
        from = page.next;
      } while (from !== null);
      expect(seen).to.deep.equal(rooms.map(({ roomId }) => roomId));
    });
  });

  describe('what clients asked before there was sync', () => {
    it('gives a room as it is, also to who looks in from outside', async () => {
      const roomId = await alice.room();
      await alice.say(roomId, 'one');
      const path = pathOf`/rooms/${roomId}/initialSync`;
      const inside = await alice.get(path, { limit: 1 });
      expect(inside).to.include({ room_id: roomId, membership: 'join', visibility: 'private' });
      expect(inside.messages.chunk.map((event: Answer) => event.content.body)).to.deep.equal(['one']);
      expect(inside.state.map((event: Answer) => event.type)).to.include('m.room.create');
      const older = await alice.get(pathOf`/rooms/${roomId}/messages`, {
        dir: 'b',
        from: inside.messages.start,
      });
      expect(older.chunk).to.have.length.above(3);
      expect(older.chunk.map((event: Answer) => event.content.body)).not.to.include('one');
      expect(await outcomeOf(bob.http.get(CLIENT + path))).to.equal('403 M_FORBIDDEN');
      await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
      const outside = await bob.get(path);
      expect(outside.membership).to.equal(undefined);
      expect(outside.messages.chunk).to.have.length.above(0);
    });

    it('gives all rooms, and goes on with what happens there', async () => {
      const roomId = await alice.room();
      const invited = await bob.room(PRIVATE);
      await bob.act('invite', invited, alice);
      const left = await alice.room();
      await alice.act('leave', left);
      const start = await alice.get('/initialSync');
      expect(start.rooms.map((room: Answer) => [room.room_id, room.membership])).to.have.deep.members([
        [roomId, 'join'],
        [invited, 'invite'],
      ]);
      const archived = await alice.get('/initialSync', { archived: true });
      expect(archived.rooms.map((room: Answer) => room.membership)).to.include('leave');
      const eventId = await alice.say(roomId, 'new');
      await bob.say(invited, 'not for alice');
      const news = await alice.get('/events', { from: start.end, timeout: 0 });
      expect(news.chunk.map((event: Answer) => event.event_id)).to.deep.equal([eventId]);
      expect(news.start).to.equal(start.end);
      const nothing = await alice.get('/events', { from: news.end, timeout: 0 });
      expect(nothing.chunk).to.deep.equal([]);
      const waiting = alice.get('/events', { from: nothing.end, timeout: 60_000 });
      const next = await alice.say(roomId, 'newer');
      expect((await waiting).chunk.map((event: Answer) => event.event_id)).to.deep.equal([next]);
      expect(await outcomeOf(alice.http.get(`${CLIENT}/events`, { query: { from: 'x' } }))).to.equal(
        '400 M_INVALID_PARAM',
      );
    });

    it('listens to a room from outside where everybody may read', async () => {
      const roomId = await alice.room();
      const listen = (from?: string) =>
        bob.http.get(`${CLIENT}/events`, {
          query: { room_id: roomId, timeout: 0, ...(from === undefined ? {} : { from }) },
        });
      expect(await outcomeOf(listen())).to.equal('403 M_FORBIDDEN');
      await setState(alice, roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
      const { end } = await ok(listen());
      const eventId = await alice.say(roomId, 'aloud');
      const heard = await ok(listen(end));
      expect(heard.chunk.map((event: Answer) => event.event_id)).to.deep.equal([eventId]);
    });

    it('gives an event by its id alone, if it may be seen', async () => {
      const roomId = await alice.room();
      const eventId = await alice.say(roomId, 'one');
      expect((await alice.get(pathOf`/events/${eventId}`)).content.body).to.equal('one');
      const path = CLIENT + pathOf`/events/${eventId}`;
      expect(await outcomeOf(bob.http.get(path))).to.equal('404 M_NOT_FOUND');
      expect(await outcomeOf(bob.http.get(`${CLIENT}/events/$none`))).to.equal('404 M_NOT_FOUND');
    });
  });

  it('inviting by e-mail is refused: there is no identity server', async () => {
    const roomId = await alice.room();
    const invite = (body: JsonObject): Promise<string> =>
      outcomeOf(alice.http.post(CLIENT + pathOf`/rooms/${roomId}/invite`, body));
    const email = { id_server: 'id.example', id_access_token: 'x', medium: 'email', address: 'a@b.c' };
    expect(await invite(email)).to.equal('403 M_THREEPID_DENIED');
    expect(await invite({})).to.equal('400 M_MISSING_PARAM');
  });

  it('the server says what it can: capabilities and versions', async () => {
    const { capabilities } = await alice.get('/capabilities');
    expect(capabilities).to.include.keys(
      'm.room_versions',
      'm.change_password',
      'm.set_displayname',
      'm.set_avatar_url',
      'm.3pid_changes',
      'm.get_login_token',
      'm.profile_fields',
    );
    expect(capabilities['m.forget_forced_upon_leave']).to.deep.equal({ enabled: false });
    const versions = await ok(alice.http.get('/_matrix/client/versions'));
    expect(versions.unstable_features).to.include({
      'org.matrix.msc3266': true,
      'org.matrix.msc3827.stable': true,
      'uk.half-shot.msc2666.query_mutual_rooms': true,
    });
  });
});
