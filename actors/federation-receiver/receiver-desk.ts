import type { ReadDb } from '../../db/kit/read-db.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import type { FederationClient } from '../../src/federation/federation-client.ts';
import { mayTakePart } from '../../src/federation/server-acl.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { Logger } from '../../src/kit/logger.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { Caches } from '../../src/streams/cache.ts';
import { answerOr } from '../answer-or.ts';
import { cached } from '../cached.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { Received, RoomsProtocol } from '../rooms/protocol.ts';
import { type Given, receiveRecommended } from './receive-recommended.ts';
import type { CheckedEvent } from '../server-keys/protocol.ts';

/** Events that are checked with one message: more would stand in memory several times. */
const CHECKED_AT_ONCE = 1_000;
/** How long a check may take: keys of servers that do not answer are waited for. Milliseconds. */
const CHECK_DEADLINE_MS = 120_000;
/** How long `rooms` may take for one event or for one state: it may have to resolve states first. Milliseconds. */
const ROOMS_DEADLINE_MS = 120_000;

/** How long a signature of a policy server is waited for; others may be asked for before it. Milliseconds. */
const SIGN_DEADLINE_MS = 60_000;

/** How long events wait for a join of their room, which their server has helped with. It waits for the answer meanwhile. Milliseconds. */
const JOIN_DEADLINE_MS = 30_000;

type ReceiveOutliers = InputOf<RoomsProtocol, 'rooms.receive-outliers'>;
type ReceiveHistory = InputOf<RoomsProtocol, 'rooms.receive-history'>;

/** A room that events come for. */
export interface RoomAtHand {
  readonly kind: 'room';
  readonly roomNid: number;
  readonly roomId: string;
  readonly version: RoomVersion;
  /** A local user is in it. */
  readonly isInside: boolean;
}

/** What taking in events of other servers needs. Nothing of it throws but for defects. */
export interface ReceiverDesk {
  readonly db: ReadDb;
  readonly caches: Caches;
  readonly client: FederationClient;
  readonly serverName: string;
  readonly log: Logger;
  /** One outcome for each event, in order. */
  check(version: RoomVersion, events: readonly JsonObject[]): Promise<readonly CheckedEvent[] | Refusal>;
  /** With the signature of the room's policy server, where it takes one. */
  receive(input: Given): Promise<Received | Refusal>;
  /** Waits while a join of a room is under way. True when one was. */
  awaitJoined(roomId: string): Promise<boolean>;
  storeOutliers(input: ReceiveOutliers): Promise<OutputOf<RoomsProtocol, 'rooms.receive-outliers'>>;
  storeHistory(input: ReceiveHistory): Promise<OutputOf<RoomsProtocol, 'rooms.receive-history'>>;
}

/** The desk of an actor on a thread with caches. */
export function openReceiverDesk(context: TroupeContext): ReceiverDesk {
  const { db, federationClient: client, config } = context.env;
  const rooms = context.ref('rooms');
  const deadlineMs = ROOMS_DEADLINE_MS;
  return {
    db,
    caches: cached(context),
    client,
    serverName: config.server.name,
    log: context.log,
    async check(version, events) {
      const checked: CheckedEvent[] = [];
      for (let start = 0; start < events.length; start += CHECKED_AT_ONCE) {
        const some = { roomVersion: version.id, events: events.slice(start, start + CHECKED_AT_ONCE) };
        const ask = context.ref('server-keys').ask('server-keys.check-events', some, {
          deadlineMs: CHECK_DEADLINE_MS,
        });
        const outcome = await answerOr(ask);
        if (isRefusal(outcome)) return outcome;
        checked.push(...outcome.events);
      }
      return checked;
    },
    receive: (input) =>
      receiveRecommended(
        {
          clock: context.clock,
          sign: (question) =>
            answerOr(
              context
                .ref('policy-servers')
                .ask('policy-servers.sign', question, { deadlineMs: SIGN_DEADLINE_MS }),
            ),
          receiveUnlessUnsigned: (give) =>
            answerOr(rooms.ask('rooms.receive-unless-unsigned', give, { deadlineMs })),
          receiveUnsigned: (give) => answerOr(rooms.ask('rooms.receive-event', give, { deadlineMs })),
        },
        input,
      ),
    async awaitJoined(roomId) {
      const ask = context
        .ref('remote-rooms')
        .ask('remote-rooms.await-joined', { roomId }, { deadlineMs: JOIN_DEADLINE_MS });
      const settled = await answerOr(ask);
      return isRefusal(settled) || settled.hasWaited;
    },
    storeOutliers: (input) => answerOr(rooms.ask('rooms.receive-outliers', input, { deadlineMs })),
    storeHistory: (input) => answerOr(rooms.ask('rooms.receive-history', input, { deadlineMs })),
  };
}

/**
 * The room, if this server knows it and the other server may take part in it.
 *
 * @returns refused with M_NOT_FOUND or M_FORBIDDEN
 */
export async function findKnownRoom(
  desk: ReceiverDesk,
  roomId: string,
  origin: string,
): Promise<RoomAtHand | Refusal> {
  const room = await findRoom(desk.db, roomId);
  if (room === undefined) return notHere(roomId);
  if (!(await mayTakePart(desk.caches, roomId, origin)))
    return refuse('M_FORBIDDEN', `the room does not let ${origin} take part in it`);
  const hosts = await desk.caches.get(hostsInRoom, roomId);
  const isInside = hosts.includes(desk.serverName);
  const version = getRoomVersion(room.roomVersion);
  return { kind: 'room', roomNid: room.roomNid, roomId, version, isInside };
}

/** The same for a room that this server is in: otherwise M_NOT_FOUND. */
export async function findOpenRoom(
  desk: ReceiverDesk,
  roomId: string,
  origin: string,
): Promise<RoomAtHand | Refusal> {
  const room = await findKnownRoom(desk, roomId, origin);
  return isRefusal(room) || room.isInside ? room : notHere(roomId);
}

function notHere(roomId: string): Refusal {
  return refuse('M_NOT_FOUND', `this server is in no room ${roomId}`);
}
