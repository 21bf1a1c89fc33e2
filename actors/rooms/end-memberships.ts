import type { WriteStep } from '../../db/kit/write-set.ts';
import { keepEnded } from '../../db/rooms/deletion-writer.ts';
import { readEvents, type StoredEvent } from '../../db/rooms/event-reader.ts';
import { type LocalMembership, readLocalMemberships } from '../../db/rooms/membership-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { type BuiltEvent, buildEvent } from '../../src/matrix/events/build-event.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { AskFailed } from '../kit/ref.ts';
import type { ActorRef } from '../kit/ref.ts';
import type { RoomsProtocol } from './protocol.ts';
import { type PurgeDesk, ROWS_PER_SLICE_MAX, runSlices } from './purge-desk.ts';
import { parseStoredPdu, referenceOf } from './stored-pdu.ts';

/** Users that leave at the same time. */
const LEAVES_AT_ONCE_MAX = 64;
/** How often those who have come back meanwhile are asked to leave, before they are left out without an event. */
export const LEAVE_ROUNDS_MAX = 3;
/** Above this no depth can be written in every room version. */
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

const ACTIVE: ReadonlySet<string> = new Set(['join', 'invite', 'knock']);
const OVER: ReadonlySet<string> = new Set(['leave', 'ban']);

/** The local users who are in a room, are invited to it or knock on it. */
export async function readActiveUsers(desk: Pick<PurgeDesk, 'db'>, roomId: string): Promise<string[]> {
  const memberships = await readLocalMemberships(desk.db, roomId);
  return memberships.filter(({ membership }) => ACTIVE.has(membership)).map(({ userId }) => userId);
}

async function leave(self: ActorRef<RoomsProtocol>, roomId: string, userId: string): Promise<void> {
  try {
    // Refused where the room's own rules do not let them go: they are left out without an event.
    const action = 'leave';
    await self.ask('rooms.change-membership', {
      roomId,
      sender: userId,
      target: userId,
      action,
      content: {},
    });
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
  }
}

/** Makes local users leave with events of the room, each in a turn of its own, so that clients and other servers learn of it as always. */
export async function leaveAll(
  self: ActorRef<RoomsProtocol>,
  roomId: string,
  userIds: readonly string[],
): Promise<void> {
  for (let index = 0; index < userIds.length; index += LEAVES_AT_ONCE_MAX) {
    const some = userIds.slice(index, index + LEAVES_AT_ONCE_MAX);
    await Promise.all(some.map((userId) => leave(self, roomId, userId)));
  }
}

/** The leave of a user whom the room does not let go: no other server will ever see it. */
function buildForcedLeave(
  desk: PurgeDesk,
  roomId: string,
  userId: string,
  before: StoredEvent,
): BuiltEvent | Refusal {
  const version = getRoomVersion(before.roomVersion);
  const reference = referenceOf(version, before.eventId, before.pdu);
  return buildEvent(
    {
      version,
      roomId,
      sender: userId,
      type: 'm.room.member',
      stateKey: userId,
      content: { membership: 'leave' },
      prevEvents: [reference],
      authEvents: [reference],
      depth: Math.min(before.depth + 1, DEPTH_MAX),
      originServerTs: desk.clock.now(),
      ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: desk.stage.newEventLocalpart() }),
    },
    desk.stage.signer,
  );
}

/** Where the end of each membership stands that is written down already, by user. */
export type Written = Map<string, number>;

async function eventsOf(
  desk: PurgeDesk,
  memberships: readonly LocalMembership[],
): Promise<ReadonlyMap<string, StoredEvent>> {
  return readEvents(
    desk.db,
    memberships.map(({ eventId }) => eventId),
  );
}

function endedStep(desk: PurgeDesk, membership: LocalMembership, stored: StoredEvent): WriteStep {
  const { userId, roomId, eventId, position } = membership;
  const pdu = JSON.stringify(parseStoredPdu(getRoomVersion(stored.roomVersion), stored));
  const { roomVersion } = stored;
  return keepEnded({ userId, roomId, eventId, roomVersion, pdu, now: desk.clock.now() }, { position });
}

/**
 * Writes down how the memberships of local users ended, so that a client that was away learns of it when the room is gone.
 *
 * @param commit takes the steps of one slice
 */
export async function writeEnded(
  desk: PurgeDesk,
  roomId: string,
  written: Written,
  commit: (steps: readonly WriteStep[]) => Promise<Refusal | undefined>,
): Promise<Refusal | undefined> {
  const waiting = (await readLocalMemberships(desk.db, roomId)).filter(({ membership }) =>
    OVER.has(membership),
  );
  return runSlices(desk, roomId, async () => {
    const some = waiting.splice(0, ROWS_PER_SLICE_MAX);
    const events = await eventsOf(desk, some);
    const known = some.filter(({ eventId }) => events.has(eventId));
    const steps = known.map((membership) =>
      endedStep(desk, membership, events.get(membership.eventId) as StoredEvent),
    );
    const refusal = await commit(steps);
    if (refusal !== undefined) return refusal;
    for (const { userId, position } of known) written.set(userId, position);
    return waiting.length > 0;
  });
}

/** What ends the memberships that are not over, or not written down, in one write set; `rows` take its first positions. */
export async function endTheRest(
  desk: PurgeDesk,
  roomId: string,
  written: Written,
): Promise<{ readonly steps: readonly WriteStep[]; readonly rows: readonly EventsRow[] } | Refusal> {
  const memberships = await readLocalMemberships(desk.db, roomId);
  const rest = memberships.filter(({ userId, position }) => written.get(userId) !== position);
  const events = await eventsOf(desk, rest);
  const steps: WriteStep[] = [];
  const rows: EventsRow[] = [];
  for (const membership of rest) {
    const stored = events.get(membership.eventId);
    if (stored === undefined) continue;
    if (OVER.has(membership.membership)) {
      steps.push(endedStep(desk, membership, stored));
      continue;
    }
    const { userId } = membership;
    const built = buildForcedLeave(desk, roomId, userId, stored);
    if (isRefusal(built)) return built;
    const { eventId, json: pdu } = built;
    const { roomVersion } = stored;
    const ended = { userId, roomId, eventId, roomVersion, pdu, now: desk.clock.now() };
    steps.push(keepEnded(ended, { positionOffset: rows.length }));
    const type = 'm.room.member';
    rows.push({ kind: 'state', roomId, type, stateKey: userId, eventId: null, membership: 'leave' });
  }
  return { steps, rows };
}
