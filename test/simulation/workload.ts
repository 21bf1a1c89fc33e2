import { AskFailed } from '../../actors/kit/ref.ts';
import type { ActorRef } from '../../actors/kit/ref.ts';
import type { LedgerProtocol } from './ledger.ts';
import { sleep } from '../../src/kit/clock.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { roomsOfUserCache } from '../../src/sync/caches/rooms-of-user.ts';
import { pickGateway } from './clients.ts';
import { type Gateway, type SimulatedServer, USERS } from './server.ts';

/** Users of other servers: their membership brings hosts and leaves. */
const REMOTE_USERS = ['@eve:other.example', '@fay:third.example'];
const RETRY_AFTER_MS = 200;
const TRIES_MAX = 400;

/** What the server has promised. */
export interface Promises {
  /** Events that were acknowledged, with their positions. */
  readonly events: Map<string, number>;
  /** Acknowledged messages: text → event id. */
  readonly messages: Map<string, string>;
  /** What each acknowledged write of account data and receipts must be at least as new as. */
  readonly accountData: Map<string, number>;
  readonly ledger: number[];
}

/** Work that is under way. */
export interface Workload {
  /** Begins one piece of work that the seed chooses. */
  begin(): void;
  /** Makes the first rooms. */
  prepare(): Promise<void>;
  readonly pending: number;
  readonly promises: Promises;
  /** Replies whose own write was not seen in time. */
  readonly unseen: number;
}

interface Desk {
  readonly server: SimulatedServer;
  readonly promises: Promises;
  readonly rooms: string[];
  serial: number;
  unseen: number;
}

type Reply = { readonly kind: 'sent'; readonly eventId: string; readonly position: number } | Refusal;

function pick<Item>({ server }: Desk, items: readonly Item[]): Item {
  if (items.length === 0) throw new Error('nothing to pick from');
  return items[server.random.integer(items.length)] as Item;
}

/** As an HTTP client: asks some gateway, and again while nobody answers or storage is unavailable. */
async function insist<Out>(
  desk: Desk,
  request: (gateway: Gateway) => Promise<Out | Refusal>,
): Promise<Out | Refusal> {
  const { server } = desk;
  for (let attempt = 0; attempt < TRIES_MAX; attempt += 1) {
    try {
      const gateway = pickGateway(server, attempt);
      if (gateway !== undefined) {
        // Each try begins when the one before has failed.
        const reply = await request(gateway);
        if (!isRefusal(reply) || reply.status !== 503) return reply;
      }
    } catch (error) {
      if (!(error instanceof AskFailed)) throw error;
      server.verdict.trace(error.reason);
    }
    await sleep(server.loop.clock, RETRY_AFTER_MS);
  }
  throw new Error('a client never got an answer');
}

/** Answers the client when its gateway sees what it wrote, and looks whether it does. */
async function see(
  desk: Desk,
  { seat }: Gateway,
  stream: string,
  position: number,
  epoch?: number,
): Promise<boolean> {
  const { verdict } = desk.server;
  const isAlive = (): boolean => desk.server.seats.get(seat.name) === seat;
  const timedOutBefore = seat.timedOut(stream);
  const isReached = await seat.views.reached(stream, position, epoch);
  if (isReached && seat.views.currentToken(stream) < position && (epoch ?? 0) === seat.views.epoch(stream))
    verdict.blame('1.6', `${seat.name} answers ${stream} ${position} at ${seat.views.currentToken(stream)}`);
  if (isReached && stream === 'events') seat.judgeReleased(position);
  if (isReached) return true;
  const isThere =
    seat.views.currentToken(stream) >= position &&
    (epoch ?? seat.views.epoch(stream)) === seat.views.epoch(stream);
  if (isAlive() && isThere)
    verdict.blame('1.6', `${seat.name} is at ${stream} ${position}, and nobody was released`);
  if (isAlive() && seat.timedOut(stream) === timedOutBefore)
    verdict.blame('1.6', `${seat.name} gave up waiting for ${stream} ${position} and did not count it`);
  desk.unseen += 1;
  return false;
}

async function noteEvent(desk: Desk, gateway: Gateway, reply: Reply): Promise<Reply> {
  if (reply.kind !== 'sent') return reply;
  const { verdict } = desk.server;
  const before = desk.promises.events.get(reply.eventId);
  if (before !== undefined && before !== reply.position)
    verdict.blame('1.4', `${reply.eventId} is at ${before} and at ${reply.position}`);
  if (verdict.committed.positionOf(reply.eventId) !== reply.position)
    verdict.blame(
      'rule 1',
      `${reply.eventId} was acknowledged at ${reply.position} and is not committed there`,
    );
  desk.promises.events.set(reply.eventId, reply.position);
  await see(desk, gateway, 'events', reply.position);
  return reply;
}

async function sendMessage(desk: Desk, roomId: string, sender: string): Promise<string | undefined> {
  desk.serial += 1;
  const body = `message ${desk.serial}`;
  const transaction = {
    deviceId: 'D',
    path: `/rooms/${roomId}/send/m.room.message`,
    txnId: `t${desk.serial}`,
  };
  const event = { type: 'm.room.message', content: { msgtype: 'm.text', body } };
  const reply = await insist(desk, async (gateway) => {
    const rooms = gateway.context.ref('rooms');
    const sent = await rooms.ask('rooms.send-event', {
      roomId,
      sender,
      event,
      transaction,
      originServerTs: null,
    });
    return noteEvent(desk, gateway, sent);
  });
  if (isRefusal(reply) || reply.kind !== 'sent') return undefined;
  desk.promises.messages.set(body, reply.eventId);
  return reply.eventId;
}

async function changeMembership(desk: Desk): Promise<void> {
  const roomId = pick(desk, desk.rooms);
  const everyone = [...USERS, ...USERS, ...REMOTE_USERS];
  const [sender, other] = [pick(desk, everyone), pick(desk, everyone)];
  const action = pick(desk, [
    'join',
    'join',
    'join',
    'leave',
    'leave',
    'invite',
    'kick',
    'ban',
    'unban',
  ] as const);
  const target = action === 'join' || action === 'leave' ? sender : other;
  const input = {
    roomId,
    sender: action === 'kick' || action === 'ban' ? (USERS[0] ?? '') : sender,
    target,
    action,
    content: {},
  };
  await insist(desk, async (gateway) => {
    const reply = await gateway.context.ref('rooms').ask('rooms.change-membership', input);
    await noteEvent(desk, gateway, reply);
    if (reply.kind === 'sent' && USERS.includes(target)) await judgeRooms(gateway, target);
    return reply;
  });
}

/** What sync would read right after the reply. */
async function judgeRooms({ seat }: Gateway, userId: string): Promise<void> {
  const since = seat.views.now();
  try {
    const rooms = await seat.caches.get(roomsOfUserCache, userId);
    seat.judgeRead(roomsOfUserCache as never, userId, rooms, since);
  } catch {
    // The read failed, which the client of a sync would be told: there is nothing to judge.
  }
}

async function sendState(desk: Desk): Promise<void> {
  desk.serial += 1;
  const [roomId, sender] = [pick(desk, desk.rooms), pick(desk, USERS)];
  const [type, content] = pick(desk, [
    ['m.room.topic', { topic: `topic ${desk.serial}` }],
    ['m.room.name', { name: desk.serial % 3 === 0 ? '' : `name ${desk.serial}` }],
  ] as const);
  const input = {
    roomId,
    sender,
    event: { type, stateKey: '', content },
    transaction: null,
    originServerTs: null,
  };
  await insist(desk, async (gateway) =>
    noteEvent(desk, gateway, await gateway.context.ref('rooms').ask('rooms.send-event', input)),
  );
}

async function redact(desk: Desk): Promise<void> {
  const target = pick(desk, [...desk.promises.messages.values(), undefined]);
  const event = target === undefined ? undefined : desk.server.verdict.committed.positionOf(target);
  if (target === undefined || event === undefined) return;
  const roomId = desk.server.verdict.committed.eventAt(event)?.roomId ?? '';
  if (desk.server.verdict.redacted.size < 4) desk.server.verdict.redacted.add(target);
  const input = { roomId, sender: USERS[0] ?? '', eventId: target, content: {}, transaction: null };
  await insist(desk, async (gateway) =>
    noteEvent(desk, gateway, await gateway.context.ref('rooms').ask('rooms.redact-event', input)),
  );
}

async function setReceipt(desk: Desk): Promise<void> {
  const events = desk.server.verdict.committed.events.slice(-12).filter(({ type }) => type !== '');
  const event = pick(desk, [...events, undefined]);
  if (event === undefined) return;
  const userId = pick(desk, USERS);
  const { roomId, eventId } = event;
  const input = { roomId, userId, type: 'm.read', eventId, threadId: null } as const;
  await insist(desk, async (gateway) => {
    const reply = await gateway.context.ref('receipts').ask('receipts.set-receipt', input);
    if (reply.kind !== 'stored') return reply;
    await see(desk, gateway, 'receipts', reply.position);
    return reply;
  });
}

async function setAccountData(desk: Desk): Promise<void> {
  desk.serial += 1;
  const userId = pick(desk, USERS);
  const isIgnoring = desk.server.random.integer(3) > 0;
  const type = isIgnoring ? 'm.ignored_user_list' : `org.example.${desk.server.random.integer(3)}`;
  const content = isIgnoring ? { ignored_users: { [`@spam${desk.serial}:x`]: {} } } : { serial: desk.serial };
  await insist(desk, async (gateway) => {
    const input = { userId, roomId: null, type, content };
    const reply = await gateway.context.ref('account-data').ask('account-data.set-content', input);
    if (reply.kind !== 'stored') return reply;
    const key = `${userId} ${type}`;
    desk.promises.accountData.set(key, Math.max(reply.position, desk.promises.accountData.get(key) ?? 0));
    await see(desk, gateway, 'account-data', reply.position);
    return reply;
  });
}

async function setTyping(desk: Desk): Promise<void> {
  const [roomId, userId] = [pick(desk, desk.rooms), pick(desk, USERS)];
  const isTyping = desk.server.random.integer(3) > 0;
  const timeoutMs = pick(desk, [500, 5_000, 60_000]);
  await insist(desk, async (gateway) => {
    const input = { roomId, userId, isTyping, timeoutMs };
    const { epoch, position } = await gateway.context.ref('typing').ask('typing.set-typing', input);
    await see(desk, gateway, 'typing', position, epoch);
    return null;
  });
}

async function writeLedger(desk: Desk): Promise<void> {
  const count = 1 + desk.server.random.integer(pick(desk, [2, 2, 8, 60]));
  await insist(desk, async (gateway) => {
    // The directory of this program has one actor more.
    const ledger = gateway.context.ref('ledger' as 'rooms') as unknown as ActorRef<LedgerProtocol>;
    const { position } = await ledger.ask('ledger.write', { count });
    if (position === null) return null;
    const last = position + count - 1;
    if (desk.promises.ledger.includes(last))
      desk.server.verdict.blame('1.4', `the ledger gave ${last} twice`);
    desk.promises.ledger.push(last);
    await see(desk, gateway, 'ledger', last);
    return null;
  });
}

function queueEdu(desk: Desk): Promise<void> {
  desk.serial += 1;
  const gateway = pickGateway(desk.server, desk.serial);
  const edu = { type: 'org.example.edu', content: { serial: desk.serial }, key: null };
  gateway?.context.ref('federation').tell('federation.queue-edu', { destination: 'other.example', edu });
  return Promise.resolve();
}

async function sendBatch(desk: Desk): Promise<void> {
  const roomId = pick(desk, desk.rooms);
  const count = 2 + desk.server.random.integer(8);
  await Promise.all(Array.from({ length: count }, () => sendMessage(desk, roomId, pick(desk, USERS))));
}

async function createRoom(desk: Desk): Promise<void> {
  const [creator = ''] = USERS;
  const reply = await insist(desk, async (gateway) => {
    const created = await gateway.context.ref('rooms').ask('rooms.create-room', {
      creator,
      roomVersion: '11',
      creationContent: {},
      events: [
        { type: 'm.room.member', stateKey: creator, content: { membership: 'join' } },
        {
          type: 'm.room.power_levels',
          stateKey: '',
          content: { users: { [creator]: 100 }, state_default: 0, invite: 0 },
        },
        { type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'public' } },
      ],
      alias: null,
      isPublic: false,
    });
    if (created.kind !== 'created') return created;
    await see(desk, gateway, 'events', created.position);
    await judgeRooms(gateway, creator);
    return created;
  });
  if (!isRefusal(reply)) desk.rooms.push(reply.roomId);
}

/** What clients do, with how often. */
const KINDS: readonly (readonly [number, (desk: Desk) => Promise<unknown>])[] = [
  [6, (desk) => sendMessage(desk, pick(desk, desk.rooms), pick(desk, USERS))],
  [9, changeMembership],
  [2, sendBatch],
  [3, sendState],
  [2, redact],
  [3, setReceipt],
  [3, setAccountData],
  [5, setTyping],
  [4, writeLedger],
  [3, queueEdu],
  [1, createRoom],
];
const BAG = KINDS.flatMap(([weight, act]) => Array.from({ length: weight }, () => act));

/** Makes the workload of a server. */
export function createWorkload(server: SimulatedServer): Workload {
  const promises: Promises = {
    events: new Map(),
    messages: new Map(),
    accountData: new Map(),
    ledger: [],
  };
  const desk: Desk = { server, promises, rooms: [], serial: 0, unseen: 0 };
  let pending = 0;
  const run = async (work: () => Promise<unknown>): Promise<void> => {
    pending += 1;
    try {
      await work();
    } catch (error) {
      server.verdict.blame('liveness', `work failed: ${String(error)}`);
    }
    pending -= 1;
  };
  return {
    promises,
    prepare: () => run(async () => Promise.all([createRoom(desk), createRoom(desk)])),
    begin() {
      if (desk.rooms.length === 0) return;
      void run(() => pick(desk, BAG)(desk));
    },
    get pending() {
      return pending;
    },
    get unseen() {
      return desk.unseen;
    },
  };
}
