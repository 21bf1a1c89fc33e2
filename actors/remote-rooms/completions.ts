import type { ReadDb } from '../../db/kit/read-db.ts';
import { findEvent } from '../../db/rooms/event-reader.ts';
import { findPartialRoom, type PartialRoom, readPartialRooms } from '../../db/rooms/partial-reader.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import type { Timer } from '../../src/kit/clock.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import type { TroupeContext } from '../environment.ts';
import { createLanes, type Lanes } from '../remote-devices/lanes.ts';
import { createTurns, type Turns } from '../turns.ts';
import { completeThrough } from './complete-room.ts';
import type { RemoteDesk } from './desk.ts';
import type { PartialRoomState } from './protocol.ts';

/** Rooms whose state is fetched at one moment: each may be held in memory whole. */
export const COMPLETIONS_AT_ONCE_MAX = 4;
/** Servers that are asked for one room, one after the other, before it waits. */
export const SERVERS_PER_TRY_MAX = 5;
/** How long a room waits after all of those have failed. */
export const COMPLETION_BACKOFF: BackoffPolicy = { initialMs: 5_000, factor: 2, maxMs: 300_000 };
/** How often it is looked whether there are rooms that nobody has said anything of, in milliseconds. */
export const LOOK_INTERVAL_MS = 300_000;

/** A room on its way to be whole. */
interface Completion {
  /** As it was joined. */
  room: PartialRoom;
  /** When this server joined, milliseconds since the Unix epoch. */
  readonly sinceTs: number;
  /** How often servers were asked in vain, a round of several counting once. */
  failures: number;
  lastError: string | null;
  retryTs: number | null;
  timer: Timer | null;
  isUnderWay: boolean;
  /** Somebody wants it now: servers that count as out of reach are asked, too. */
  isWanted: boolean;
}

/** Brings what is missing of rooms that were joined without their members. */
export interface Completions {
  /** Rooms may have been joined: those that are not whole are begun with. */
  look(): void;
  /** The rooms that are not whole, in the order of their joins. */
  states(): readonly PartialRoomState[];
  /** Tries a room at once. False for one that is whole, or not known. */
  retry(roomId: string): boolean;
  stop(): void;
}

interface Work {
  readonly context: TroupeContext;
  readonly desk: RemoteDesk;
  readonly rooms: Map<string, Completion>;
  readonly turns: Turns;
  /** By server: of each, one room at a time. */
  readonly lanes: Lanes;
}

async function joinedTs(db: ReadDb, joinEventId: string): Promise<number> {
  const join = await findEvent(db, joinEventId);
  return join === undefined ? 0 : (JSON.parse(join.pdu) as Pdu).origin_server_ts;
}

/** The server that has helped with the join, then some of the others: other ones each time. */
function serversOf({ room: { joinedVia, servers }, failures }: Completion): readonly string[] {
  const others = servers.filter((server) => server !== joinedVia);
  const start = others.length === 0 ? 0 : (failures * (SERVERS_PER_TRY_MAX - 1)) % others.length;
  return [joinedVia, ...others.slice(start), ...others.slice(0, start)].slice(0, SERVERS_PER_TRY_MAX);
}

function forget({ context, rooms }: Work, completion: Completion): void {
  if (completion.timer !== null) context.clock.cancel(completion.timer);
  completion.timer = null;
  rooms.delete(completion.room.roomId);
}

/** Asks one server after the other; false when all of them failed. A room that waits for a slow one keeps no other from its turn. */
async function tryAll(work: Work, completion: Completion): Promise<boolean> {
  const { desk, context, turns, lanes } = work;
  const { room } = completion;
  const { roomId } = room;
  const isProbe = completion.isWanted;
  completion.isWanted = false;
  for (const server of serversOf(completion)) {
    const attempt = await lanes.run(server, () =>
      turns.run(() => completeThrough(desk, room, server, isProbe)),
    );
    if (attempt.kind === 'completed') context.log.info('all members of a room are known', { roomId, server });
    if (attempt.kind !== 'failed' || context.ended.aborted) return true;
    const { reason } = attempt;
    completion.lastError = `${server}: ${reason}`;
    context.log.info('a server did not give the members of a room', { roomId, server, reason });
  }
  return false;
}

async function complete(work: Work, completion: Completion): Promise<void> {
  const { context, desk } = work;
  const partial = await findPartialRoom(desk.db, completion.room.roomId);
  // Completed, left or deleted meanwhile.
  if (partial === undefined) return forget(work, completion);
  completion.room = partial;
  if (await tryAll(work, completion)) return forget(work, completion);
  completion.failures += 1;
  const delayMs = backoffMs(COMPLETION_BACKOFF, completion.failures, context.random);
  completion.retryTs = context.clock.now() + delayMs;
  completion.timer = context.clock.after(delayMs, () => begin(work, completion));
}

function crashUnlessEnded({ context }: Work, error: unknown): void {
  if (!context.ended.aborted) context.crash(error);
}

function begin(work: Work, completion: Completion): void {
  if (completion.isUnderWay || work.context.ended.aborted) return;
  if (completion.timer !== null) work.context.clock.cancel(completion.timer);
  completion.timer = null;
  completion.retryTs = null;
  completion.isUnderWay = true;
  complete(work, completion)
    .catch((error: unknown) => crashUnlessEnded(work, error))
    .finally(() => {
      completion.isUnderWay = false;
      // It was asked for while it was being given up.
      if (completion.isWanted && work.rooms.has(completion.room.roomId)) begin(work, completion);
    });
}

async function lookAtAll(work: Work): Promise<void> {
  const { desk, rooms } = work;
  for (const room of await readPartialRooms(desk.db)) {
    const { roomId } = room;
    if (rooms.has(roomId)) continue;
    const sinceTs = await joinedTs(desk.db, room.joinEventId);
    // Another look may have found it meanwhile.
    if (rooms.has(roomId)) continue;
    const completion: Completion = {
      room,
      sinceTs,
      failures: 0,
      lastError: null,
      retryTs: null,
      timer: null,
      isUnderWay: false,
      // Who has just let us join is there, whatever was said of it before.
      isWanted: true,
    };
    rooms.set(roomId, completion);
    begin(work, completion);
  }
}

function stateOf({ room, timer: _timer, isWanted: _isWanted, ...state }: Completion): PartialRoomState {
  const { roomId, joinedVia, servers } = room;
  return { roomId, joinedVia, servers: servers.length, ...state };
}

/** Begins with the rooms that a life before this one has left. */
export function createCompletions(context: TroupeContext, desk: RemoteDesk): Completions {
  const work: Work = {
    context,
    desk,
    rooms: new Map(),
    turns: createTurns(COMPLETIONS_AT_ONCE_MAX),
    lanes: createLanes(),
  };
  let interval: Timer | null = null;
  const look = (): void => void lookAtAll(work).catch((error: unknown) => crashUnlessEnded(work, error));
  const lookAgain = (): void => {
    look();
    interval = context.clock.after(LOOK_INTERVAL_MS, lookAgain);
  };
  lookAgain();
  return {
    look,
    states: () => [...work.rooms.values()].map(stateOf),
    retry(roomId) {
      const completion = work.rooms.get(roomId);
      if (completion === undefined) return false;
      completion.isWanted = true;
      begin(work, completion);
      return true;
    },
    stop() {
      if (interval !== null) context.clock.cancel(interval);
      for (const completion of work.rooms.values()) forget(work, completion);
    },
  };
}
