import { expect } from 'chai';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';

/** What a chunk of events says: the body of messages, the type of state events. */
function said(events: Answer): string[] {
  return events.map((event: Answer) => event.content.body ?? event.type);
}

describe('the endpoints of rooms', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  afterEach(() => world.stop());

  /** Expects a refusal and gives status and code. */
  async function refused(
    answer: Promise<{ readonly status: number; readonly body: unknown }>,
  ): Promise<string> {
    const { status, body } = await answer;
    return `${status} ${(body as Answer).errcode}`;
  }

  describe('createRoom', () => {
    for (const [body, expected] of [
      [{ room_version: 10 }, '400 M_BAD_JSON'],
      [{ room_version: '999' }, '400 M_UNSUPPORTED_ROOM_VERSION'],
      [{ invite: ['bob'] }, '400 M_INVALID_PARAM'],
      [{ preset: 'party' }, '400 M_BAD_JSON'],
      [{ initial_state: [{ type: 'm.room.topic' }] }, '400 M_MISSING_PARAM'],
      [{ room_alias_name: 'no:colons' }, '400 M_INVALID_PARAM'],
    ] as const) {
      it(`8.2 refuses ${JSON.stringify(body)} with ${expected} and makes nothing`, async () => {
        expect(await refused(alice.http.post(`${CLIENT}/createRoom`, body))).to.equal(expected);
        expect((await alice.get('/joined_rooms')).joined_rooms).to.deep.equal([]);
      });
    }

    it('8.2 makes a room of the version that is asked for', async () => {
      const room = await alice.room({ room_version: '10' });
      const create = await alice.get(pathOf`/rooms/${room}/state/m.room.create/`);
      expect(create).to.include({ room_version: '10', creator: alice.userId });
    });

    it('takes an alias once, which then leads to the room', async () => {
      const room = await alice.room({ room_alias_name: 'den', preset: 'public_chat' });
      const found = await bob.get(pathOf`/directory/room/${'#den:example.org'}`);
      expect(found).to.deep.equal({ room_id: room, servers: ['example.org'] });
      expect(await refused(bob.http.post(`${CLIENT}/createRoom`, { room_alias_name: 'den' }))).to.equal(
        '400 M_ROOM_IN_USE',
      );
      expect(await bob.post(pathOf`/join/${'#den:example.org'}`)).to.deep.equal({ room_id: room });
      expect(await refused(bob.http.get(CLIENT + pathOf`/directory/room/${'#none:example.org'}`))).to.equal(
        '404 M_NOT_FOUND',
      );
    });
  });

  describe('sending', () => {
    it('gives the same event for the same transaction of the same device', async () => {
      const room = await alice.room();
      const path = pathOf`/rooms/${room}/send/m.room.message/t1`;
      const first = await alice.put(path, { body: 'one', msgtype: 'm.text' });
      expect(await alice.put(path, { body: 'one', msgtype: 'm.text' })).to.deep.equal(first);
      const phone = await world.device(alice);
      expect((await phone.put(path, { body: 'one', msgtype: 'm.text' })).event_id).to.not.equal(
        first.event_id,
      );
    });

    it('1.6 is read at once by whoever has the answer', async () => {
      const room = await alice.room();
      for (let round = 0; round < 20; round += 1) {
        const path = pathOf`/rooms/${room}/state/org.example/${`k${round}`}`;
        await alice.put(path, { round });
        expect(await alice.get(path)).to.deep.equal({ round });
      }
    });

    it('is for members', async () => {
      const room = await alice.room();
      const answer = bob.http.put(CLIENT + pathOf`/rooms/${room}/send/m.room.message/t1`, { body: 'x' });
      expect(await refused(answer)).to.equal('403 M_FORBIDDEN');
    });

    for (const suffix of ['', '/'])
      it(`sets and reads state without a key at /state/type${suffix}`, async () => {
        const room = await alice.room();
        const path = pathOf`/rooms/${room}/state/m.room.topic` + suffix;
        const { event_id: eventId } = await alice.put(path, { topic: 'tea' });
        expect(await alice.get(path)).to.deep.equal({ topic: 'tea' });
        const event = await alice.get(path, { format: 'event' });
        expect(event).to.include({ event_id: eventId, room_id: room, type: 'm.room.topic', state_key: '' });
      });

    it('says 404 for state that is not there', async () => {
      const room = await alice.room();
      expect(await refused(alice.http.get(CLIENT + pathOf`/rooms/${room}/state/org.example/x`))).to.equal(
        '404 M_NOT_FOUND',
      );
    });
  });

  describe('membership', () => {
    it('carries profile and reason', async () => {
      const room = await alice.room({});
      await alice.post(pathOf`/rooms/${room}/invite`, { user_id: bob.userId, reason: 'come' });
      const path = pathOf`/rooms/${room}/state/m.room.member/${bob.userId}`;
      expect(await alice.get(path)).to.deep.equal({
        membership: 'invite',
        displayname: 'bob',
        reason: 'come',
      });
      await bob.post(pathOf`/join/${room}`, { reason: 'here' });
      expect(await alice.get(path)).to.deep.equal({ membership: 'join', displayname: 'bob', reason: 'here' });
      await alice.post(pathOf`/rooms/${room}/kick`, { user_id: bob.userId, reason: 'out' });
      expect(await alice.get(path)).to.deep.equal({ membership: 'leave', reason: 'out' });
    });

    it('bans, unbans and forgets', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      expect(await refused(bob.http.post(CLIENT + pathOf`/rooms/${room}/forget`, {}))).to.equal(
        '400 M_UNKNOWN',
      );
      await alice.act('ban', room, bob);
      expect(await refused(bob.http.post(CLIENT + pathOf`/join/${room}`, {}))).to.equal('403 M_FORBIDDEN');
      await alice.act('unban', room, bob);
      await bob.act('join', room);
      await bob.act('leave', room);
      await bob.act('leave', room);
      await bob.act('forget', room);
      expect(
        await refused(bob.http.get(CLIENT + pathOf`/rooms/${room}/messages`, { query: { dir: 'b' } })),
      ).to.equal('403 M_FORBIDDEN');
    });

    it('takes no body for one', async () => {
      const room = await alice.room();
      expect((await bob.http.request('POST', CLIENT + pathOf`/join/${room}`)).status).to.equal(200);
      expect((await bob.get('/joined_rooms')).joined_rooms).to.deep.equal([room]);
    });

    for (const name of ['!nowhere:example.org', '#nowhere:example.org'])
      it(`says 404 for joining ${name}`, async () => {
        expect(await refused(bob.http.post(CLIENT + pathOf`/join/${name}`, {}))).to.equal('404 M_NOT_FOUND');
      });
  });

  describe('members', () => {
    it('are given, filtered, and as of a token', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      const { next_batch: at } = await alice.sync();
      await bob.act('leave', room);
      const ids = async (query: Record<string, string>): Promise<string[]> => {
        const { chunk } = await alice.get(pathOf`/rooms/${room}/members`, query);
        return chunk.map((event: Answer) => event.state_key).toSorted();
      };
      expect(await ids({})).to.deep.equal([alice.userId, bob.userId]);
      expect(await ids({ membership: 'join' })).to.deep.equal([alice.userId]);
      expect(await ids({ not_membership: 'join' })).to.deep.equal([bob.userId]);
      expect(await ids({ membership: 'join', at })).to.deep.equal([alice.userId, bob.userId]);
      const { joined } = await alice.get(pathOf`/rooms/${room}/joined_members`);
      expect(joined).to.deep.equal({ [alice.userId]: { display_name: 'alice' } });
    });

    it('of those who left are those of then', async () => {
      const carol = await world.person('carol');
      const room = await alice.room();
      await bob.act('join', room);
      await bob.act('leave', room);
      await carol.act('join', room);
      const { chunk } = await bob.get(pathOf`/rooms/${room}/members`);
      expect(chunk.map((event: Answer) => event.state_key)).to.not.include(carol.userId);
      const state = await bob.get(pathOf`/rooms/${room}/state`);
      expect(state.map((event: Answer) => event.state_key)).to.not.include(carol.userId);
      expect(await refused(bob.http.get(CLIENT + pathOf`/rooms/${room}/joined_members`))).to.equal(
        '403 M_FORBIDDEN',
      );
    });
  });

  describe('reading', () => {
    it('is refused to strangers, and allowed where the room is world-readable', async () => {
      const room = await alice.room();
      const eventId = await alice.say(room, 'hello');
      for (const path of [
        pathOf`/rooms/${room}/state`,
        pathOf`/rooms/${room}/members`,
        pathOf`/rooms/${room}/state/m.room.create/`,
      ])
        expect(await refused(bob.http.get(CLIENT + path))).to.equal('403 M_FORBIDDEN');
      const path = CLIENT + pathOf`/rooms/${room}/event/${eventId}`;
      expect(await refused(bob.http.get(path))).to.equal('404 M_NOT_FOUND');
      await alice.put(pathOf`/rooms/${room}/state/m.room.history_visibility`, {
        history_visibility: 'world_readable',
      });
      const shown = await alice.say(room, 'open');
      expect((await bob.get(pathOf`/rooms/${room}/event/${shown}`)).content.body).to.equal('open');
      expect(await refused(bob.http.get(path))).to.equal('404 M_NOT_FOUND');
    });

    it('goes back page by page to the beginning of the room, and ends', async () => {
      const room = await alice.room();
      for (let index = 0; index < 7; index += 1) await alice.say(room, `m${index}`);
      const bodies: string[] = [];
      let from: string | undefined;
      let pages = 0;
      do {
        const page = await alice.get(pathOf`/rooms/${room}/messages`, {
          dir: 'b',
          limit: 4,
          ...(from === undefined ? {} : { from }),
        });
        bodies.push(...said(page.chunk));
        from = page.end;
        pages += 1;
      } while (from !== undefined);
      expect(bodies.slice(0, 7)).to.deep.equal(['m6', 'm5', 'm4', 'm3', 'm2', 'm1', 'm0']);
      expect(bodies.at(-1)).to.equal('m.room.create');
      expect(new Set(bodies).size).to.equal(bodies.length);
      expect(pages).to.be.greaterThan(2);
    });

    it('goes forward from a token of sync, and stops at one', async () => {
      const room = await alice.room();
      await alice.say(room, 'before');
      const { next_batch: from } = await alice.sync();
      await alice.say(room, 'one');
      const { next_batch: to } = await alice.sync();
      await alice.say(room, 'two');
      const messages = pathOf`/rooms/${room}/messages`;
      expect(said((await alice.get(messages, { dir: 'f', from })).chunk)).to.deep.equal(['one', 'two']);
      expect(said((await alice.get(messages, { dir: 'f', from, to })).chunk)).to.deep.equal(['one']);
    });

    it('filters, and gives the members that the page needs', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await bob.say(room, 'hello');
      const filter = JSON.stringify({ types: ['m.room.message'], lazy_load_members: true });
      const page = await alice.get(pathOf`/rooms/${room}/messages`, { dir: 'b', filter });
      expect(said(page.chunk)).to.deep.equal(['hello']);
      expect(page.state.map((event: Answer) => event.state_key)).to.deep.equal([bob.userId]);
      expect(page).to.not.have.property('end');
    });

    it('shows who has left nothing of later', async () => {
      const room = await alice.room();
      await bob.act('join', room);
      await alice.say(room, 'for bob');
      await bob.act('leave', room);
      await alice.say(room, 'secret');
      const page = await bob.get(pathOf`/rooms/${room}/messages`, { dir: 'b', limit: 3 });
      expect(said(page.chunk)).to.deep.equal(['m.room.member', 'for bob', 'm.room.member']);
    });

    for (const query of [
      { dir: 'x' },
      { dir: 'b', from: 'nonsense' },
      { dir: 'b', filter: '{' },
      { dir: 'b', limit: -1 },
    ])
      it(`refuses ${JSON.stringify(query)}`, async () => {
        const room = await alice.room();
        const answer = await alice.http.get(CLIENT + pathOf`/rooms/${room}/messages`, { query });
        expect(answer.status).to.equal(400);
      });

    it('shows an event with what is around it', async () => {
      const room = await alice.room();
      const ids: string[] = [];
      for (const body of ['one', 'two', 'three']) ids.push(await alice.say(room, body));
      const context = await alice.get(pathOf`/rooms/${room}/context/${ids[1] ?? ''}`, { limit: 2 });
      expect(context.event.content.body).to.equal('two');
      expect(said(context.events_before)).to.deep.equal(['one']);
      expect(said(context.events_after)).to.deep.equal(['three']);
      const page = await alice.get(pathOf`/rooms/${room}/messages`, {
        dir: 'b',
        from: context.start,
        limit: 1,
      });
      expect(said(page.chunk)).to.deep.equal(['m.room.guest_access']);
    });
  });

  describe('filters', () => {
    it('are stored for their user and used by id', async () => {
      const room = await alice.room();
      await alice.say(room, 'hello');
      const filter = { room: { timeline: { limit: 1 } } };
      const { filter_id: filterId } = await alice.post(pathOf`/user/${alice.userId}/filter`, filter);
      expect(await alice.get(pathOf`/user/${alice.userId}/filter/${filterId}`)).to.deep.equal(filter);
      expect(said((await alice.sync({ filter: filterId })).rooms.join[room].timeline.events)).to.deep.equal([
        'hello',
      ]);
      expect(await refused(bob.http.get(`${CLIENT}/sync`, { query: { filter: filterId } }))).to.equal(
        '400 M_INVALID_PARAM',
      );
      expect(await refused(alice.http.get(`${CLIENT}/sync`, { query: { since: 'nonsense' } }))).to.equal(
        '400 M_INVALID_PARAM',
      );
    });
  });

  describe('account data', () => {
    it('is refused where the server manages it, and where it is somebody else’s', async () => {
      const base = `${CLIENT}${pathOf`/user/${alice.userId}`}`;
      for (const type of ['m.push_rules', 'm.fully_read'])
        expect(await refused(alice.http.put(`${base}/account_data/${type}`, {}))).to.equal('405 M_BAD_JSON');
      expect(
        await refused(
          alice.http.put(`${base}/rooms/${encodeURIComponent('!x:y')}/account_data/m.fully_read`, {}),
        ),
      ).to.equal('405 M_BAD_JSON');
      expect(await refused(bob.http.put(`${base}/account_data/org.example`, {}))).to.equal('403 M_FORBIDDEN');
      expect(await refused(alice.http.get(`${base}/account_data/org.none`))).to.equal('404 M_NOT_FOUND');
    });

    it('holds tags, one by one', async () => {
      const room = await alice.room();
      const tags = pathOf`/user/${alice.userId}/rooms/${room}/tags`;
      await alice.put(`${tags}/m.favourite`, { order: 0.1 });
      await alice.put(`${tags}/u.work`);
      expect(await alice.get(tags)).to.deep.equal({ tags: { 'm.favourite': { order: 0.1 }, 'u.work': {} } });
      await alice.http.delete(`${CLIENT}${tags}/u.work`);
      expect(await alice.get(tags)).to.deep.equal({ tags: { 'm.favourite': { order: 0.1 } } });
    });
  });

  describe('push rules', () => {
    it('are the default ones, as the user has changed them', async () => {
      const { global } = await alice.get('/pushrules/');
      expect(global.underride.map((rule: Answer) => rule.rule_id)).to.include('.m.rule.message');
      expect(await alice.get('/pushrules/global/')).to.deep.equal(global);
      const rule = '/pushrules/global/underride/.m.rule.message';
      await alice.put(`${rule}/actions`, { actions: [] });
      expect((await alice.get(rule)).actions).to.deep.equal([]);
      expect(await refused(alice.http.get(`${CLIENT}/pushrules/global/underride/.m.none`))).to.equal(
        '404 M_NOT_FOUND',
      );
      expect(await refused(alice.http.get(`${CLIENT}/pushrules/global/none/x`))).to.equal(
        '400 M_INVALID_PARAM',
      );
    });
  });

  it('offers no TURN server and no bridges', async () => {
    const uncheckedBecause = 'the specification knows no answer for a server without TURN; clients take {}';
    const turn = await alice.http.get(`${CLIENT}/voip/turnServer`, { uncheckedBecause });
    expect(turn.body).to.deep.equal({});
    expect(await alice.get('/thirdparty/protocols')).to.deep.equal({});
  });
});
