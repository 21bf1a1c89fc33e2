import { expect } from 'chai';
import type { TSchema } from 'typebox';
import { findEvent } from '../../../../../db/rooms/event-reader.ts';
import { storePartialRoom } from '../../../../../db/rooms/partial-writer.ts';
import { findRoom } from '../../../../../db/rooms/room-reader.ts';
import { type Endpoint, JsonText } from '../../../../../src/http/kit/endpoint.ts';
import { createStateAnswers } from '../../../../../src/federation/history/state-answers.ts';
import { systemClock } from '../../../../../src/kit/clock.ts';
import { endpoint as makeJoin } from '../../../../../src/http/server/membership/make-join.ts';
import { endpoint as makeKnock } from '../../../../../src/http/server/membership/make-knock.ts';
import { endpoint as makeLeave } from '../../../../../src/http/server/membership/make-leave.ts';
import { endpoint as sendJoin } from '../../../../../src/http/server/membership/send-join.ts';
import { endpoint as sendKnock } from '../../../../../src/http/server/membership/send-knock.ts';
import { endpoint as sendLeave } from '../../../../../src/http/server/membership/send-leave.ts';
import { MEMBERS_GIVEN_MAX } from '../../../../../src/federation/memberships/join-answer.ts';
import { isJsonObject, type Json, type JsonObject } from '../../../../../src/kit/json.ts';
import { eventIdOf } from '../../../../../src/matrix/events/event-id.ts';
import { hashAndSignEvent, verifyEvent } from '../../../../../src/matrix/events/event-signatures.ts';
import { edgeIds, type Pdu, type ProtoPdu } from '../../../../../src/matrix/events/pdu.ts';
import { isRefusal } from '../../../../../src/matrix/refusal.ts';
import { makeServerKey, verifyKeyOf } from '../../../../../src/matrix/signing.ts';
import { seededRandom } from '../../../../../src/kit/random.ts';
import { getSpecAnswers } from '../../../../support/spec-answers.ts';
import {
  OTHER,
  openReceiverWorld,
  type ReceiverWorld,
  THIRD,
} from '../../../../actors/federation-receiver/receiver-world.ts';
import { DAVE } from '../../../../actors/rooms/receive-world.ts';
import {
  ALICE,
  BOB,
  change,
  makeRoom,
  sendMessage,
  sendState,
  sent,
  SERVER,
} from '../../../../actors/rooms/rooms-house.ts';

const ERIN = `@erin:${THIRD}`;

type AnyEndpoint = Endpoint<TSchema, TSchema, TSchema, TSchema, 'server', never>;
type Membership = 'join' | 'leave' | 'knock';

const MAKE: Readonly<Record<Membership, unknown>> = { join: makeJoin, leave: makeLeave, knock: makeKnock };
const SEND: Readonly<Record<Membership, unknown>> = { join: sendJoin, leave: sendLeave, knock: sendKnock };

describe('memberships that other servers change', () => {
  let world: ReceiverWorld;
  afterEach(() => world.close());

  /** Asks as a server whose signature was checked; an answer is checked against the specification. */
  const ask = async (
    endpoint: unknown,
    request: {
      readonly params: Readonly<Record<string, string>>;
      readonly query?: JsonObject;
      readonly body?: JsonObject;
    },
    serverName = THIRD,
  ): Promise<JsonObject> => {
    const { house } = world;
    const services = {
      db: house.database.db,
      cached: house.caches,
      config: { server: { name: SERVER } },
      rooms: house.rooms,
      stateAnswers: createStateAnswers(systemClock),
      'federation-receiver': house.ref('federation-receiver'),
    };
    const { method, path } = endpoint as AnyEndpoint;
    const { handle } = endpoint as { readonly handle: (this: void, request: unknown) => Promise<unknown> };
    const given = { query: {}, ...request, caller: { serverName }, services };
    const answer: unknown = await handle(given);
    if (isRefusal(answer)) return { errcode: answer.errcode, status: answer.status };
    const body = (answer instanceof JsonText ? JSON.parse(answer.text) : answer) as JsonObject;
    const url = path.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
      encodeURIComponent(request.params[name] ?? ''),
    );
    // The documents want what no room version has in its events: the name of the server that made them.
    const event = isJsonObject(body['event']) ? { event: { origin: SERVER, ...body['event'] } } : {};
    const seen = { status: 200, contentType: 'application/json', body: { ...body, ...event } as Json };
    expect(getSpecAnswers().problems(method, url, seen)).to.deep.equal([]);
    return body;
  };
  const make = (
    membership: Membership,
    userId = ERIN,
    serverName = THIRD,
    ver = ['1', '3', '10', '11', '12'],
  ) => ask(MAKE[membership], { params: { roomId: world.roomId, userId }, query: { ver } }, serverName);

  interface Finished {
    readonly eventId: string;
    readonly pdu: Pdu;
  }

  /** What the other server makes of a template. */
  const finish = (template: JsonObject, other: JsonObject = {}, serverName = THIRD): Finished => {
    const { version } = world.foreign;
    const proto = { ...(template['event'] as JsonObject), ...other } as ProtoPdu;
    const named =
      version.eventIdFormat === 'server-chosen' ? { event_id: `$made${proto.depth}:${serverName}` } : {};
    const signer = { serverName, key: world.foreign.keyOf(serverName) };
    const pdu = hashAndSignEvent(version, { ...proto, ...named }, signer);
    return { eventId: eventIdOf(version, pdu) ?? '', pdu };
  };
  const send = (
    membership: Membership,
    { eventId, pdu }: Finished,
    query: JsonObject = {},
    serverName = THIRD,
  ) => ask(SEND[membership], { params: { roomId: world.roomId, eventId }, query, body: pdu }, serverName);
  const enter = async (
    query: JsonObject = {},
  ): Promise<{ readonly join: Finished; readonly answer: JsonObject }> => {
    const join = finish(await make('join'));
    return { join, answer: await send('join', join, query) };
  };
  const idsOf = (events: Json | undefined): readonly string[] =>
    (events as readonly Pdu[]).map((pdu) => eventIdOf(world.foreign.version, pdu) ?? '');
  const queued = () =>
    world
      .told('federation.queue-event')
      .map(({ eventId, exceptHost, removedUserId }) => ({ eventId, exceptHost, removedUserId }));
  const membershipOf = async (userId: string): Promise<unknown> => {
    const eventId = await world.standing('m.room.member', userId);
    const event = eventId === undefined ? undefined : await findEvent(world.house.database.db, eventId);
    return event && (JSON.parse(event.pdu) as Pdu).content['membership'];
  };

  for (const version of ['1', '3', '11', '12'])
    it(`a join of a room of version ${version} is answered with the state before it, and all that authorises that`, async () => {
      world = await openReceiverWorld(version);
      const { join, answer } = await enter();
      const state = idsOf(answer['state']);
      expect(state).to.have.members([...world.foreign.get(world.dave.eventId).stateAfter.values()]);
      expect(answer['members_omitted']).to.equal(false);
      const chain = new Set(idsOf(answer['auth_chain']));
      const events = [
        ...(answer['state'] as readonly Pdu[]),
        ...(answer['auth_chain'] as readonly Pdu[]),
        join.pdu,
      ];
      for (const { auth_events: edges } of events)
        for (const eventId of edgeIds(edges)) expect(chain.has(eventId), eventId).to.equal(true);
      expect(await membershipOf(ERIN)).to.equal('join');
      // It came through us: the others get it from us, its own server does not.
      expect(queued().at(-1)).to.deep.include({ eventId: join.eventId, exceptHost: THIRD });
      const again = await send('join', join);
      expect(idsOf(again['state'])).to.have.members(state);
    });

  it('members are left out for a server that can do without, those excepted who say what the room is called', async () => {
    world = await openReceiverWorld();
    const { house, roomId } = world;
    for (let number = 1; number < MEMBERS_GIVEN_MAX - 2; number += 1)
      sent(await change(house, roomId, 'join', `@carol${number}:example.com`));
    const membersIn = (answer: JsonObject): number =>
      (answer['state'] as readonly Pdu[]).filter(({ type }) => type === 'm.room.member').length;
    // A small room is given whole: nobody has to come back for the rest.
    const small = (await enter({ omit_members: true })).answer;
    expect([small['members_omitted'], membersIn(small)]).to.deep.equal([false, MEMBERS_GIVEN_MAX]);
    const inChain = new Set(idsOf(small['auth_chain']));
    for (const eventId of idsOf(small['state'])) expect(inChain.has(eventId), eventId).to.equal(false);
    expect(await send('leave', finish(await make('leave')))).to.deep.equal({});
    sent(await change(house, roomId, 'join', '@dan:example.com'));
    const { answer } = await enter({ omit_members: true });
    expect(answer).to.include({ members_omitted: true });
    expect(answer['servers_in_room']).to.have.members([SERVER, 'other.example']);
    // Those who name it, and what the user was before.
    expect(membersIn(answer)).to.equal(6);
    const given = new Set([...idsOf(answer['state']), ...idsOf(answer['auth_chain'])]);
    expect(given.size).to.equal(idsOf(answer['state']).length + idsOf(answer['auth_chain']).length);
    for (const { auth_events: edges } of answer['state'] as readonly Pdu[])
      for (const eventId of edgeIds(edges)) expect(given.has(eventId), eventId).to.equal(true);
    sent(await sendState(house, roomId, ALICE, { type: 'm.room.name', content: { name: 'Tavern' } }));
    const leave = finish(await make('leave'));
    expect(await send('leave', leave)).to.deep.equal({});
    // Nobody but the user alone, who was something before.
    expect(membersIn((await enter({ omit_members: true })).answer)).to.equal(1);
  });

  it('while this server does not know all members it helps nobody in, and sends those who ask to other servers', async () => {
    world = await openReceiverWorld();
    const { house, roomId } = world;
    const room = await findRoom(house.database.db, roomId);
    const partial = { joinEventId: '$join', joinedVia: OTHER, servers: [OTHER] };
    const steps = [storePartialRoom({ roomNid: room?.roomNid ?? 0, ...partial })];
    expect(await house.database.write.write({ owner: 'rooms', steps })).to.include({ kind: 'committed' });
    const elsewhere = { errcode: 'M_NOT_FOUND', status: 404 };
    expect(await make('join')).to.deep.equal(elsewhere);
    expect(await make('knock')).to.deep.equal(elsewhere);
    // Erin may have an invite that is not known here; Dave is known to have something to leave.
    expect(await make('leave')).to.deep.equal(elsewhere);
    expect(await make('leave', DAVE, OTHER)).to.have.property('event');
    const anything = { eventId: '$anything', pdu: {} as Pdu };
    expect(await send('join', anything)).to.deep.equal(elsewhere);
    expect(await send('knock', anything)).to.deep.equal(elsewhere);
  });

  it('what is redacted is given redacted', async () => {
    world = await openReceiverWorld();
    const { house, roomId } = world;
    const topic = sent(
      await sendState(house, roomId, ALICE, { type: 'm.room.topic', content: { topic: 'secret' } }),
    );
    const redaction = { roomId, sender: ALICE, eventId: topic.eventId, content: {}, transaction: null };
    sent(await house.rooms.ask('rooms.redact-event', redaction));
    const { answer } = await enter();
    expect(idsOf(answer['state'])).to.include(topic.eventId);
    expect(JSON.stringify(answer)).to.not.include('secret');
  });

  it('a knock is told what the room is; it is taken back; an invite is rejected', async () => {
    world = await openReceiverWorld();
    const content = { join_rule: 'knock' };
    sent(await sendState(world.house, world.roomId, ALICE, { type: 'm.room.join_rules', content }));
    const knock = finish(await make('knock'));
    const { knock_room_state: told } = await send('knock', knock);
    expect((told as readonly Pdu[]).map(({ type }) => type)).to.have.members([
      'm.room.create',
      'm.room.join_rules',
    ]);
    expect(await membershipOf(ERIN)).to.equal('knock');
    expect(await send('leave', finish(await make('leave')))).to.deep.equal({});
    expect(await membershipOf(ERIN)).to.equal('leave');
    expect(queued().at(-1)).to.deep.include({ exceptHost: THIRD, removedUserId: ERIN });
    sent(await change(world.house, world.roomId, 'invite', ALICE, ERIN));
    expect(await send('leave', finish(await make('leave')))).to.deep.equal({});
    expect(await membershipOf(ERIN)).to.equal('leave');
  });

  it('nothing is made or taken for whom it is not', async () => {
    world = await openReceiverWorld();
    const { house } = world;
    expect(await make('join', DAVE)).to.deep.equal({ errcode: 'M_FORBIDDEN', status: 403 });
    expect(await make('join', 'nobody')).to.include({ errcode: 'M_INVALID_PARAM' });
    expect(await make('join', ERIN, THIRD, ['1'])).to.include({
      errcode: 'M_INCOMPATIBLE_ROOM_VERSION',
      status: 400,
    });
    expect(await make('knock')).to.include({ errcode: 'M_FORBIDDEN' });
    expect(await make('leave')).to.include({ errcode: 'M_FORBIDDEN' });
    const template = await make('join');
    const join = finish(template);
    const params = { roomId: '!nowhere:example.com', eventId: join.eventId };
    expect(await ask(sendJoin, { params, body: join.pdu })).to.include({
      errcode: 'M_NOT_FOUND',
      status: 404,
    });
    const member = (membership: string): JsonObject => ({ content: { membership } });
    for (const [name, event, server, errcode] of [
      ['another server', join, 'other.example', 'M_INVALID_PARAM'],
      ['another id', { ...join, eventId: '$another' }, THIRD, 'M_INVALID_PARAM'],
      ['a knock', finish(template, member('knock')), THIRD, 'M_INVALID_PARAM'],
      ['another type', finish(template, { type: 'm.room.topic' }), THIRD, 'M_INVALID_PARAM'],
      ['another user', finish(template, { state_key: BOB }), THIRD, 'M_INVALID_PARAM'],
      ['another room', finish(template, { room_id: '!another:example.com' }), THIRD, 'M_INVALID_PARAM'],
      ['no event', { ...join, pdu: { type: 'm.room.member' } as unknown as Pdu }, THIRD, 'M_BAD_JSON'],
      ['not signed', { ...join, pdu: { ...join.pdu, signatures: {} } }, THIRD, 'M_FORBIDDEN'],
    ] as const)
      expect((await send('join', event, {}, server))['errcode'], name).to.equal(errcode);
    sent(await change(house, world.roomId, 'ban', ALICE, ERIN));
    expect(await send('join', join)).to.include({ errcode: 'M_FORBIDDEN' });
    expect(await make('join')).to.include({ errcode: 'M_FORBIDDEN' });
    expect(await membershipOf(ERIN)).to.equal('ban');
  });

  it('a server that the room shuts out is told so', async () => {
    world = await openReceiverWorld();
    const join = finish(await make('join'));
    const content = { allow: ['*'], deny: ['third.*'] };
    sent(await sendState(world.house, world.roomId, ALICE, { type: 'm.room.server_acl', content }));
    for (const answer of [
      await make('join'),
      await make('leave'),
      await make('knock'),
      await send('join', join),
    ])
      expect(answer).to.deep.equal({ errcode: 'M_FORBIDDEN', status: 403 });
  });

  it('a join into a restricted room is signed here too, and only while the user may come in', async () => {
    world = await openReceiverWorld();
    const { house } = world;
    const ruled = (allowed: string): JsonObject => ({
      join_rule: 'restricted',
      allow: [{ type: 'm.room_membership', room_id: allowed }],
    });
    // Dave is in the first room, whose members may join the second one.
    const roomId = await makeRoom(house, { joinRule: ruled(world.roomId) });
    const restrict = (allowed: string): Promise<unknown> =>
      sendState(house, roomId, ALICE, { type: 'm.room.join_rules', content: ruled(allowed) });
    const makeFor = (userId: string, serverName: string): Promise<JsonObject> =>
      ask(makeJoin, { params: { roomId, userId }, query: { ver: ['11'] } }, serverName);
    const sendTo = ({ eventId, pdu }: Finished): Promise<JsonObject> =>
      ask(sendJoin, { params: { roomId, eventId }, body: pdu }, OTHER);
    expect(await makeFor(ERIN, THIRD)).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
    const template = await makeFor(DAVE, OTHER);
    const content = { membership: 'join', join_authorised_via_users_server: ALICE };
    expect(template).to.have.deep.nested.property('event.content', content);
    const join = finish(template, {}, OTHER);
    await restrict('!elsewhere:other.example');
    expect(await makeFor(DAVE, OTHER)).to.include({ errcode: 'M_UNABLE_TO_AUTHORISE_JOIN', status: 400 });
    expect(await sendTo(join)).to.include({ errcode: 'M_UNABLE_TO_AUTHORISE_JOIN' });
    await restrict(world.roomId);
    const other = { content: { ...content, join_authorised_via_users_server: ERIN } };
    expect(await sendTo(finish(template, other, OTHER))).to.include({ errcode: 'M_FORBIDDEN' });
    const event = (await sendTo(join))['event'] as unknown as Pdu;
    const own = verifyKeyOf(makeServerKey(seededRandom(7).bytes(32), 'test'));
    expect(verifyEvent(world.foreign.version, event, SERVER, own)).to.equal(true);
  });

  it('an event that came meanwhile is no hindrance', async () => {
    world = await openReceiverWorld();
    const join = finish(await make('join'));
    const message = sent(await sendMessage(world.house, world.roomId, ALICE, 'meanwhile'));
    const answer = await send('join', join);
    expect(idsOf(answer['state'])).to.have.members([
      ...world.foreign.get(world.dave.eventId).stateAfter.values(),
    ]);
    expect(await world.extremities()).to.have.members([join.eventId, message.eventId]);
    expect(queued()).to.deep.include({ eventId: join.eventId, exceptHost: THIRD, removedUserId: undefined });
  });
});
