import type { ForwardExtremity } from '../../db/rooms/head-reader.ts';
import type { KnownEvent, Receipt } from '../../db/rooms/inbound-reader.ts';
import type { Rejection } from '../../db/rooms/event-reader.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import { isPolicyState, isRecommended, type PolicyServer } from '../../src/matrix/rooms/policy-server.ts';
import { type Branch, type BranchDesk, findStateBefore, loadBranch } from './branch-state.ts';
import { effectOf, isRedaction, type RedactionEffect } from './held-redactions.ts';
import { candidateOf, deciderIds, judgeAtAuthEvents, type Verdict, verdictOf } from './judge-event.ts';
import { type NamedMember, namedMembers, orNamedMembers, withNamedMembers } from './named-members.ts';
import type { Received, Unsigned } from './protocol.ts';
import type { ReceivedPdu } from './received-pdu.ts';
import type { Room } from './room-memory.ts';
import { findPolicyServer } from './room-policy.ts';
import type { RoomsDesk } from './rooms-desk.ts';

/** What the signature of the room's policy server counts: it can be asked for; or it cannot be had, and this is why. */
export type PolicyDemand =
  { readonly kind: 'wanted' } | { readonly kind: 'refused'; readonly reason: string };

/** An event that is to be taken into a room's graph. */
export interface Incoming {
  readonly event: ReceivedPdu;
  readonly receipt: Receipt;
  /** Null: it was made here. */
  readonly receivedFrom: string | null;
  /** Once accepted, it goes to the other servers of the room. */
  readonly isRelayed?: boolean;
  readonly stateBefore: readonly string[] | null;
  /** What is not known cannot be had. */
  readonly isFinal: boolean;
  /** What the signature of the room's policy server counts; absent: nothing. */
  readonly policy?: PolicyDemand;
  /** Of one of ours: what its client calls it. */
  readonly transaction?: TransactionKey | null;
}

/** Whether the rules allow an event. */
export interface Standing {
  readonly kind: 'assessed';
  readonly before: Branch;
  /** The state before it was given, whole. */
  readonly isGiven: boolean;
  /** Null: it is accepted. */
  readonly rejection: { readonly kind: Rejection; readonly reason: string } | null;
  /** Auth events that it waits for. */
  readonly missing: readonly string[];
}

/** What became of an event that is to be stored. */
export interface Assessment extends Standing {
  /** Null for what is no redaction, and for one that is not accepted. */
  readonly redaction: RedactionEffect | null;
}

type Missing = Extract<Received, { readonly kind: 'missing' }>;
/** What is to be found out before it can be decided. */
type Undecided = Missing | Unsigned;

/** With this begins why an event soft-failed that the rules allow. */
export const POLICY_REASON = 'the policy server of the room';

const CREATE: StateKey = { type: 'm.room.create', stateKey: '' };

function rejected(reason: string): Assessment['rejection'] {
  return { kind: 'rejected', reason };
}

function rejectionOf(verdict: Verdict): Assessment['rejection'] {
  if (verdict.kind === 'allowed') return null;
  if (verdict.kind === 'rejected') return rejected(verdict.reason);
  return rejected(`auth events are not known: ${verdict.eventIds.join(', ')}`);
}

/** Whether an event stands in this room's graph: the state after it is known. */
function isInGraph(room: Room, known: KnownEvent | undefined): known is KnownEvent {
  return known !== undefined && known.stateGroup !== null && known.roomId === room.roomId;
}

function isCurrent(room: Room, branch: Branch): boolean {
  return branch.stateGroup === room.stateGroup && branch.changes.length === 0;
}

/** Asks the rules at the current state. Server-Server API v1.19, "Soft failure". `named`: see `named-members.ts`. */
export async function judgeAtCurrent(
  room: Room,
  pdu: Pdu,
  named: readonly NamedMember[],
): Promise<Standing['rejection']> {
  const { version, roomId } = room;
  await room.state.load([CREATE, ...authEventKeys(version, pdu)]);
  const atCurrent = verdictOf(authorise(version, { roomId, pdu }, orNamedMembers(room.state, named)));
  return atCurrent.kind === 'rejected' ? { kind: 'soft-failed', reason: atCurrent.reason } : null;
}

/** Asks the rules at the state before an event and at the current state. */
async function judgeAtStates(
  desk: BranchDesk,
  room: Room,
  { pdu }: ReceivedPdu,
  before: Branch,
  named: readonly NamedMember[],
): Promise<Assessment['rejection']> {
  const { version, roomId } = room;
  const subject = { roomId, pdu };
  const keys = [CREATE, ...authEventKeys(version, pdu)];
  const atBefore = await loadBranch(desk.db, version, before, keys);
  const verdict = verdictOf(authorise(version, subject, atBefore));
  if (verdict.kind !== 'allowed' || isCurrent(room, before)) return rejectionOf(verdict);
  return judgeAtCurrent(room, pdu, named);
}

async function findBefore(
  desk: BranchDesk,
  room: Room,
  incoming: Incoming,
  prevEvents: readonly KnownEvent[],
  extremities: readonly ForwardExtremity[],
  given: readonly string[] | null,
): Promise<Branch | Refusal> {
  const { stateGroup: ownGroup } = incoming.receipt;
  // Stored as rejected, it has the state before it: its prev_events may not be known even now.
  if (ownGroup !== null) return { stateGroup: ownGroup, changes: [] };
  const groups = new Set<number>();
  for (const { stateGroup } of extremities) if (stateGroup !== null) groups.add(stateGroup);
  return findStateBefore(desk, room, prevEvents, groups, given);
}

/** The policy server that has yet to sign an event; null where none has to. Server-Server API v1.19, "Checks performed on receipt of a PDU", 7. */
export async function findUnsigned(
  desk: Pick<RoomsDesk, 'policy'>,
  room: Room,
  { event: { pdu }, policy }: Pick<Incoming, 'event' | 'policy'>,
): Promise<PolicyServer | null> {
  if (policy === undefined || isPolicyState(pdu.type, pdu.state_key)) return null;
  const policyServer = await findPolicyServer(desk.policy, room);
  return policyServer === null || isRecommended(room.version, pdu, policyServer) ? null : policyServer;
}

function notRecommended({ policy }: Incoming): Assessment['rejection'] {
  const reason = policy?.kind === 'refused' ? policy.reason : 'it is not signed';
  return { kind: 'soft-failed', reason: `${POLICY_REASON}: ${reason}` };
}

/** Redactions are decided on by themselves; they may turn out to be for nobody to see. */
async function assessRedaction(
  desk: BranchDesk,
  room: Room,
  { pdu }: ReceivedPdu,
  before: Branch,
): Promise<Pick<Assessment, 'rejection' | 'redaction'>> {
  if (!isRedaction(pdu)) return { rejection: null, redaction: null };
  const redaction = await effectOf(desk, room.version, room.roomId, { pdu, before });
  const { heldFor } = redaction;
  return { rejection: heldFor === null ? null : { kind: 'held', reason: heldFor }, redaction };
}

/**
 * Finds out whether the rules allow an event. All that was staged of the room is committed.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU", 4 to 6; "Rejection", "Soft failure". In a room whose state is not whole as
 * `named-members.ts` says.
 *
 * @returns as {@link assessEvent}
 */
export async function judgeStanding(
  desk: BranchDesk,
  room: Room,
  incoming: Incoming,
  extremities: readonly ForwardExtremity[],
): Promise<Standing | Missing | Refusal> {
  const { event, receipt, stateBefore, isFinal } = incoming;
  const { version, roomId } = room;
  const { eventId, pdu } = event;
  const judged = { eventId, roomId, pdu };
  const prevIds = [...new Set(edgeIds(pdu.prev_events))];
  const known = await desk.known([...new Set([...deciderIds(version, judged), ...prevIds])]);
  await room.state.load([CREATE]);
  const createId = room.state.findEvent(CREATE.type, CREATE.stateKey)?.eventId;
  const verdict = judgeAtAuthEvents(version, judged, createId, (id) => {
    const candidate = known.get(id);
    return candidate && candidateOf(version, candidate);
  });
  const isPlaced = receipt.stateGroup !== null || stateBefore !== null;
  const prevEvents = prevIds.map((id) => known.get(id)).filter((prev) => isInGraph(room, prev));
  const found = new Set(prevEvents.map((prev) => prev.eventId));
  const missingPrev = isPlaced ? [] : prevIds.filter((id) => !found.has(id));
  const missing = verdict.kind === 'missing' ? verdict.eventIds : [];
  if (missingPrev.length > 0 || (missing.length > 0 && !isFinal))
    return { kind: 'missing', eventId, prevEvents: missingPrev, authEvents: missing };
  const given = prevEvents.length === prevIds.length ? null : stateBefore;
  const isGiven = given !== null && receipt.stateGroup === null;
  const stored = await findBefore(desk, room, incoming, prevEvents, extremities, given);
  if (isRefusal(stored)) return stored;
  const assessed = { kind: 'assessed', isGiven, missing } as const;
  const byAuthEvents = rejectionOf(verdict);
  if (byAuthEvents !== null) return { ...assessed, before: stored, rejection: byAuthEvents };
  const named = room.isPartial ? namedMembers(version, pdu, known) : [];
  const before = isGiven ? stored : await withNamedMembers(desk.db, stored, named);
  const rejection = await judgeAtStates(desk, room, event, before, named);
  // What it names stands in the state from there on, but not for the sake of one that is not allowed.
  return { ...assessed, before: rejection?.kind === 'rejected' ? stored : before, rejection };
}

/**
 * Finds out what becomes of an event: nothing is written. All that was staged of the room is committed.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU", 4 to 7; "Rejection", "Soft failure".
 *
 * @param extremities of the room
 * @returns what is not known and must be, before it can be decided; refused as the resolver refuses, and with M_BAD_JSON when the state
 *   that was given is none
 */
export async function assessEvent(
  desk: BranchDesk & Pick<RoomsDesk, 'policy'>,
  room: Room,
  incoming: Incoming,
  extremities: readonly ForwardExtremity[],
): Promise<Assessment | Undecided | Refusal> {
  const standing = await judgeStanding(desk, room, incoming, extremities);
  if (standing.kind !== 'assessed') return standing;
  if (standing.rejection !== null) return { ...standing, redaction: null };
  const { event } = incoming;
  const policyServer = await findUnsigned(desk, room, incoming);
  if (policyServer !== null && incoming.policy?.kind === 'wanted')
    return { kind: 'unsigned', eventId: event.eventId, policyServer };
  if (policyServer !== null) return { ...standing, rejection: notRecommended(incoming), redaction: null };
  return { ...standing, ...(await assessRedaction(desk, room, event, standing.before)) };
}
