import { readWaiting, readWaitingById, type WaitingEvent } from '../../db/federation-receiver/reader.ts';
import { storeWaiting } from '../../db/federation-receiver/writer.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import type { Timer } from '../../src/kit/clock.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import type { Received } from '../rooms/protocol.ts';
import { inCausalOrder, readValid, type ValidEvent } from './event-order.ts';
import { newBudget, receiveValid } from './receive-valid.ts';
import { findOpenRoom, type ReceiverDesk } from './receiver-desk.ts';

/** Events of one room that wait for one server's help; the oldest make room: those that follow them lead back to them. */
export const WAITING_PER_ROOM_MAX = 50;
/** Events of one server that wait, in all rooms. */
export const WAITING_PER_ORIGIN_MAX = 500;
/** Events that wait, of all servers. */
export const WAITING_MAX = 20_000;
/** Waits from one try to place an event to the next. */
export const WAITING_BACKOFF: BackoffPolicy = { initialMs: 5_000, factor: 2, maxMs: 15 * 60 * 1_000 };
/** For so long it is tried, in milliseconds. */
export const WAITING_KEPT_MS = 7 * 24 * 60 * 60 * 1_000;
/** What waits is looked at so often, in milliseconds. */
const LOOK_EVERY_MS = 1_000;
/** Events that are tried before anything else is looked at. */
const TRIED_AT_ONCE = 20;
/** Servers that are asked in one try: the one that the event came from, and others of the room. */
const SERVERS_ASKED_MAX = 3;
const PAGE_ROWS = 1_000;

/** From this status on a refusal says nothing of what was refused. */
const OWN_FAULT_STATUS_MIN = 500;

interface Waiting extends Omit<WaitingEvent, 'pdu'> {
  tries: number;
  /** Milliseconds since the Unix epoch. */
  triedTs: number;
  retryTs: number;
  /** Its server has called since it was tried. */
  isHeard: boolean;
}

const UNTRIED = { tries: 0, triedTs: 0, isHeard: false } as const;

/** Events of other servers whose place is not known yet. */
export interface WaitingEvents {
  /** Keeps events, and tries to place them from time to time. False when they could not be stored. */
  keep(roomId: string, origin: string, events: readonly ValidEvent[]): Promise<boolean>;
  /** A server has called: what came from it is tried again. */
  noteHeard(origin: string): void;
  close(): void;
}

/** What an event follows could not be had. */
export function isUnplaced(received: Received | Refusal): boolean {
  return !isRefusal(received) && received.kind === 'missing';
}

/** Nothing was decided, because of what was missing or because of this server. */
function isOpen(received: Received | Refusal): boolean {
  return isRefusal(received) ? received.status >= OWN_FAULT_STATUS_MIN : received.kind === 'missing';
}

/** Tries to place one event, with the help of one server after another. True when nothing more is to be done about it. */
async function place(
  desk: ReceiverDesk,
  { roomId, origin, eventId, pdu }: WaitingEvent,
  { tries, isHeard }: Waiting,
): Promise<boolean> {
  const room = await findOpenRoom(desk, roomId, origin);
  // This server has left, or the other one is shut out.
  if (isRefusal(room)) return true;
  const valid = readValid({ eventId, pdu });
  const inRoom = await desk.caches.get(hostsInRoom, roomId);
  const others = inRoom.filter((host) => host !== desk.serverName && host !== origin);
  // Others are not troubled before the one that knows for sure has had two chances.
  const servers = [origin, ...(tries === 0 ? [] : others)].slice(0, SERVERS_ASKED_MAX);
  for (const serverName of servers) {
    const peer = { serverName, roomId, isCalling: isHeard && serverName === origin };
    const received = await receiveValid(desk, { room, peer, isRelayed: false, budget: newBudget() }, valid);
    if (!isOpen(received)) return true;
    // This server itself is busy: no other one helps with that.
    if (isRefusal(received)) return false;
  }
  return false;
}

/** What makes room for new events: the oldest of the same room and server, and then of the server. */
function overflowing(known: Iterable<Waiting>, roomId: string, origin: string, fresh: number): string[] {
  const ofOrigin = [...known]
    .filter((one) => one.origin === origin)
    .toSorted((one, other) => one.receivedTs - other.receivedTs);
  const ofRoom = ofOrigin.filter((one) => one.roomId === roomId);
  const letGo = new Set(ofRoom.slice(0, Math.max(0, ofRoom.length + fresh - WAITING_PER_ROOM_MAX)));
  const rest = ofOrigin.filter((one) => !letGo.has(one));
  for (const one of rest.slice(0, Math.max(0, rest.length + fresh - WAITING_PER_ORIGIN_MAX))) letGo.add(one);
  return [...letGo].map(({ eventId }) => eventId);
}

async function loadWaiting(context: TroupeContext): Promise<Map<string, Waiting>> {
  const { env, clock } = context;
  const known = new Map<string, Waiting>();
  for (let after: string | undefined = ''; after !== undefined;) {
    // Each page begins where the one before ended.
    const page: readonly Omit<WaitingEvent, 'pdu'>[] = await readWaiting(env.db, after, PAGE_ROWS);
    for (const one of page) known.set(one.eventId, { ...one, ...UNTRIED, retryTs: clock.now() });
    after = page.length < PAGE_ROWS ? undefined : page.at(-1)?.eventId;
  }
  return known;
}

/** Makes what tries all that is due, once. */
function createRound(
  context: TroupeContext,
  desk: ReceiverDesk,
  known: Map<string, Waiting>,
): () => Promise<void> {
  const { clock, ended, random } = context;

  async function forget(eventIds: readonly string[]): Promise<void> {
    if (eventIds.length === 0) return;
    // Should that not be stored, they are found to be known in the next life.
    await commit(context, storeWaiting([], eventIds));
    for (const eventId of eventIds) known.delete(eventId);
  }

  async function tryOne(event: WaitingEvent): Promise<boolean> {
    const one = known.get(event.eventId);
    if (one === undefined) return false;
    const { isHeard } = one;
    one.isHeard = false;
    if (await place(desk, event, { ...one, isHeard })) return true;
    one.tries += 1;
    one.triedTs = clock.now();
    one.retryTs = clock.now() + Math.ceil(backoffMs(WAITING_BACKOFF, one.tries, random));
    if (clock.now() - one.receivedTs < WAITING_KEPT_MS) return false;
    const { eventId, roomId, origin } = event;
    desk.log.warn('an event of another server is given up: nobody gives what comes before it', {
      eventId,
      roomId,
      origin,
    });
    return true;
  }

  return async () => {
    const now = clock.now();
    const due = [...known.values()].filter(({ retryTs }) => retryTs <= now).slice(0, TRIED_AT_ONCE);
    const events = await readWaitingById(
      desk.db,
      due.map(({ eventId }) => eventId),
    );
    const stored = new Map(events.map((event) => [event.eventId, event]));
    // Older ones first: what is fetched for them may be what the others follow.
    const inOrder = inCausalOrder(events.map(({ eventId, pdu }) => readValid({ eventId, pdu })));
    const done = due.filter(({ eventId }) => !stored.has(eventId)).map(({ eventId }) => eventId);
    for (const { event } of inOrder) {
      const waiting = stored.get(event.eventId);
      if (ended.aborted || waiting === undefined) return;
      if (await tryOne(waiting)) done.push(event.eventId);
    }
    await forget(done);
  };
}

/**
 * Opens what waits, of this life and those before. What an event follows may be had later, when its server is heard again, or of another server of
 * the room: until then the event is kept, for whoever sent it takes it for delivered and never sends it again.
 */
export async function openWaitingEvents(context: TroupeContext, desk: ReceiverDesk): Promise<WaitingEvents> {
  const { clock, ended, metrics } = context;
  const known = await loadWaiting(context);
  const look = createRound(context, desk, known);
  const figure = metrics.gauge('federation-receiver.events-waiting');
  let timer: Timer | null = null;
  let isLooking = false;

  async function run(): Promise<void> {
    timer = null;
    isLooking = true;
    try {
      await look();
    } catch (error) {
      if (!ended.aborted) context.crash(error);
    }
    isLooking = false;
    schedule();
  }

  /** Where nothing waits nothing ticks. */
  function schedule(delayMs = LOOK_EVERY_MS): void {
    figure.set(known.size);
    if (known.size > 0 && timer === null && !isLooking && !ended.aborted)
      timer = clock.after(delayMs, () => void run());
  }

  function cancel(): void {
    if (timer !== null) clock.cancel(timer);
    timer = null;
  }

  schedule();
  return {
    async keep(roomId, origin, events) {
      const fresh = events.filter(({ event }) => !known.has(event.eventId)).slice(-WAITING_PER_ROOM_MAX);
      const letGo = overflowing(known.values(), roomId, origin, fresh.length);
      if (known.size - letGo.length + fresh.length > WAITING_MAX) return false;
      const receivedTs = clock.now();
      const rows = fresh.map(({ event: { eventId, pdu } }) => ({ eventId, roomId, origin, pdu, receivedTs }));
      const outcome = await commit(context, storeWaiting(rows, letGo));
      if (outcome.kind !== 'committed') return false;
      for (const eventId of letGo) known.delete(eventId);
      for (const { eventId } of rows)
        known.set(eventId, { eventId, roomId, origin, receivedTs, ...UNTRIED, retryTs: receivedTs });
      desk.log.info('events of another server wait for what comes before them', {
        origin,
        roomId,
        events: fresh.length,
      });
      schedule();
      return true;
    },
    noteHeard(origin) {
      for (const one of known.values()) {
        if (one.origin !== origin) continue;
        one.isHeard = true;
        // Not each time that it calls.
        one.retryTs = Math.min(one.retryTs, Math.max(clock.now(), one.triedTs + WAITING_BACKOFF.initialMs));
      }
      cancel();
      schedule(0);
    },
    close: cancel,
  };
}
