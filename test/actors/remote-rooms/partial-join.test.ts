import { expect } from 'chai';
import {
  COMPLETION_BACKOFF,
  LOOK_INTERVAL_MS,
  SERVERS_PER_TRY_MAX,
} from '../../../actors/remote-rooms/completions.ts';
import type { PartialRoomState } from '../../../actors/remote-rooms/protocol.ts';
import { readHostsOfRoom } from '../../../db/rooms/hosts-reader.ts';
import { countMembers, readMembers } from '../../../db/rooms/member-reader.ts';
import { findPartialRoom } from '../../../db/rooms/partial-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { type ForeignRoom, makeForeignRoom } from '../../support/foreign-room.ts';
import { ALICE, BOB, change, sent, SERVER } from '../rooms/rooms-house.ts';
import { no, openRemoteWorld, OTHER, type RemoteWorld, stateOf, templateOf, THIRD } from './remote-world.ts';

const MEMBERS = 5;
const FOURTH = 'fourth.example';
/** Looks for what happens behind the back of the test. */
const TURNS_MAX = 2_000;

describe('rooms that are joined without their members', () => {
  let world: RemoteWorld;
  let clock: FakeClock;
  beforeEach(async () => {
    clock = createFakeClock();
    world = await openRemoteWorld(clock);
  });
  afterEach(() => world.close());

  const makeRoom = (name = 'large'): ForeignRoom => {
    const room = makeForeignRoom({ name });
    for (let number = 0; number < MEMBERS; number += 1) room.member(`@member${number}:${THIRD}`, 'join');
    return room;
  };
  /** A server that leaves the members out of its answer to a join. */
  const omits = (server: string, room: ForeignRoom, named: readonly unknown[] = [OTHER, THIRD]): void => {
    world.hosts(server, room);
    const before = room.state().map(({ pdu }) => pdu as JsonObject);
    const state = before.filter(({ type }) => type !== 'm.room.member');
    const [, creator] = room.events;
    world.on(server, 'send_join', () => ({
      state,
      auth_chain: [creator?.pdu as JsonObject],
      members_omitted: true,
      servers_in_room: named as string[],
    }));
  };
  const wholeState = (room: ForeignRoom): JsonObject => {
    const { state, auth_chain: chain } = stateOf(room) as { state: JsonObject[]; auth_chain: JsonObject[] };
    return { pdus: state, auth_chain: chain };
  };
  const join = async ({ roomId }: ForeignRoom, userId = ALICE): Promise<string> =>
    sent(await world.ask('remote-rooms.join', { roomId, userId, via: [OTHER], content: {} })).eventId;
  const until = async (what: string, look: () => Promise<boolean> | boolean): Promise<void> => {
    for (let turn = 0; turn < TURNS_MAX; turn += 1) {
      if (await look()) return;
      await new Promise<void>((resolve) => void setImmediate(resolve));
    }
    throw new Error(`${what} does not happen; asked were ${world.asked.join(', ')}`);
  };
  const isPartial = async ({ roomId }: ForeignRoom): Promise<boolean> =>
    (await findPartialRoom(world.house.database.db, roomId)) !== undefined;
  const whole = (room: ForeignRoom): Promise<void> =>
    until(`${room.roomId} whole`, async () => !(await isPartial(room)));
  const states = (): Promise<readonly PartialRoomState[]> =>
    world.ask('remote-rooms.read-partial-rooms', null);
  const failed = (times: number): Promise<void> =>
    until(`${times} failures`, async () => (await states())[0]?.failures === times);
  const joined = async ({ roomId }: ForeignRoom): Promise<number> =>
    (await readMembers(world.house.database.db, roomId, 'join')).length;

  it('are entered at once, and whole when the server has given the state before the join', async () => {
    const room = makeRoom();
    omits(OTHER, room, [OTHER, THIRD, SERVER, 'no name', 7, THIRD]);
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const state = wholeState(room);
    world.on(OTHER, 'state', async () => {
      await held;
      return state;
    });
    const eventId = await join(room);
    const { db } = world.house.database;
    expect(await findPartialRoom(db, room.roomId)).to.deep.equal({
      roomId: room.roomId,
      joinEventId: eventId,
      joinedVia: OTHER,
      servers: [OTHER, THIRD],
    });
    expect(await joined(room)).to.be.below(MEMBERS);
    // Of the other server nobody is known, and it is told of what happens all the same.
    expect(await readHostsOfRoom(db, room.roomId)).to.deep.equal([SERVER, OTHER, THIRD].toSorted());
    // Somebody of each of them is there at least.
    expect((await countMembers(db, room.roomId)).joined).to.equal(3);
    const [, send, ask] = world.requests;
    expect(send?.query).to.deep.equal({ omit_members: 'true' });
    await until('the state asked for', () => world.requests.length === 3 || ask !== undefined);
    expect(world.requests[2]).to.deep.include({
      path: `/_matrix/federation/v1/state/${encodeURIComponent(room.roomId)}`,
      query: { event_id: eventId },
    });
    expect(await states()).to.deep.equal([
      {
        roomId: room.roomId,
        joinedVia: OTHER,
        servers: 2,
        sinceTs: world.house.time.nowMs,
        failures: 0,
        lastError: null,
        retryTs: null,
        isUnderWay: true,
      },
    ]);
    release();
    await whole(room);
    expect(await joined(room)).to.equal(MEMBERS + 2);
    expect((await countMembers(db, room.roomId)).joined).to.equal(MEMBERS + 2);
    await until('the list empty', async () => (await states()).length === 0);
  });

  it('are as they come where a server gives everything, and in a room that the server is in nothing is left out', async () => {
    const room = makeRoom();
    world.hosts(OTHER, room);
    await join(room);
    expect(await isPartial(room)).to.equal(false);
    world.on(OTHER, 'make_join', () => templateOf(room, BOB, 'join'));
    await join(room, BOB);
    expect(world.requests.at(-1)?.query).to.deep.equal({ omit_members: 'false' });
    expect(world.asked.filter((what) => what.endsWith(' state'))).to.deep.equal([]);
  });

  it('ask other servers when one does not give the state, or gives none', async () => {
    const room = makeRoom();
    omits(OTHER, room, [OTHER, THIRD, FOURTH, 'fifth.example']);
    const state = wholeState(room);
    const { pdus } = state as { pdus: JsonObject[] };
    world.on(OTHER, 'state', () => no('ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE'));
    world.on(THIRD, 'state', () => ({
      pdus: pdus.filter(({ type }) => type !== 'm.room.create'),
      auth_chain: [],
    }));
    world.on(FOURTH, 'state', () => ({ pdus: {}, auth_chain: [] }));
    world.on('fifth.example', 'state', () => state);
    await join(room);
    await whole(room);
    const asked = world.asked.filter((what) => what.endsWith(' state'));
    expect(asked).to.deep.equal([OTHER, THIRD, FOURTH, 'fifth.example'].map((server) => `${server} state`));
    expect(await joined(room)).to.equal(MEMBERS + 2);
  });

  it('wait longer and longer while nobody gives the state, say why, and are tried at once when somebody wants it', async () => {
    const room = makeRoom();
    const many = Array.from({ length: 3 * SERVERS_PER_TRY_MAX }, (_, number) => `s${number}.example`);
    omits(OTHER, room, many);
    await join(room);
    await failed(1);
    const { time } = world.house;
    const [first] = await states();
    expect(first).to.include({
      isUnderWay: false,
      lastError: `s${SERVERS_PER_TRY_MAX - 2}.example: of the test`,
    });
    expect(first?.retryTs).to.be.within(
      time.nowMs + 0.8 * COMPLETION_BACKOFF.initialMs,
      time.nowMs + COMPLETION_BACKOFF.initialMs,
    );
    const before = world.asked.length;
    await clock.advance(COMPLETION_BACKOFF.initialMs);
    await failed(2);
    // Who has helped with the join is asked first, then others than the first time.
    expect(world.asked.slice(before)).to.deep.equal(
      [OTHER, ...many.slice(SERVERS_PER_TRY_MAX - 1, 2 * SERVERS_PER_TRY_MAX - 2)].map(
        (server) => `${server} state`,
      ),
    );
    expect(world.requests.at(-1)?.isProbe).to.equal(false);
    const state = wholeState(room);
    world.on(OTHER, 'state', () => state);
    const { roomId } = room;
    expect(await world.ask('remote-rooms.retry-partial-room', { roomId })).to.deep.include({ isKnown: true });
    await whole(room);
    expect(world.requests.at(-1)?.isProbe).to.equal(true);
    await until('the list empty', async () => (await states()).length === 0);
    expect(await world.ask('remote-rooms.retry-partial-room', { roomId })).to.deep.include({
      isKnown: false,
    });
  });

  it('are gone on with by the next life of the actor', async () => {
    const room = makeRoom();
    omits(OTHER, room);
    await join(room);
    await failed(1);
    const state = wholeState(room);
    world.on(OTHER, 'state', () => state);
    await world.house.restart('remote-rooms');
    await whole(room);
    expect(await joined(room)).to.equal(MEMBERS + 2);
  });

  it('are not asked for any more when they are left', async () => {
    const room = makeRoom();
    omits(OTHER, room);
    await join(room);
    await failed(1);
    sent(await change(world.house, room.roomId, 'leave', ALICE));
    expect(await isPartial(room)).to.equal(false);
    const before = world.asked.length;
    await clock.advance(COMPLETION_BACKOFF.initialMs);
    await until('the list empty', async () => (await states()).length === 0);
    expect(world.asked).to.have.length(before);
    await clock.advance(LOOK_INTERVAL_MS);
    expect(world.asked).to.have.length(before);
  });

  it('are asked of one server one after the other', async () => {
    const rooms = [makeRoom('one'), makeRoom('two')];
    const waiting: (() => void)[] = [];
    for (const room of rooms) {
      omits(OTHER, room);
      world.on(OTHER, 'state', async ({ path }) => {
        await new Promise<void>((resolve) => waiting.push(resolve));
        const asked = rooms.find(({ roomId }) => path.endsWith(encodeURIComponent(roomId)));
        return asked === undefined ? no('M_NOT_FOUND') : wholeState(asked);
      });
      await join(room);
    }
    await until('a question', () => waiting.length > 0);
    for (let turn = 0; turn < 20; turn += 1) await new Promise<void>((resolve) => void setImmediate(resolve));
    expect(waiting).to.have.length(1);
    waiting[0]?.();
    await until('the next question', () => waiting.length > 1);
    waiting[1]?.();
    for (const room of rooms) await whole(room);
  });
});
