import { expect } from 'chai';
import type { TSchema } from 'typebox';
import { storePartialRoom } from '../../../../../db/rooms/partial-writer.ts';
import { findRoom } from '../../../../../db/rooms/room-reader.ts';
import { endpoint as getEvent } from '../../../../../src/http/server/events/get-event.ts';
import { endpoint as getEventAuth } from '../../../../../src/http/server/events/get-event-auth.ts';
import { endpoint as getState } from '../../../../../src/http/server/events/get-state.ts';
import { endpoint as getStateIds } from '../../../../../src/http/server/events/get-state-ids.ts';
import { endpoint as backfill } from '../../../../../src/http/server/history/backfill.ts';
import { endpoint as getMissing } from '../../../../../src/http/server/history/get-missing-events.ts';
import { createStateAnswers } from '../../../../../src/federation/history/state-answers.ts';
import { type Endpoint, JsonText } from '../../../../../src/http/kit/endpoint.ts';
import { systemClock } from '../../../../../src/kit/clock.ts';
import type { Json, JsonObject } from '../../../../../src/kit/json.ts';
import { edgeIds, type Pdu } from '../../../../../src/matrix/events/pdu.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { getSpecAnswers } from '../../../../support/spec-answers.ts';
import { openForeignRoom } from '../../../../actors/rooms/foreign-events.ts';
import {
  DAVE,
  ERIN,
  member,
  message,
  openReceiveWorld,
  type ReceiveWorld,
  topic,
} from '../../../../actors/rooms/receive-world.ts';
import { ALICE, change, sendMessage, sendState, sent, SERVER } from '../../../../actors/rooms/rooms-house.ts';

const OTHER = 'other.example';
const THIRD = 'third.example';
const STATE_KEY = '';

type AnyEndpoint = Endpoint<TSchema, TSchema, TSchema, TSchema, 'server', never>;

describe('the history that other servers get', () => {
  let world: ReceiveWorld;
  afterEach(() => world.close());

  const open = async (version?: string): Promise<void> => {
    world = await openReceiveWorld(version);
  };

  /** Asks as a server whose signature was checked; an answer is checked against the specification. */
  const ask = async (
    endpoint: unknown,
    serverName: string,
    request: {
      readonly params?: Readonly<Record<string, string>>;
      readonly query?: JsonObject;
      readonly body?: JsonObject;
    },
  ): Promise<JsonObject> => {
    const { database, caches } = world.house;
    const services = {
      db: database.db,
      cached: caches,
      clock: systemClock,
      stateAnswers: createStateAnswers(systemClock),
      config: { server: { name: SERVER } },
    };
    const served = endpoint as AnyEndpoint;
    const answer: unknown = await served.handle({ ...request, caller: { serverName }, services } as never);
    if (isRefusal(answer)) return { errcode: answer.errcode, status: answer.status };
    const body = (
      answer instanceof JsonText ? JSON.parse(answer.text) : (answer as { readonly body: unknown }).body
    ) as JsonObject;
    const url = served.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => request.params?.[name] ?? '');
    const seen = { status: 200, contentType: 'application/json', body: body as Json };
    expect(getSpecAnswers().problems(served.method, url, seen)).to.deep.equal([]);
    return body;
  };
  const say = async (body: string): Promise<string> =>
    sent(await sendMessage(world.house, world.roomId, ALICE, body)).eventId;
  const setVisibility = (value: string): Promise<unknown> =>
    sendState(world.house, world.roomId, ALICE, {
      type: 'm.room.history_visibility',
      stateKey: STATE_KEY,
      content: { history_visibility: value },
    });
  const bodiesOf = (pdus: unknown): readonly unknown[] =>
    (pdus as readonly Pdu[])
      .filter(({ type }) => type === 'm.room.message')
      .map(({ content }) => content['body'] ?? null);
  const backfillFrom = (serverName: string, eventId: string, limit = 100): Promise<JsonObject> =>
    ask(backfill, serverName, { params: { roomId: world.roomId }, query: { v: [eventId], limit } });
  const eventOf = (serverName: string, eventId: string): Promise<JsonObject> =>
    ask(getEvent, serverName, { params: { eventId } });

  for (const version of ['1', '11', '12'])
    it(`is events as they were signed, with all that authorises them (room version ${version})`, async () => {
      await open(version);
      const eventId = await say('hello');
      const { pdus } = await eventOf(OTHER, eventId);
      const [pdu] = pdus as readonly Pdu[];
      const stored = await world.find({ eventId });
      expect(pdu).to.deep.equal(JSON.parse(stored?.pdu ?? ''));
      const params = { roomId: world.roomId, eventId };
      const { auth_chain: chain } = await ask(getEventAuth, OTHER, { params });
      const types = new Set((chain as readonly Pdu[]).map(({ type }) => type));
      expect([...types]).to.include.members(['m.room.power_levels', 'm.room.member']);
      // From version 12 on the room's id names the event that made it.
      expect(types.has('m.room.create')).to.equal(version !== '12');
    });

  it('has no states while this server does not know all members, but what authorises an event', async () => {
    await open();
    const eventId = await say('hello');
    const room = await findRoom(world.house.database.db, world.roomId);
    const partial = { joinEventId: '$join', joinedVia: OTHER, servers: [THIRD] };
    const steps = [storePartialRoom({ roomNid: room?.roomNid ?? 0, ...partial })];
    const stored = await world.house.database.write.write({ owner: 'rooms', steps });
    expect(stored.kind).to.equal('committed');
    const at = { params: { roomId: world.roomId }, query: { event_id: eventId } };
    const refused = { errcode: 'ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE', status: 403 };
    // Whoever was named as being in the room may ask as one who is.
    for (const serverName of [OTHER, THIRD]) {
      for (const endpoint of [getState, getStateIds])
        expect(await ask(endpoint, serverName, at)).to.deep.equal(refused);
      const chain = await ask(getEventAuth, serverName, { params: { roomId: world.roomId, eventId } });
      expect(chain['auth_chain']).to.have.length.above(2);
    }
    expect(await ask(getState, 'fourth.example', at)).to.include({ errcode: 'M_FORBIDDEN' });
  });

  it('has the state before an event, not after it, as ids and whole', async () => {
    await open();
    const first = sent(
      await sendState(world.house, world.roomId, ALICE, {
        type: 'm.room.topic',
        stateKey: '',
        content: { topic: 'a' },
      }),
    );
    const second = sent(
      await sendState(world.house, world.roomId, ALICE, {
        type: 'm.room.topic',
        stateKey: '',
        content: { topic: 'b' },
      }),
    );
    const at = (eventId: string) => ({ params: { roomId: world.roomId }, query: { event_id: eventId } });
    const before = await ask(getStateIds, OTHER, at(second.eventId));
    expect(before['pdu_ids']).to.include(first.eventId).and.not.include(second.eventId);
    const beforeFirst = await ask(getStateIds, OTHER, at(first.eventId));
    expect(beforeFirst['pdu_ids']).to.not.include(first.eventId);
    const whole = await ask(getState, OTHER, at(second.eventId));
    expect(whole['pdus']).to.have.length((before['pdu_ids'] as readonly string[]).length);
    expect(whole['auth_chain']).to.have.length((before['auth_chain_ids'] as readonly string[]).length);
    // As another implementation resolves it.
    const foreign = openForeignRoom(world.roomId, '11');
    const event = await foreign.adopt(world.house, second.eventId);
    expect(before['pdu_ids']).to.have.members([...event.stateBefore.values()]);
  });

  it('has what came before an event, itself included, as far as is asked', async () => {
    await open();
    const ids = [await say('1'), await say('2'), await say('3')];
    const { pdus } = await backfillFrom(OTHER, ids[2] ?? '', 2);
    expect(bodiesOf(pdus)).to.deep.equal(['2', '3']);
    const all = await backfillFrom(OTHER, ids[2] ?? '');
    expect((all['pdus'] as readonly Pdu[]).at(0)?.type).to.equal('m.room.create');
  });

  it('has the events between two points, and none of what lies deeper than is asked', async () => {
    await open();
    const ids = [await say('1'), await say('2'), await say('3'), await say('4')];
    const [first = '', , , last = ''] = ids;
    const missing = async (body: JsonObject): Promise<readonly unknown[]> => {
      const answer = await ask(getMissing, OTHER, { params: { roomId: world.roomId }, body });
      return bodiesOf(answer['events']);
    };
    const gap = { earliest_events: [first], latest_events: [last] };
    expect(await missing(gap)).to.deep.equal(['2', '3']);
    expect(await missing({ ...gap, limit: 1 })).to.deep.equal(['3']);
    const depth = (await world.find({ eventId: ids[2] ?? '' }))?.depth ?? 0;
    expect(await missing({ ...gap, min_depth: depth })).to.deep.equal(['3']);
    expect(await missing({ ...gap, latest_events: ['$unknown'] })).to.deep.equal([]);
  });

  it('is for servers in the room, and nobody else learns whether there is one', async () => {
    await open();
    const eventId = await say('secret');
    const { roomId } = world;
    const no = { errcode: 'M_FORBIDDEN', status: 403 };
    for (const room of [roomId, '!nowhere:example.com']) {
      expect(
        await ask(backfill, THIRD, { params: { roomId: room }, query: { v: [eventId], limit: 9 } }),
      ).to.deep.equal(no);
      expect(
        await ask(getStateIds, THIRD, { params: { roomId: room }, query: { event_id: eventId } }),
      ).to.deep.equal(no);
      expect(
        await ask(getState, THIRD, { params: { roomId: room }, query: { event_id: eventId } }),
      ).to.deep.equal(no);
      expect(await ask(getEventAuth, THIRD, { params: { roomId: room, eventId } })).to.deep.equal(no);
      const body = { earliest_events: [], latest_events: [eventId] };
      expect(await ask(getMissing, THIRD, { params: { roomId: room }, body })).to.deep.equal(no);
    }
    const none = { errcode: 'M_NOT_FOUND', status: 404 };
    expect(await eventOf(THIRD, eventId)).to.deep.equal(none);
    expect(await eventOf(THIRD, '$unknown')).to.deep.equal(none);
    const elsewhere = { params: { roomId }, query: { event_id: '$unknown' } };
    expect(await ask(getStateIds, OTHER, elsewhere)).to.deep.equal(none);
  });

  it('is not for servers that the room shuts out', async () => {
    await open();
    const eventId = await say('hello');
    await sendState(world.house, world.roomId, ALICE, {
      type: 'm.room.server_acl',
      stateKey: '',
      content: { allow: ['*'], deny: ['*.EXAMPLE'] },
    });
    await world.house.idle();
    expect(await eventOf(OTHER, eventId)).to.include({ status: 404 });
    expect(await backfillFrom(OTHER, eventId)).to.include({ errcode: 'M_FORBIDDEN' });
    const params = { roomId: world.roomId, eventId };
    expect(await ask(getEventAuth, OTHER, { params })).to.include({ errcode: 'M_FORBIDDEN' });
    const body = { earliest_events: [], latest_events: [eventId] };
    expect(await ask(getMissing, OTHER, { params, body })).to.include({ errcode: 'M_FORBIDDEN' });
  });

  it('is redacted where it was for others only, and whole where anybody might read', async () => {
    await open();
    const early = await say('for who was there');
    await setVisibility('joined');
    const hidden = await say('before Erin came');
    const erin = world.foreign;
    await erin.adopt(world.house, hidden);
    await world.giveAll(erin.add(member(ERIN, ERIN, 'join')));
    await world.house.idle();
    const later = await say('Erin is here');
    expect(bodiesOf((await backfillFrom(THIRD, later))['pdus'])).to.deep.equal([
      'for who was there',
      null,
      'Erin is here',
    ]);
    expect(bodiesOf((await eventOf(THIRD, hidden))['pdus'])).to.deep.equal([null]);
    expect(bodiesOf((await eventOf(THIRD, early))['pdus'])).to.deep.equal(['for who was there']);
    expect(bodiesOf((await eventOf(OTHER, hidden))['pdus'])).to.deep.equal(['before Erin came']);
    await setVisibility('world_readable');
    const everybody = await say('for everybody');
    expect(bodiesOf((await eventOf('nobody.example', everybody))['pdus'])).to.deep.equal(['for everybody']);
    expect(await eventOf('nobody.example', later)).to.include({ status: 404 });
  });

  it('ends with the end of a server’s stay, which it may still look at', async () => {
    await open();
    const during = await say('Dave is here');
    const kick = sent(await change(world.house, world.roomId, 'kick', ALICE, DAVE));
    await world.house.idle();
    const after = await say('Dave is gone');
    const { roomId } = world;
    const gap = { earliest_events: [world.dave.eventId], latest_events: [kick.eventId] };
    const answer = await ask(getMissing, OTHER, { params: { roomId }, body: gap });
    expect(bodiesOf(answer['events'])).to.deep.equal(['Dave is here']);
    expect((await eventOf(OTHER, kick.eventId))['pdus']).to.have.length(1);
    expect(bodiesOf((await eventOf(OTHER, during))['pdus'])).to.deep.equal(['Dave is here']);
    expect(await eventOf(OTHER, after)).to.include({ status: 404 });
    const at = { params: { roomId }, query: { event_id: kick.eventId } };
    expect((await ask(getStateIds, OTHER, at))['pdu_ids']).to.include(world.dave.eventId);
    const afterwards = { params: { roomId }, query: { event_id: after } };
    expect(await ask(getStateIds, OTHER, afterwards)).to.include({ errcode: 'M_FORBIDDEN' });
    expect(await backfillFrom(OTHER, after)).to.include({ errcode: 'M_FORBIDDEN' });
  });

  it('leaves out what was refused here, and gives what soft-failed to who asks for it by name', async () => {
    await open();
    const forbidden = world.foreign.add(topic('@mallory:other.example', 'mine'));
    await world.giveAll(forbidden);
    expect(await eventOf(OTHER, forbidden.eventId)).to.include({ status: 404 });
    const { eventId: ban } = sent(await change(world.house, world.roomId, 'ban', ALICE, DAVE));
    const late = world.foreign.build({ ...message(DAVE, 'late'), prev: [world.dave.eventId] });
    (world.foreign.events as Map<string, typeof late>).set(late.eventId, late);
    expect(await world.giveAll(late)).to.deep.equal(['soft-failed']);
    await world.house.idle();
    expect(ban).to.be.a('string');
    expect(bodiesOf((await eventOf(OTHER, late.eventId))['pdus'])).to.deep.equal(['late']);
  });

  it('has redacted events as what a redaction leaves', async () => {
    await open();
    const eventId = await say('regretted');
    await world.house.rooms.ask('rooms.redact-event', {
      roomId: world.roomId,
      sender: ALICE,
      eventId,
      content: {},
      transaction: null,
    });
    const [pdu] = (await eventOf(OTHER, eventId))['pdus'] as readonly Pdu[];
    expect(pdu?.content).to.deep.equal({});
    expect(edgeIds(pdu?.prev_events ?? [])).to.have.length(1);
  });
});
