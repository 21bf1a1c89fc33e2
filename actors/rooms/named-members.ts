import type { ReadDb } from '../../db/kit/read-db.ts';
import type { KnownEvent } from '../../db/rooms/inbound-reader.ts';
import { edgeIds, type Pdu, type ProtoPdu } from '../../src/matrix/events/pdu.ts';
import type { AuthState } from '../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { stateName } from '../../src/matrix/state-resolution/state-map.ts';
import { type Branch, findInBranch, layEntryOver } from './branch-state.ts';
import { isRejected, pduOf } from './judge-event.ts';

const MEMBER = 'm.room.member';

/*
 * How events are judged in a room whose states lack members (MSC3902). A member event that is not there is not known; it never says that the user
 * is not in the room.
 *
 * - At its auth events: as ever. They name the sender's member event, so that who never joined gets nowhere.
 * - At the state before it: as ever, once the member events that its authorisation looks at, and that this state does not have, were taken out of
 *   its auth events. They stand in the state from there on. Where the state before it was given whole, nothing is taken.
 * - At the current state: the same, so that it soft-fails only over what is known.
 * - What an absent member event lets through (an invite of who is in the room, or was banned; a kick of who is not; the lifting of no ban), and
 *   what an event that names an old member event hides, is found out when the whole state has come: `complete-state.ts` judges all of it again.
 * - An event of a local user: at the current state, in which all of the joined local users stand. Others of this server come in through
 *   another server: `change-membership.ts`.
 */

/** A member event out of the auth events of another one. */
export interface NamedMember {
  readonly stateKey: string;
  readonly eventId: string;
  readonly pdu: Pdu;
}

/**
 * The member events among an event's auth events that its authorisation looks at.
 *
 * @param known the stored ones of its auth events
 */
export function namedMembers(
  version: RoomVersion,
  pdu: ProtoPdu & Pick<Pdu, 'auth_events'>,
  known: ReadonlyMap<string, KnownEvent>,
): readonly NamedMember[] {
  const wanted = new Set(
    authEventKeys(version, pdu)
      .filter(({ type }) => type === MEMBER)
      .map(({ stateKey }) => stateKey),
  );
  const named: NamedMember[] = [];
  for (const eventId of edgeIds(pdu.auth_events)) {
    const event = known.get(eventId);
    if (event === undefined || isRejected(event.rejection)) continue;
    const member = pduOf(version, event);
    const { type, state_key: stateKey } = member;
    if (type !== MEMBER || stateKey === undefined || !wanted.has(stateKey)) continue;
    wanted.delete(stateKey);
    named.push({ stateKey, eventId, pdu: member });
  }
  return named;
}

/** A branch with the named member events in the places that are empty. */
export async function withNamedMembers(
  db: ReadDb,
  branch: Branch,
  named: readonly NamedMember[],
): Promise<Branch> {
  let filled = branch;
  for (const { stateKey, eventId } of named) {
    const standing = await findInBranch(db, branch, { type: MEMBER, stateKey });
    if (standing === undefined) filled = layEntryOver(filled, { type: MEMBER, stateKey, eventId });
  }
  return filled;
}

/** A state that finds the named member events where it has none. */
export function orNamedMembers(state: AuthState, named: readonly NamedMember[]): AuthState {
  if (named.length === 0) return state;
  const byName = new Map(named.map(({ stateKey, pdu }) => [stateName(MEMBER, stateKey), pdu]));
  return { find: (type, stateKey) => state.find(type, stateKey) ?? byName.get(stateName(type, stateKey)) };
}
