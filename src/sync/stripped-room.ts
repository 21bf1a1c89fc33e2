import { readCurrentState, type StateEntry } from '../../db/rooms/state-reader.ts';
import { isJsonObject, type JsonObject } from '../kit/json.ts';
import { STRIPPED_STATE_TYPES } from '../matrix/events/stripped-state.ts';
import { findClientEvent, strippedText } from './event-text.ts';
import { eventsText } from './json-text.ts';
import type { MembershipInRange } from './memberships.ts';
import { readStateAtPosition } from './room-state.ts';
import type { ReadServices } from './sync-services.ts';

/** What the other server said of the room, as far as it has the shape of stripped state. */
function strippedTextOf(state: JsonObject): string | null {
  const { type, state_key: stateKey, sender, content } = state;
  if (typeof type !== 'string' || typeof stateKey !== 'string' || typeof sender !== 'string') return null;
  return isJsonObject(content) ? JSON.stringify({ type, state_key: stateKey, sender, content }) : null;
}

/** The room's present state; of a room that this server has left, as of when the membership began. */
async function readOwnState(services: ReadServices, room: MembershipInRange): Promise<readonly StateEntry[]> {
  const current = await readCurrentState(services.db, room.roomId);
  return current.length > 0 ? current : readStateAtPosition(services, room.roomId, room.position);
}

/**
 * The events of `invite_state` and `knock_state`: the room's own where this server is or was in it, otherwise what came with the invite;
 * the inviter's member event where it is known, and the user's own last.
 */
export async function readStrippedState(services: ReadServices, room: MembershipInRange): Promise<string[]> {
  const own = await findClientEvent(services, room.eventId);
  // The room may be deleted meanwhile.
  if (own === undefined) return [];
  const texts: string[] = [];
  if (own.strippedRoomState !== null) {
    for (const state of own.strippedRoomState) {
      const isOwn = state['type'] === 'm.room.member' && state['state_key'] === own.stateKey;
      const text = isOwn ? null : strippedTextOf(state);
      if (text !== null) texts.push(text);
    }
  } else {
    for (const { type, stateKey, eventId } of await readOwnState(services, room)) {
      const isTold =
        (stateKey === '' && STRIPPED_STATE_TYPES.includes(type)) ||
        (type === 'm.room.member' && stateKey === own.sender && stateKey !== own.stateKey);
      const event = isTold ? await findClientEvent(services, eventId) : undefined;
      if (event !== undefined) texts.push(strippedText(event));
    }
  }
  return [...texts, strippedText(own)];
}

/** A room that the user is invited to. Client-Server API v1.19, "Syncing", `InvitedRoom`. */
export async function buildInvitedRoom(services: ReadServices, room: MembershipInRange): Promise<string> {
  return `{"invite_state":${eventsText(await readStrippedState(services, room))}}`;
}

/** A room that the user knocks on. Client-Server API v1.19, "Syncing", `KnockedRoom`. */
export async function buildKnockedRoom(services: ReadServices, room: MembershipInRange): Promise<string> {
  return `{"knock_state":${eventsText(await readStrippedState(services, room))}}`;
}
