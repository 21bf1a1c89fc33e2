import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { findCurrentStateEvent } from '../../../../db/rooms/state-reader.ts';
import { isJsonObject } from '../../../kit/json.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { parseHistoryVisibility } from '../../../matrix/rooms/visibility.ts';
import { readStanding, type Standing } from '../../../sync/visibility.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';

/** What a user may read of a room. */
export interface RoomAccess {
  readonly kind: 'access';
  readonly isJoined: boolean;
  /** Up to here on the events stream: what last happened to the user there, or null for "what is there now". */
  readonly to: number | null;
  /**
   * The state that the user may read is that of this position: the end of the user's last stay. A ban or an invite that came after it
   * opens nothing. Null for the present state.
   */
  readonly stateAt: number | null;
  readonly standing: Standing;
}

const NOW = Number.MAX_SAFE_INTEGER;

/** What anybody gets who may not read a room: nobody learns from it whether the room exists. */
export function notInRoom(): Refusal {
  return refuse('M_FORBIDDEN', 'You are not in this room, and have not been in it.');
}

/** True when the room lets everybody read. */
async function isWorldReadable(services: ReadServices, roomId: string): Promise<boolean> {
  const event = await findCurrentStateEvent(services.db, roomId, 'm.room.history_visibility', '');
  if (event === undefined) return false;
  // A redaction leaves it what it was.
  const { content } = JSON.parse(event.pdu) as { readonly content?: unknown };
  const value = isJsonObject(content) ? content['history_visibility'] : undefined;
  return parseHistoryVisibility(value) === 'world_readable';
}

/**
 * Decides what a user may read of a room: a member everything of now, who has left (or was banned) what was there then, everybody
 * what is world-readable. Single events are decided on by their own visibility.
 *
 * @returns refused with 403 M_FORBIDDEN
 */
export async function findRoomAccess(
  services: ReadServices,
  userId: string,
  roomId: string,
): Promise<RoomAccess | Refusal> {
  const own = await findLocalMembership(services.db, userId, roomId);
  if (own?.membership === 'join') {
    const standing = await readStanding(services, userId, roomId, NOW);
    return { kind: 'access', isJoined: true, to: null, stateAt: null, standing };
  }
  if (await isWorldReadable(services, roomId)) {
    const standing = await readStanding(services, userId, roomId, NOW);
    return { kind: 'access', isJoined: false, to: null, stateAt: null, standing };
  }
  if (own === undefined || own.isForgotten) return notInRoom();
  const standing = await readStanding(services, userId, roomId, own.position);
  if (standing.joinedUntil === null) return notInRoom();
  return { kind: 'access', isJoined: false, to: own.position, stateAt: standing.joinedUntil, standing };
}
