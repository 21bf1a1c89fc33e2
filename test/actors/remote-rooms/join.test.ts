import { expect } from 'chai';
import { JOINS_AT_ONCE_MAX } from '../../../actors/remote-rooms/actor.ts';
import { CANDIDATES_MAX } from '../../../actors/remote-rooms/candidates.ts';
import type { Sent } from '../../../actors/rooms/protocol.ts';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readCurrentState } from '../../../db/rooms/state-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import type { Refusal } from '../../../src/matrix/refusal.ts';
import { countersignEvent } from '../../../src/matrix/events/event-signatures.ts';
import { getRoomVersion, ROOM_VERSIONS } from '../../../src/matrix/rooms/room-versions.ts';
import { FOREIGN_KEY, type ForeignRoom, makeForeignRoom } from '../../support/foreign-room.ts';
import { ALICE, BOB, refused, sent, SERVER } from '../rooms/rooms-house.ts';
import {
  DOWN,
  no,
  openRemoteWorld,
  OTHER,
  type RemoteWorld,
  stateOf,
  templateOf,
  THIRD,
} from './remote-world.ts';

const LIAR = 'liar.example';

describe('remote-rooms.join', () => {
  let world: RemoteWorld;
  beforeEach(async () => {
    world = await openRemoteWorld();
  });
  afterEach(() => world.close());

  const join = (
    { roomId }: Pick<ForeignRoom, 'roomId'>,
    via: readonly string[] = [OTHER],
    content: JsonObject = {},
    userId = ALICE,
  ): Promise<Sent | Refusal> => world.ask('remote-rooms.join', { roomId, userId, via, content });
  const refusal = async (joining: Promise<Sent | Refusal>): Promise<Refusal> => {
    const answer = await joining;
    if (answer.kind !== 'refused') throw new Error('the user has joined');
    return answer;
  };

  for (const { id: version } of ROOM_VERSIONS)
    it(`takes in the state of a room of version ${version}, with an event of its own user`, async () => {
      const room = makeForeignRoom({ version });
      world.hosts(OTHER, room);
      const { eventId } = sent(await join(room, [OTHER], { displayname: 'Alice', reason: 'why not' }));
      const stored = await findEvent(world.house.database.db, eventId);
      const { content, sender, origin_server_ts: ts } = JSON.parse(stored?.pdu ?? '') as Pdu;
      expect(content).to.deep.equal({ membership: 'join', displayname: 'Alice', reason: 'why not' });
      expect([sender, ts]).to.deep.equal([ALICE, world.house.time.nowMs]);
      const state = await readCurrentState(world.house.database.db, room.roomId);
      expect(state).to.have.length(room.state().length + 1);
      expect(world.asked).to.deep.equal([`${OTHER} make_join`, `${OTHER} send_join`]);
      const [, send] = world.requests;
      expect(send?.query).to.deep.equal({ omit_members: 'true' });
    });

  it('tries one server after the other, itself and no name excepted, and says what says most', async () => {
    const room = makeForeignRoom({ creator: `@remote:${THIRD}` });
    world.on('down.example', 'make_join', () => DOWN);
    world.on(OTHER, 'make_join', () => no('M_FORBIDDEN'));
    world.on('lost.example', 'make_join', () => no('M_NOT_FOUND', 404));
    const via = ['down.example', 'example.com', 'no name', OTHER, 'lost.example', OTHER];
    expect(await refusal(join(room, via))).to.include({ errcode: 'M_FORBIDDEN', status: 403 });
    expect(world.asked).to.deep.equal(
      ['down.example', OTHER, 'lost.example', THIRD].map((server) => `${server} make_join`),
    );
    world.hosts(THIRD, room);
    sent(await join(room, via));
  });

  it('says whose key is missing when the event that made the room cannot be checked', async () => {
    const room = makeForeignRoom({ creator: '@gone:gone.example' });
    world.hosts(OTHER, room);
    const { errcode, status, error } = await refusal(join(room));
    expect([errcode, status]).to.deep.equal(['M_UNKNOWN', 502]);
    expect(error).to.contain('gone.example').and.contain('trusted key server');
  });

  it('asks no more servers than there are candidates', async () => {
    const via = Array.from({ length: 2 * CANDIDATES_MAX }, (_, number) => `s${number}.example`);
    expect(await refusal(join({ roomId: '!r:s1.example' }, via))).to.include({
      errcode: 'M_UNKNOWN',
      status: 502,
    });
    expect(world.asked).to.have.length(CANDIDATES_MAX);
  });

  it('finds nobody to ask about a room whose id names no server', async () => {
    const { roomId } = makeForeignRoom({ version: '12' });
    expect(await refusal(join({ roomId }, []))).to.include({ errcode: 'M_NOT_FOUND', status: 404 });
    expect(world.asked).to.deep.equal([]);
  });

  it('passes on that the version is not known, at once', async () => {
    const room = makeForeignRoom();
    world.on(OTHER, 'make_join', () => no('M_INCOMPATIBLE_ROOM_VERSION', 400, { room_version: '99' }));
    world.hosts(THIRD, room);
    const expected = { errcode: 'M_INCOMPATIBLE_ROOM_VERSION', status: 400, extra: { room_version: '99' } };
    expect(await refusal(join(room, [OTHER, THIRD]))).to.deep.include(expected);
    world.on(OTHER, 'make_join', () => ({ ...templateOf(room, ALICE, 'join'), room_version: '99' }));
    expect(await refusal(join(room, [OTHER, THIRD]))).to.deep.include(expected);
    const { query } = world.requests[0] ?? {};
    expect(query?.['ver']).to.include.members(['1', '12']);
    expect(
      world.requests.map(({ isProbe }) => isProbe),
      'asked though out of reach',
    ).to.deep.equal([true, true]);
  });

  it('says 502 for what is a mistake of ours', async () => {
    for (const errcode of ['M_MISSING_PARAM', 'M_INVALID_PARAM', 'not a code']) {
      world.on(OTHER, 'make_join', () => no(errcode, 400));
      expect(await refusal(join(makeForeignRoom()))).to.include({ errcode: 'M_UNKNOWN', status: 502 });
    }
  });

  it('signs no template that is not what was asked for', async () => {
    const room = makeForeignRoom();
    const whole = templateOf(room, ALICE, 'join');
    const event = whole['event'] as JsonObject;
    const wrong: readonly JsonObject[] = [
      { ...event, room_id: '!another:other.example' },
      { ...event, sender: BOB },
      { ...event, state_key: BOB },
      { ...event, type: 'm.room.power_levels' },
      { ...event, content: { membership: 'ban' } },
      { ...event, prev_events: ['no id', 7] },
      { ...event, auth_events: 'none' },
      { ...event, depth: 1.5 },
      {},
    ];
    for (const lie of wrong) {
      world.on(LIAR, 'make_join', () => ({ ...whole, event: lie }));
      expect(await refusal(join(room, [LIAR], {}, BOB)), JSON.stringify(lie)).to.include({ status: 502 });
    }
    expect(world.asked).to.not.include(`${LIAR} send_join`);
    world.hosts(OTHER, room);
    sent(await join(room, [LIAR, OTHER]));
  });

  it('takes nothing of the content of a template but who lets the user in', async () => {
    const room = makeForeignRoom();
    world.hosts(OTHER, room);
    const template = templateOf(room, ALICE, 'join');
    const content = {
      membership: 'join',
      displayname: 'Fool',
      join_authorised_via_users_server: room.creator,
    };
    world.on(OTHER, 'make_join', () => ({
      ...template,
      event: { ...(template['event'] as JsonObject), content, origin_server_ts: 1 },
    }));
    await join(room, [OTHER], {
      displayname: 'Alice',
      join_authorised_via_users_server: '@mallory:example.com',
    });
    const { body } = world.requests.at(-1) ?? {};
    expect(body?.['content']).to.deep.equal({
      membership: 'join',
      displayname: 'Alice',
      join_authorised_via_users_server: room.creator,
    });
  });

  it('takes nothing of the join that comes back but signatures', async () => {
    const room = makeForeignRoom();
    world.hosts(OTHER, room);
    world.on(OTHER, 'send_join', ({ body = {} }) => ({
      ...stateOf(room),
      event: {
        ...body,
        content: { membership: 'join', displayname: 'Fool' },
        unsigned: { age: 1 },
        signatures: { [OTHER]: { 'ed25519:theirs': 'AAAA' } },
      },
    }));
    const { eventId } = sent(await join(room, [OTHER], { displayname: 'Alice' }));
    const stored = await findEvent(world.house.database.db, eventId);
    const { content, signatures, unsigned } = JSON.parse(stored?.pdu ?? '') as Pdu;
    expect(content).to.deep.equal({ membership: 'join', displayname: 'Alice' });
    expect(Object.keys(signatures)).to.have.members([OTHER, SERVER]);
    expect(unsigned).to.equal(undefined);
  });

  it('does not come in with a join that the server of who lets the user in has not signed', async () => {
    const room = makeForeignRoom();
    world.hosts(OTHER, room);
    const template = templateOf(room, ALICE, 'join');
    const content = { membership: 'join', join_authorised_via_users_server: room.creator };
    world.on(OTHER, 'make_join', () => ({
      ...template,
      event: { ...(template['event'] as JsonObject), content },
    }));
    expect(await refusal(join(room))).to.include({ errcode: 'M_UNKNOWN', status: 502 });
    world.on(OTHER, 'send_join', ({ body = {} }) => ({
      ...stateOf(room),
      event: countersignEvent(getRoomVersion('11'), body as Pdu, { serverName: OTHER, key: FOREIGN_KEY }),
    }));
    sent(await join(room));
  });

  it('leaves out what is not signed, and does not come in where the state is not one', async () => {
    const room = makeForeignRoom();
    const forged = room.add({
      sender: room.creator,
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'forged' },
    });
    world.hosts(OTHER, room);
    const state = room.state().map(({ pdu }) => pdu as JsonObject);
    const without = (eventId: string, ...instead: JsonObject[]): readonly JsonObject[] => [
      ...room.state().flatMap((one) => (one.eventId === eventId ? [] : [one.pdu as JsonObject])),
      ...instead,
    ];
    const [create] = room.events;
    for (const [name, answer] of Object.entries({
      'partial, of no servers': { state, auth_chain: state, members_omitted: true },
      'without its create event': { state: without(create?.eventId ?? ''), auth_chain: [] },
      'no list': { state: {}, auth_chain: state },
      'no events': { state: [1, 2], auth_chain: state },
    })) {
      world.on(OTHER, 'send_join', () => answer);
      expect((await refusal(join(room))).errcode, name).to.be.oneOf(['M_UNKNOWN', 'M_BAD_JSON']);
    }
    const unsigned = { ...(forged.pdu as JsonObject), signatures: { [OTHER]: { 'ed25519:theirs': 'AAAA' } } };
    const given = without(forged.eventId, unsigned);
    world.on(OTHER, 'send_join', () => ({ state: given, auth_chain: given }));
    sent(await join(room));
    const current = await readCurrentState(world.house.database.db, room.roomId);
    expect(current.map(({ type }) => type))
      .to.include('m.room.create')
      .and.not.include('m.room.topic');
  });

  it('joins once for one user, and asks nobody for the next', async () => {
    const room = makeForeignRoom();
    world.hosts(OTHER, room);
    const [one, same, next] = await Promise.all([join(room), join(room), join(room, [OTHER], {}, BOB)]);
    expect(sent(one)).to.deep.equal(sent(same));
    expect(sent(next).eventId).to.not.equal(sent(one).eventId);
    expect(world.asked).to.deep.equal([`${OTHER} make_join`, `${OTHER} send_join`]);
    const closed = makeForeignRoom({ name: 'closed' });
    world.on(OTHER, 'make_join', () => no('M_FORBIDDEN'));
    for (const answer of await Promise.all([join(closed), join(closed)]))
      expect(refused(answer)).to.equal('M_FORBIDDEN');
    expect(world.asked).to.have.length(3);
  });

  it('joins many rooms, some at once', async () => {
    const rooms = Array.from({ length: 2 * JOINS_AT_ONCE_MAX }, (_, number) =>
      makeForeignRoom({ name: `r${number}x` }),
    );
    world.on(OTHER, 'make_join', ({ path }) => {
      const room = rooms.find(({ roomId }) => path.includes(encodeURIComponent(roomId)));
      return room === undefined ? no('M_NOT_FOUND', 404) : templateOf(room, ALICE, 'join');
    });
    world.on(OTHER, 'send_join', ({ path }) => {
      const room = rooms.find(({ roomId }) => path.includes(encodeURIComponent(roomId)));
      return room === undefined ? no('M_NOT_FOUND', 404) : stateOf(room);
    });
    for (const answer of await Promise.all(rooms.map((room) => join(room)))) sent(answer);
  });

  it('lets nobody into a blocked room', async () => {
    const room = makeForeignRoom();
    world.hosts(OTHER, room);
    const { roomId } = room;
    await world.house.rooms.ask('rooms.block-room', { roomId, isBlocked: true, requestedBy: null });
    expect(await refusal(join(room))).to.include({ errcode: 'M_FORBIDDEN' });
  });
});
