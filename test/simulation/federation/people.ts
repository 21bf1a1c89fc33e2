import type { InputOf } from '../../../actors/kit/protocol.ts';
import { AskFailed } from '../../../actors/kit/ref.ts';
import type { RoomsProtocol } from '../../../actors/rooms/protocol.ts';
import { readUnsentEvents } from '../../../db/federation-sender/reader.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import {
  inviteElsewhere,
  isInRoom,
  isOfOtherServer,
  leaveElsewhere,
} from '../../../src/http/client/membership/change-elsewhere.ts';
import { changeMembership } from '../../../src/http/client/membership/change-membership.ts';
import { enterRoom } from '../../../src/http/client/membership/enter-room.ts';
import { sleep } from '../../../src/kit/clock.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { isRefusal, type Refusal } from '../../../src/matrix/refusal.ts';
import { servicesOf } from './front.ts';
import type { Gate, MemberServer } from './member-server.ts';
import type { World } from './world.ts';

const RETRY_AFTER_MS = 300;
/** Between the last words of one server and those of the next. */
const SPEECH_INTERVAL_MS = 3_000;
/** A client that is not answered gives up. Whether something was sent is then not known. */
const TRIES_MAX = 25;

/** A message that a server has said is sent. */
export interface Promised {
  readonly roomId: string;
  readonly eventId: string;
  readonly server: string;
}

/** The users of all servers. */
export interface People {
  /** Makes the rooms, one on each server. */
  prepare(): Promise<void>;
  /** Begins one piece of work that the seed chooses. */
  begin(): void;
  /** One message of each server into each room that it is in. */
  speakLast(): Promise<void>;
  readonly pending: number;
  readonly rooms: readonly string[];
  /** Rooms that a server came back to while something that it did there before it left was not with the others. */
  readonly cameBackEarly: ReadonlySet<string>;
  /** By text. */
  readonly promised: ReadonlyMap<string, Promised>;
  readonly done: ReadonlyMap<string, number>;
}

interface Creator {
  readonly userId: string;
  readonly isNamed: boolean;
}

interface Desk {
  readonly world: World;
  readonly rooms: string[];
  /** By room: the user whose power never changes, and whether power levels may name that user. */
  readonly creators: Map<string, Creator>;
  readonly promised: Map<string, Promised>;
  readonly cameBackEarly: Set<string>;
  readonly done: Map<string, number>;
  serial: number;
}

function pick<Item>({ world }: Desk, items: readonly Item[]): Item {
  if (items.length === 0) throw new Error('nothing to pick from');
  return items[world.random.integer(items.length)] as Item;
}

function count(desk: Desk, what: string): void {
  desk.done.set(what, (desk.done.get(what) ?? 0) + 1);
}

/** As an HTTP client: asks again while nobody answers or storage is unavailable. Null: it gave up. */
async function insist<Out>(
  { world }: Desk,
  server: MemberServer,
  request: (gate: Gate) => Promise<Out | Refusal>,
  triesMax = TRIES_MAX,
): Promise<Out | Refusal | null> {
  for (let attempt = 0; attempt < triesMax; attempt += 1) {
    const gate = server.gate();
    try {
      if (gate !== undefined) {
        // Each try begins when the one before has failed.
        const reply = await request(gate);
        if (!isRefusal(reply) || (reply.status !== 503 && reply.status !== 502)) return reply;
      }
    } catch (error) {
      // Its gateway died with whatever it was doing: the connection is reset.
      if (!(error instanceof AskFailed) && gate?.context.ended.aborted !== true) throw error;
      world.loop.trace(String(error));
    }
    await sleep(world.loop.clock, RETRY_AFTER_MS);
  }
  return null;
}

async function sendMessage(desk: Desk, server: MemberServer, roomId: string, sender: string): Promise<void> {
  desk.serial += 1;
  const body = `message ${desk.serial}`;
  const path = `/rooms/${roomId}/send/m.room.message`;
  const transaction = { deviceId: 'D', path, txnId: `t${desk.serial}` };
  const event = { type: 'm.room.message', content: { msgtype: 'm.text', body } };
  const input = { roomId, sender, event, transaction, originServerTs: null };
  const reply = await insist(desk, server, ({ context }) =>
    context.ref('rooms').ask('rooms.send-event', input),
  );
  if (reply === null || isRefusal(reply)) return;
  count(desk, 'message');
  desk.promised.set(body, { roomId, eventId: reply.eventId, server: server.name });
}

async function sendBatch(desk: Desk, server: MemberServer, roomId: string, sender: string): Promise<void> {
  const messages = 2 + desk.world.random.integer(8);
  await Promise.all(Array.from({ length: messages }, () => sendMessage(desk, server, roomId, sender)));
}

async function sendState(desk: Desk, server: MemberServer, roomId: string, sender: string): Promise<void> {
  desk.serial += 1;
  const [type, content] = pick<readonly [string, JsonObject]>(desk, [
    ['m.room.topic', { topic: `topic ${desk.serial}` }],
    ['m.room.topic', { topic: `topic ${desk.serial}` }],
    ['m.room.name', { name: `name ${desk.serial}` }],
    // Always public: a join beside a change to invite alone may be undone by the resolution of states, and who is out of the state is told nothing.
    ['m.room.join_rules', { join_rule: 'public', serial: desk.serial }],
    ['m.room.power_levels', powerLevels(desk, desk.creators.get(roomId))],
  ]);
  const event = { type, stateKey: '', content };
  const input = { roomId, sender, event, transaction: null, originServerTs: null };
  const reply = await insist(desk, server, ({ context }) =>
    context.ref('rooms').ask('rooms.send-event', input),
  );
  if (reply !== null && !isRefusal(reply)) count(desk, type);
}

/** The creator keeps its power; what others have changes, so that what they do at the same time may be allowed or not. */
function powerLevels(desk: Desk, creator: Creator | undefined): JsonObject {
  const everyone = desk.world.servers.flatMap(({ users }) => users);
  const others = everyone.filter((userId) => userId !== creator?.userId);
  const users = Object.fromEntries(others.map((userId) => [userId, pick(desk, [0, 50, 50, 100])]));
  return {
    users: creator?.isNamed === true ? { ...users, [creator.userId]: 100 } : users,
    state_default: pick(desk, [0, 0, 50]),
    events: { 'm.room.power_levels': 50, 'm.room.join_rules': 50 },
    redact: 50,
    invite: 0,
  };
}

async function redact(desk: Desk, server: MemberServer, roomId: string, sender: string): Promise<void> {
  const targets = [...desk.promised.values()].filter((message) => message.roomId === roomId);
  if (targets.length === 0) return;
  const { eventId } = pick(desk, targets);
  const input = { roomId, sender, eventId, content: {}, transaction: null };
  const reply = await insist(desk, server, ({ context }) =>
    context.ref('rooms').ask('rooms.redact-event', input),
  );
  if (reply !== null && !isRefusal(reply)) count(desk, 'redact');
}

/** Whether what a server has made of its rooms is with the others. */
async function hasSentAll({ world }: Desk, { context }: Gate): Promise<boolean> {
  const { db } = context.env;
  const [noted, waiting] = await Promise.all([
    Promise.all(world.servers.map(({ name }) => readUnsentEvents(db, name, 1))),
    context.ref('federation-sender').ask('federation-sender.read-destinations', { after: null, limit: 100 }),
  ]);
  return noted.flat().length === 0 && waiting.every(({ queuedEvents }) => queuedEvents === 0);
}

/** As the endpoint does. */
async function join(desk: Desk, server: MemberServer, roomId: string, userId: string): Promise<void> {
  const via = desk.world.servers.map(({ name }) => name).filter((name) => name !== server.name);
  const entry = { userId, roomId, action: 'join', reason: undefined, via } as const;
  const reply = await insist(
    desk,
    server,
    async (gate) => {
      const services = servicesOf(gate.context);
      if (!(await isInRoom(services.db, roomId)) && !(await hasSentAll(desk, gate)))
        desk.cameBackEarly.add(roomId);
      return enterRoom(services, entry);
    },
    4,
  );
  if (reply !== null && !isRefusal(reply)) count(desk, 'join');
}

/** As the endpoint does. */
async function leave(desk: Desk, server: MemberServer, roomId: string, userId: string): Promise<void> {
  const reply = await insist(
    desk,
    server,
    async ({ context }) => {
      const services = servicesOf(context);
      const own = await findLocalMembership(services.db, userId, roomId);
      if (own === undefined || own.membership === 'leave' || own.membership === 'removed') return {};
      if (own.membership === 'invite' && !(await isInRoom(services.db, roomId)))
        return leaveElsewhere(services, { roomId, userId, content: {} });
      const change = { roomId, sender: userId, target: userId, action: 'leave', content: {} } as const;
      return changeMembership(services, change);
    },
    4,
  );
  if (reply !== null && !isRefusal(reply)) count(desk, 'leave');
}

async function changeOther(desk: Desk, server: MemberServer, roomId: string, sender: string): Promise<void> {
  const target = pick(
    desk,
    desk.world.servers.flatMap(({ users }) => users),
  );
  const action = pick(desk, ['invite', 'invite', 'invite', 'kick', 'ban', 'unban'] as const);
  const change: InputOf<RoomsProtocol, 'rooms.change-membership'> = {
    roomId,
    sender,
    target,
    action,
    content: {},
  };
  const reply = await insist(
    desk,
    server,
    ({ context }) => {
      const services = servicesOf(context);
      return action === 'invite' && isOfOtherServer(target, server.name)
        ? inviteElsewhere(services, { roomId, sender, target, content: {} })
        : changeMembership(services, change);
    },
    4,
  );
  if (reply !== null && !isRefusal(reply)) count(desk, action);
}

type Deed = (desk: Desk, server: MemberServer, roomId: string, userId: string) => Promise<void>;

/** What users do, with how often. */
const DEEDS: readonly (readonly [number, Deed])[] = [
  [9, sendMessage],
  [2, sendBatch],
  [5, sendState],
  [2, redact],
  [6, join],
  [2, leave],
  [2, changeOther],
];
const BAG = DEEDS.flatMap(([weight, deed]) => Array.from({ length: weight }, () => deed));

const ROOM_VERSIONS = ['6', '10', '11', '12'];

async function createRoom(desk: Desk, server: MemberServer): Promise<void> {
  const [userId = ''] = server.users;
  const roomVersion = pick(desk, ROOM_VERSIONS);
  const creator = { userId, isNamed: roomVersion !== '12' };
  const content = powerLevels(desk, creator);
  const reply = await insist(
    desk,
    server,
    ({ context }) =>
      context.ref('rooms').ask('rooms.create-room', {
        creator: userId,
        roomVersion,
        creationContent: {},
        events: [
          { type: 'm.room.member', stateKey: userId, content: { membership: 'join' } },
          { type: 'm.room.power_levels', stateKey: '', content },
          { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'public' } },
          {
            type: 'm.room.history_visibility',
            stateKey: '',
            content: { history_visibility: 'world_readable' },
          },
        ],
        alias: null,
        isPublic: false,
      }),
    200,
  );
  if (reply !== null && isRefusal(reply)) throw new Error(`no room was made: ${reply.error}`);
  if (reply === null) return;
  desk.rooms.push(reply.roomId);
  desk.creators.set(reply.roomId, creator);
}

/** Makes the people of a world. */
export function createPeople(world: World): People {
  const desk: Desk = {
    world,
    rooms: [],
    creators: new Map(),
    promised: new Map(),
    cameBackEarly: new Set(),
    done: new Map(),
    serial: 0,
  };
  let pending = 0;
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    pending += 1;
    try {
      await work();
    } catch (error) {
      world.faults.push(`work failed: ${error instanceof Error ? error.stack : String(error)}`);
    }
    pending -= 1;
  };
  return {
    rooms: desk.rooms,
    promised: desk.promised,
    cameBackEarly: desk.cameBackEarly,
    done: desk.done,
    prepare: () =>
      run(async () => {
        await Promise.all(world.servers.map((server) => createRoom(desk, server)));
        // Each server in each room: what is interesting happens between them.
        await Promise.all(
          desk.rooms.flatMap((roomId) =>
            world.servers.map((server) => join(desk, server, roomId, server.users[0] ?? '')),
          ),
        );
      }),
    begin() {
      if (desk.rooms.length === 0) return;
      const server = pick(desk, world.servers);
      const [roomId, userId] = [pick(desk, desk.rooms), pick(desk, server.users)];
      void run(() => pick(desk, BAG)(desk, server, roomId, userId));
    },
    speakLast: () =>
      run(async () => {
        // One server after the other, with time between: each then follows on what those before have said.
        for (const server of world.servers) {
          await Promise.all(
            desk.rooms.flatMap((roomId) =>
              server.users.map((userId) => sendMessage(desk, server, roomId, userId)),
            ),
          );
          await sleep(world.loop.clock, SPEECH_INTERVAL_MS);
        }
      }),
    get pending() {
      return pending;
    },
  };
}
