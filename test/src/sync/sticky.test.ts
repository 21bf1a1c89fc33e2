import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { answerSync } from '../../../src/sync/answer-sync.ts';
import { parseSyncFilter } from '../../../src/matrix/sync-filter-parse.ts';
import { parseToken } from '../../../src/streams/token.ts';
import { STICKY_EVENTS_MAX } from '../../../src/sync/sticky.ts';
import { PRUNE_INTERVAL_MS } from '../../../actors/rooms/pruning.ts';
import { pathOf } from '../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from './sync-world.ts';

const CLIENT = '/_matrix/client/v3';
const PARAM = 'org.matrix.msc4354.sticky_duration_ms';
const HOUR_MS = 3_600_000;
const TYPE = 'org.example.member';
const NO_TIMELINE = { room: { timeline: { not_types: [TYPE] } } };

const countSticky = defineQuery<{ readonly roomNid: number }, { readonly count: number }>({
  name: 'rooms.count-sticky-events',
  sql: 'SELECT count(*) AS count FROM sticky_events WHERE room_nid = :roomNid',
});

describe('sticky events', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let sends = 0;

  before(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
  });
  after(() => world.stop());

  async function stick(
    person: Person,
    roomId: string,
    durationMs: number,
    type = TYPE,
    content: object = {},
  ): Promise<string> {
    sends += 1;
    const path = `${CLIENT}${pathOf`/rooms/${roomId}/send/${type}/sticky${`${sends}`}`}`;
    const answer = await person.http.request('PUT', path, {
      query: { [PARAM]: `${durationMs}` },
      body: content,
    });
    expect(answer.status, answer.text).to.equal(200);
    return (answer.body as Answer).event_id;
  }

  /** Many at once, past HTTP. */
  async function stickMany(person: Person, roomId: string, count: number): Promise<string[]> {
    const event = { type: TYPE, content: {}, stickyDurationMs: HOUR_MS };
    const asked = Array.from({ length: count }, () =>
      world.host.ref('rooms').ask('rooms.send-event', {
        roomId,
        sender: person.userId,
        event,
        transaction: null,
        originServerTs: null,
      }),
    );
    const sent = await Promise.all(asked);
    const positions: number[] = [];
    const ids = sent.map((outcome) => {
      if (isRefusal(outcome)) throw new Error(outcome.error);
      positions.push(outcome.position);
      return outcome.eventId;
    });
    await world.streams.reached('events', Math.max(...positions));
    return ids;
  }

  async function together(preset = 'public_chat', state: readonly JsonObject[] = []): Promise<string> {
    const roomId = await alice.room({ preset, initial_state: state });
    await bob.act('join', roomId);
    await Promise.all([alice.next(NO_TIMELINE), bob.next(NO_TIMELINE)]);
    return roomId;
  }

  const sticky = (answer: Answer, roomId: string): Answer[] =>
    answer.rooms?.join?.[roomId]?.msc4354_sticky?.events ?? [];
  const idsOf = (events: readonly Answer[]): string[] => events.map((event) => event.event_id);

  it('are told once, oldest first, with what is left of their time, where the timeline does not show them', async () => {
    const roomId = await together();
    const first = await stick(alice, roomId, 60_000);
    await world.clock.advance(10_000);
    const second = await stick(bob, roomId, HOUR_MS);
    const told = sticky(await bob.next(NO_TIMELINE), roomId);
    expect(idsOf(told)).to.deep.equal([first, second]);
    expect(told[0].msc4354_sticky).to.deep.equal({ duration_ms: 60_000 });
    expect(told[0].unsigned).to.include({ msc4354_sticky_duration_ttl_ms: 50_000, membership: 'join' });
    expect(told[1].unsigned.msc4354_sticky_duration_ttl_ms).to.equal(HOUR_MS);
    await alice.say(roomId, 'more');
    expect(sticky(await bob.next(NO_TIMELINE), roomId)).to.deep.equal([]);
  });

  it('stand in the timeline where they fit, and then not beside it', async () => {
    const roomId = await together();
    const early = await stick(alice, roomId, HOUR_MS);
    const late = await stick(alice, roomId, HOUR_MS);
    const answer = await bob.next({ room: { timeline: { limit: 1 } } });
    const { timeline } = answer.rooms.join[roomId];
    expect(idsOf(timeline.events)).to.deep.equal([late]);
    expect(timeline.events[0].unsigned.msc4354_sticky_duration_ttl_ms).to.equal(HOUR_MS);
    expect(idsOf(sticky(answer, roomId))).to.deep.equal([early]);
  });

  it('are told in a first sync and to who comes later as long as they live, whatever the history visibility', async () => {
    const visibility = {
      type: 'm.room.history_visibility',
      state_key: '',
      content: { history_visibility: 'joined' },
    };
    const roomId = await together('public_chat', [visibility]);
    const long = await stick(alice, roomId, HOUR_MS);
    const short = await stick(alice, roomId, 1_000);
    const carol = await world.person('carol');
    await carol.next();
    await carol.act('join', roomId);
    const room = (await carol.next(NO_TIMELINE)).rooms.join[roomId];
    expect(idsOf(room.msc4354_sticky.events)).to.deep.equal([long, short]);
    expect(room.msc4354_sticky.events[0].unsigned.membership).to.equal('leave');
    const seen = async (): Promise<string[]> => {
      const { chunk } = await carol.get(pathOf`/rooms/${roomId}/messages`, { dir: 'b', limit: 50 });
      return idsOf(chunk.filter((event: Answer) => event.type === TYPE));
    };
    expect(await seen()).to.deep.equal([short, long]);
    await world.clock.advance(1_000);
    expect(idsOf(sticky(await carol.sync({ filter: JSON.stringify(NO_TIMELINE) }), roomId))).to.deep.equal([
      long,
    ]);
    expect(await seen()).to.deep.equal([long]);
    const dave = await world.person('dave');
    expect(sticky(await dave.next(NO_TIMELINE), roomId)).to.deep.equal([]);
    const outside = await dave.http.request('GET', `${CLIENT}${pathOf`/rooms/${roomId}/event/${long}`}`);
    expect(outside.status).to.equal(404);
  });

  it('of users that are ignored are not told', async () => {
    const roomId = await together();
    await bob.put(pathOf`/user/${bob.userId}/account_data/m.ignored_user_list`, {
      ignored_users: { [alice.userId]: {} },
    });
    const own = await stick(bob, roomId, HOUR_MS);
    await stick(alice, roomId, HOUR_MS);
    expect(idsOf(sticky(await bob.next(NO_TIMELINE), roomId))).to.deep.equal([own]);
    await bob.put(pathOf`/user/${bob.userId}/account_data/m.ignored_user_list`, { ignored_users: {} });
  });

  it('lose their stickiness with a redaction, which may be sticky itself', async () => {
    const roomId = await together();
    const gone = await stick(alice, roomId, HOUR_MS);
    await alice.put(pathOf`/rooms/${roomId}/redact/${gone}/r`);
    const also = await stick(alice, roomId, HOUR_MS);
    const redaction = await stick(alice, roomId, HOUR_MS, 'm.room.redaction', { redacts: also });
    const told = sticky(await bob.next({ room: { timeline: { types: [] } } }), roomId);
    expect(idsOf(told)).to.deep.equal([redaction]);
    const shown = await bob.get(pathOf`/rooms/${roomId}/event/${gone}`);
    expect(shown).to.not.have.property('msc4354_sticky');
    expect(shown.unsigned).to.not.have.property('msc4354_sticky_duration_ttl_ms');
  });

  it('go with a purge and with their room, and leave no row behind when they are over', async () => {
    const roomId = await together();
    const roomNid = (await findRoom(world.database.db, roomId))?.roomNid ?? 0;
    const rows = async (): Promise<number> => (await world.database.db.get(countSticky, { roomNid })).count;
    await stick(alice, roomId, 1_000);
    expect(await rows()).to.equal(1);
    await world.clock.advance(PRUNE_INTERVAL_MS);
    expect(await rows()).to.equal(0);
    await stick(alice, roomId, HOUR_MS);
    const beforeEventId = await stick(alice, roomId, HOUR_MS);
    const rooms = world.host.ref('rooms');
    await rooms.ask('rooms.purge-history', { roomId, beforeEventId, deleteLocalEvents: true });
    const filter = JSON.stringify(NO_TIMELINE);
    expect(idsOf(sticky(await bob.sync({ filter }), roomId))).to.deep.equal([beforeEventId]);
    expect(await rows()).to.equal(1);
    await rooms.ask('rooms.delete-room', { roomId, isBlocked: false });
    expect(await rows()).to.equal(0);
  });

  it('wake a sync that waits, even where the timeline hides them', async () => {
    const roomId = await together();
    const filter = parseSyncFilter(NO_TIMELINE);
    const since = parseToken((await bob.sync({ filter: JSON.stringify(NO_TIMELINE) })).next_batch);
    if (isRefusal(filter) || isRefusal(since)) throw new Error('refused');
    const parked = world.parked();
    const poll = answerSync(world.services, {
      caller: { userId: bob.userId, deviceId: bob.deviceId },
      since,
      filter,
      fullState: false,
      stateForm: 'state',
      timeoutMs: 30_000,
      presence: 'offline',
      aborted: new AbortController().signal,
    });
    await parked;
    const eventId = await stick(alice, roomId, HOUR_MS);
    const answer: Answer = JSON.parse((await poll).text);
    expect(idsOf(sticky(answer, roomId))).to.deep.equal([eventId]);
  });

  it('that are too many for one answer come with the next ones, each once, in rooms new and old', async () => {
    const held = await together();
    const rooms = [await alice.room(), await alice.room(), await alice.room()];
    const [first = '', second = '', third = ''] = rooms;
    const sent = new Map([
      [first, await stickMany(alice, first, STICKY_EVENTS_MAX + 20)],
      [second, await stickMany(alice, second, 30)],
      [third, await stickMany(alice, third, 5)],
    ]);
    for (const roomId of rooms) await bob.act('join', roomId);
    sent.set(held, await stickMany(alice, held, STICKY_EVENTS_MAX + 50));
    const told = new Map<string, string[]>();
    const pages: number[] = [];
    let answer = await bob.next(NO_TIMELINE);
    for (let more = true; more;) {
      let page = 0;
      for (const roomId of sent.keys()) {
        const ids = idsOf(sticky(answer, roomId));
        page += ids.length;
        told.set(roomId, [...(told.get(roomId) ?? []), ...ids]);
      }
      pages.push(page);
      if (pages.length === 2) {
        sent.get(held)?.push(...(await stickMany(alice, held, 3)));
        sent.get(first)?.push(...(await stickMany(alice, first, 3)));
        sent.get(third)?.push(...(await stickMany(alice, third, 3)));
      }
      more = answer.next_batch.includes('_y') || pages.length < 3;
      if (more) answer = await bob.next(NO_TIMELINE);
    }
    for (const [roomId, ids] of sent) expect(told.get(roomId), roomId).to.deep.equal(ids);
    expect(pages.slice(0, 2)).to.deep.equal([STICKY_EVENTS_MAX, STICKY_EVENTS_MAX]);
    const again = await bob.next(NO_TIMELINE);
    for (const roomId of sent.keys()) expect(sticky(again, roomId)).to.deep.equal([]);
  });

  it('tells the next room from its beginning when the one that was being told is left', async () => {
    const roomId = await alice.room();
    const next = await alice.room();
    // They stand before those that are told of the other room.
    const ids = await stickMany(alice, next, 3);
    await stickMany(alice, roomId, STICKY_EVENTS_MAX + 1);
    await bob.next(NO_TIMELINE);
    await bob.act('join', roomId);
    await bob.act('join', next);
    const answer = await bob.next(NO_TIMELINE);
    expect(sticky(answer, roomId)).to.have.length(STICKY_EVENTS_MAX);
    expect(sticky(answer, next)).to.deep.equal([]);
    await bob.act('leave', roomId);
    expect(idsOf(sticky(await bob.next(NO_TIMELINE), next))).to.deep.equal(ids);
  });

  it('are refused for a duration out of bounds, and 0 is none', async () => {
    const roomId = await together();
    for (const duration of ['-1', '3600001', '1.5', 'long']) {
      const path = `${CLIENT}${pathOf`/rooms/${roomId}/send/x/bad${duration}`}`;
      const answer = await alice.http.request('PUT', path, { query: { [PARAM]: duration }, body: {} });
      expect(answer.status, duration).to.equal(400);
      expect((answer.body as Answer).errcode).to.equal('M_INVALID_PARAM');
    }
    await stick(alice, roomId, 0);
    expect(sticky(await bob.next(NO_TIMELINE), roomId)).to.deep.equal([]);
  });
});
