import type { ForwardExtremity } from '../../db/rooms/head-reader.ts';
import { type KnownEvent, readKnownEvents, type Receipt } from '../../db/rooms/inbound-reader.ts';
import type { Rejection } from '../../db/rooms/event-reader.ts';
import { edgeIds } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { StateKey } from '../../src/matrix/rooms/auth-decision.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../src/matrix/rooms/auth-rules.ts';
import { type Branch, type BranchDesk, findStateBefore, loadBranch } from './branch-state.ts';
import { effectOf, isRedaction, type RedactionEffect } from './held-redactions.ts';
import { candidateOf, deciderIds, judgeAtAuthEvents, type Verdict, verdictOf } from './judge-event.ts';
import type { Received } from './protocol.ts';
import type { ReceivedPdu } from './received-pdu.ts';
import type { Room } from './room-memory.ts';

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
}

/** What became of an event that is to be stored. */
export interface Assessment {
  readonly kind: 'assessed';
  readonly before: Branch;
  /** Null: it is accepted. */
  readonly rejection: { readonly kind: Rejection; readonly reason: string } | null;
  /** Auth events that it waits for. */
  readonly missing: readonly string[];
  /** Null for what is no redaction, and for one that is not accepted. */
  readonly redaction: RedactionEffect | null;
}

type Missing = Extract<Received, { readonly kind: 'missing' }>;

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

/** Asks the rules at the state before an event and at the current state. */
async function judgeAtStates(
  desk: BranchDesk,
  room: Room,
  { pdu }: ReceivedPdu,
  before: Branch,
): Promise<Assessment['rejection']> {
  const { version, roomId } = room;
  const subject = { roomId, pdu };
  const keys = [CREATE, ...authEventKeys(version, pdu)];
  const atBefore = await loadBranch(desk.db, version, before, keys);
  const verdict = verdictOf(authorise(version, subject, atBefore));
  if (verdict.kind !== 'allowed' || isCurrent(room, before)) return rejectionOf(verdict);
  await room.state.load(keys);
  const atCurrent = verdictOf(authorise(version, subject, room.state));
  return atCurrent.kind === 'rejected' ? { kind: 'soft-failed', reason: atCurrent.reason } : null;
}

async function findBefore(
  desk: BranchDesk,
  room: Room,
  incoming: Incoming,
  prevEvents: readonly KnownEvent[],
  extremities: readonly ForwardExtremity[],
): Promise<Branch | Refusal> {
  const { receipt, stateBefore, event } = incoming;
  // Stored as rejected, it has the state before it: its prev_events may not be known even now.
  if (receipt.stateGroup !== null) return { stateGroup: receipt.stateGroup, changes: [] };
  const isComplete = prevEvents.length === new Set(edgeIds(event.pdu.prev_events)).size;
  const groups = new Set<number>();
  for (const { stateGroup } of extremities) if (stateGroup !== null) groups.add(stateGroup);
  return findStateBefore(desk, room, prevEvents, groups, isComplete ? null : stateBefore);
}

/** Redactions are decided on by themselves; they may turn out to be for nobody to see. */
async function assessRedaction(
  desk: BranchDesk,
  room: Room,
  { pdu }: ReceivedPdu,
  before: Branch,
): Promise<Pick<Assessment, 'rejection' | 'redaction'>> {
  if (!isRedaction(pdu)) return { rejection: null, redaction: null };
  const redaction = await effectOf(desk.db, room.version, room.roomId, { pdu, before });
  const { heldFor } = redaction;
  return { rejection: heldFor === null ? null : { kind: 'held', reason: heldFor }, redaction };
}

/**
 * Finds out what becomes of an event: nothing is written. All that was staged of the room is committed.
 * Server-Server API v1.19, "Checks performed on receipt of a PDU", 4 to 6; "Rejection", "Soft failure".
 *
 * @param extremities of the room
 * @returns what is not known and must be, before it can be decided; refused as the resolver refuses, and with M_BAD_JSON when the state
 *   that was given is none
 */
export async function assessEvent(
  desk: BranchDesk,
  room: Room,
  incoming: Incoming,
  extremities: readonly ForwardExtremity[],
): Promise<Assessment | Missing | Refusal> {
  const { event, receipt, stateBefore, isFinal } = incoming;
  const { version, roomId } = room;
  const { eventId, pdu } = event;
  const judged = { eventId, roomId, pdu };
  const prevIds = [...new Set(edgeIds(pdu.prev_events))];
  const known = await readKnownEvents(desk.db, [...new Set([...deciderIds(version, judged), ...prevIds])]);
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
  const missingAuth = verdict.kind === 'missing' ? verdict.eventIds : [];
  if (missingPrev.length > 0 || (missingAuth.length > 0 && !isFinal))
    return { kind: 'missing', eventId, prevEvents: missingPrev, authEvents: missingAuth };
  const before = await findBefore(desk, room, incoming, prevEvents, extremities);
  if (isRefusal(before)) return before;
  const byAuthEvents = rejectionOf(verdict);
  const rejection = byAuthEvents ?? (await judgeAtStates(desk, room, event, before));
  const assessed = { kind: 'assessed', before, missing: missingAuth } as const;
  if (rejection !== null) return { ...assessed, rejection, redaction: null };
  return { ...assessed, ...(await assessRedaction(desk, room, event, before)) };
}
