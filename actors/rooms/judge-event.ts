import type { KnownEvent } from '../../db/rooms/inbound-reader.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { redact } from '../../src/matrix/events/redaction.ts';
import { createEventIdOfRoom } from '../../src/matrix/identifiers/room-id.ts';
import type { AuthDecision, AuthState } from '../../src/matrix/rooms/auth-decision.ts';
import { checkAuthEvents } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { stateName } from '../../src/matrix/state-resolution/state-map.ts';

/** What one look at an event has given. */
export type Verdict =
  | { readonly kind: 'allowed' }
  /** `reason` is for people and names the rule. */
  | { readonly kind: 'rejected'; readonly reason: string }
  /** These must be known first. */
  | { readonly kind: 'missing'; readonly eventIds: readonly string[] };

/** An auth event as it is known here. `waiting`: it is rejected only as long as its own auth events are not known. */
export interface AuthCandidate {
  readonly roomId: string;
  readonly pdu: Pdu;
  readonly standing: 'accepted' | 'rejected' | 'waiting';
}

/** The event that is judged, with its room. */
export interface Judged {
  readonly eventId: string;
  readonly roomId: string;
  readonly pdu: Pdu;
}

const ALLOWED: Verdict = { kind: 'allowed' };
const NOTHING: AuthState = { find: () => undefined };

/** True for an event that the authorisation rules have forbidden: one that soft-failed or is held is not. */
export function isRejected(rejection: string | null): boolean {
  return rejection?.startsWith('rejected') === true;
}

/** The event of a stored row, as it counts now. */
export function pduOf(version: RoomVersion, known: Pick<KnownEvent, 'pdu' | 'isRedacted'>): Pdu {
  const pdu = JSON.parse(known.pdu) as Pdu;
  return known.isRedacted ? redact(version, pdu) : pdu;
}

/** A stored event as an auth event. */
export function candidateOf(version: RoomVersion, known: KnownEvent): AuthCandidate {
  const standing = known.isWaiting ? 'waiting' : isRejected(known.rejection) ? 'rejected' : 'accepted';
  return { roomId: known.roomId, pdu: pduOf(version, known), standing };
}

/** Puts a decision of the rules into a verdict. */
export function verdictOf(decision: AuthDecision): Verdict {
  if (decision.allowed) return ALLOWED;
  return { kind: 'rejected', reason: `${decision.reason} (rule ${decision.rule})` };
}

/** The events that decide about an event by its own account: its auth events, and the create event where the room's id names it. */
export function deciderIds(version: RoomVersion, { roomId, pdu }: Judged): readonly string[] {
  const named = edgeIds(pdu.auth_events);
  if (version.createInAuthEvents || pdu.type === 'm.room.create') return named;
  return [...named, createEventIdOfRoom(roomId)];
}

/**
 * Judges an event by its auth events alone. Server-Server API v1.19, "Checks performed on receipt of a PDU", 4.
 *
 * @param createId of the room's create event, where one is known: there is one only
 * @param find gives what is known of {@link deciderIds}
 */
export function judgeAtAuthEvents(
  version: RoomVersion,
  judged: Judged,
  createId: string | undefined,
  find: (eventId: string) => AuthCandidate | undefined,
): Verdict {
  const { pdu } = judged;
  if (pdu.type === 'm.room.create') {
    const isSecond = createId !== undefined && createId !== judged.eventId;
    if (isSecond) return { kind: 'rejected', reason: 'the room has a create event already' };
    return verdictOf(authorise(version, judged, NOTHING));
  }
  const deciders: AuthCandidate[] = [];
  const missing: string[] = [];
  for (const eventId of deciderIds(version, judged)) {
    const candidate = find(eventId);
    if (candidate === undefined || candidate.standing === 'waiting') missing.push(eventId);
    else deciders.push(candidate);
  }
  if (missing.length > 0) return { kind: 'missing', eventIds: missing };
  const named = deciders.slice(0, edgeIds(pdu.auth_events).length);
  const authEvents = named.map(({ roomId, pdu: event, standing }) => ({
    roomId,
    pdu: event,
    isRejected: standing === 'rejected',
  }));
  const selection = verdictOf(checkAuthEvents(version, judged, authEvents));
  if (selection.kind !== 'allowed') return selection;
  return verdictOf(authorise(version, judged, stateOf(deciders)));
}

/** The state that accepted events make, one for each place. */
function stateOf(events: readonly AuthCandidate[]): AuthState {
  const places = new Map<string, Pdu>();
  for (const { pdu, standing } of events) {
    if (pdu.state_key === undefined || standing !== 'accepted') continue;
    places.set(stateName(pdu.type, pdu.state_key), pdu);
  }
  return { find: (type, stateKey) => places.get(stateName(type, stateKey)) };
}
