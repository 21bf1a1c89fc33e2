import { type ForwardExtremity, readExtremities } from '../../db/rooms/head-reader.ts';
import { readKnownEvents } from '../../db/rooms/inbound-reader.ts';
import {
  changeCurrentState,
  changeExtremities,
  type CurrentStateChange,
  holdStoredRedaction,
  recordResolvedState,
  redactStoredEvent,
  releaseHeldRedactions,
  revealHeldRedaction,
  setResolvedState,
  storeInboundEvent,
} from '../../db/rooms/inbound-writer.ts';
import type { StateGroupChange, StateGroupWrite } from '../../db/rooms/state-group-writer.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { storeTransaction } from '../../db/rooms/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { edgeIds, type Pdu } from '../../src/matrix/events/pdu.ts';
import { stickyUntil } from '../../src/matrix/events/stickiness.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { type Assessment, assessEvent, type Incoming, type Standing } from './assess-event.ts';
import { type Branch, type BranchDesk, findInBranch, layEntryOver, planBranch } from './branch-state.ts';
import { type PlannedExtremities, planExtremities } from './extremities.ts';
import { findReleased, type ReleasedRedaction } from './held-redactions.ts';
import { parentsOf } from './commit-events.ts';
import { departureOf, findDeparture } from './leave-room.ts';
import type { Received, Unsigned } from './protocol.ts';
import { depthOf } from './received-pdu.ts';
import type { Room } from './room-memory.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { settleCurrentState, type SettledState } from './settle-current-state.ts';
import { referenceOf } from './stored-pdu.ts';

/** Rows and steps of one write set, position by position. */
interface Ledger {
  readonly rows: (EventsRow | null)[];
  readonly steps: WriteStep[];
}

/** What is decided about an event, and what follows from it. */
interface Placement {
  readonly assessment: Assessment;
  readonly after: Branch;
  readonly write: StateGroupWrite;
  readonly isVisible: boolean;
  /** Null: it changes neither the extremities nor the current state. */
  readonly head: { readonly extremities: PlannedExtremities; readonly state: SettledState } | null;
  readonly released: readonly ReleasedRedaction[];
}

/** The membership that a member event makes; null for any other event. */
export function membershipOfPdu(pdu: Pdu): string | null {
  const { membership } = pdu.content;
  return pdu.type === 'm.room.member' && typeof membership === 'string' ? membership : null;
}

/** The row of the events stream that an event of another server makes. */
export function rowOfPdu(
  roomId: string,
  event: { readonly eventId: string; readonly pdu: Pdu },
  options: {
    readonly redacts?: string | null;
    readonly parentOfRedacted?: string | null;
    readonly isLate?: boolean;
  } = {},
): EventsRow {
  const { eventId, pdu } = event;
  const { type, state_key: stateKey = null, sender } = pdu;
  return {
    kind: 'event',
    eventId,
    roomId,
    type,
    stateKey,
    sender,
    membership: stateKey === null ? null : membershipOfPdu(pdu),
    redacts: options.redacts ?? null,
    ...parentsOf(pdu.content, options.parentOfRedacted ?? null),
    ...(options.isLate === true && { isLate: true as const }),
  };
}

/** The state after an event: a rejected one changes nothing. */
export async function stateAfter(
  desk: Pick<BranchDesk, 'db'>,
  { event }: Pick<Incoming, 'event'>,
  { before, rejection }: Pick<Standing, 'before' | 'rejection'>,
): Promise<Branch> {
  const { type, state_key: stateKey } = event.pdu;
  if (stateKey === undefined || rejection?.kind === 'rejected') return before;
  const standing = await findInBranch(desk.db, before, { type, stateKey });
  return standing === event.eventId
    ? before
    : layEntryOver(before, { type, stateKey, eventId: event.eventId });
}

/** What an accepted event makes of a room's extremities and of its current state. */
export async function planHead(
  desk: BranchDesk & Pick<RoomsDesk, 'stage'>,
  room: Room,
  incoming: Pick<Incoming, 'event' | 'receipt'>,
  extremities: readonly ForwardExtremity[],
  states: { readonly after: Branch; readonly write: StateGroupWrite },
): Promise<Placement['head'] | Refusal> {
  const { eventId, pdu, json } = incoming.event;
  const planned = await planExtremities(desk, extremities, {
    eventId,
    prevEvents: edgeIds(pdu.prev_events),
    depth: depthOf(pdu),
    // Everything follows the first event of the room.
    isFollowed: incoming.receipt.isFollowed || pdu.type === 'm.room.create',
  });
  const own = planned.isAdded ? { eventId, json, ...states } : null;
  const parts = { resolver: desk.resolver, numbers: desk.stage.numbers };
  const state = await settleCurrentState(parts, room, extremities, planned.kept, own);
  return isRefusal(state) ? state : { extremities: planned, state };
}

async function planPlacement(
  desk: RoomsDesk,
  room: Room,
  incoming: Incoming,
  assessment: Assessment,
  extremities: readonly ForwardExtremity[],
): Promise<Placement | Refusal> {
  const { rejection } = assessment;
  const after = await stateAfter(desk, incoming, assessment);
  const write = planBranch(after, desk.stage.numbers);
  const isOfGraph = rejection === null || rejection.kind === 'held';
  const head = isOfGraph ? await planHead(desk, room, incoming, extremities, { after, write }) : null;
  if (isRefusal(head)) return head;
  const isTarget = incoming.receipt.isRedactionTarget && rejection?.kind !== 'rejected';
  const released = isTarget ? await findReleased(desk.db, room.version, room.roomId, incoming.event) : [];
  return { assessment, after, write, isVisible: rejection === null, head, released };
}

function writeEvent(
  ledger: Ledger,
  room: Room,
  incoming: Incoming,
  placement: Placement,
  receivedTs: number,
): void {
  const { event, receipt, receivedFrom } = incoming;
  const { eventId, pdu, json } = event;
  const { assessment, write, isVisible } = placement;
  const { rejection, redaction, missing } = assessment;
  const stored = {
    roomNid: room.roomNid,
    eventId,
    isStored: receipt.eventNid !== null,
    isVisible,
    depth: pdu.depth,
    originServerTs: pdu.origin_server_ts,
    type: pdu.type,
    stateKey: pdu.state_key ?? null,
    rejection: rejection === null ? null : `${rejection.kind}: ${rejection.reason}`,
    stateGroup: write,
    receivedFrom,
    pdu: json,
    missing,
    isRelated: relationOf(pdu.content) !== null,
    stickyUntil: rejection?.kind === 'rejected' ? null : stickyUntil(pdu, receivedTs),
    placement: room.isPartial ? { isGiven: assessment.isGiven, isWaiting: missing.length > 0 } : null,
  };
  ledger.steps.push(...storeInboundEvent(stored, 0));
  if (isVisible && incoming.transaction) ledger.steps.push(storeTransaction(incoming.transaction, 0));
  const redacts = redaction?.isApplied === true ? redaction.targetId : null;
  if (redacts !== null) ledger.steps.push(...redactStoredEvent(redacts, eventId));
  if (redaction !== null && redaction.isWaiting && redaction.targetId !== null)
    ledger.steps.push(holdStoredRedaction(eventId, redaction.targetId));
  const isLate = receipt.eventNid !== null;
  const parentOfRedacted = redacts === null ? null : (redaction?.parentOfTarget ?? null);
  const row = { redacts, parentOfRedacted, isLate };
  ledger.rows.push(isVisible ? rowOfPdu(room.roomId, event, row) : null);
}

/** The redactions that waited for the event: the first one redacts it, all are seen from here on. */
export function writeReleased(
  ledger: { readonly rows: (EventsRow | null)[]; readonly steps: WriteStep[] },
  roomId: string,
  target: { readonly eventId: string; readonly pdu: Pdu },
  released: readonly ReleasedRedaction[],
): void {
  const targetId = target.eventId;
  const parentOfRedacted = relationOf(target.pdu.content)?.parentId ?? null;
  for (const [index, redaction] of released.entries()) {
    if (index === 0) ledger.steps.push(...redactStoredEvent(targetId, redaction.eventId));
    if (!redaction.isRevealed) continue;
    ledger.steps.push(...revealHeldRedaction(redaction.eventId, ledger.rows.length));
    const effect = index === 0 ? { redacts: targetId, parentOfRedacted } : {};
    ledger.rows.push(rowOfPdu(roomId, redaction, { ...effect, isLate: true }));
  }
  ledger.steps.push(releaseHeldRedactions(targetId));
}

/** What is to be written of each place that changes: what its new event says. */
async function describeChanges(
  desk: RoomsDesk,
  incoming: Incoming,
  changes: readonly StateGroupChange[],
): Promise<readonly CurrentStateChange[]> {
  const { event } = incoming;
  const members = changes.filter(({ type }) => type === 'm.room.member').map(({ eventId }) => eventId);
  const others = members.filter((id) => id !== null && id !== event.eventId);
  const stored = await readKnownEvents(
    desk.db,
    others.filter((id) => id !== null),
  );
  return changes.map(({ type, stateKey, eventId }) => {
    const isMember = type === 'm.room.member';
    const known = eventId === null ? undefined : stored.get(eventId);
    const pdu =
      eventId === event.eventId
        ? event.pdu
        : known === undefined
          ? undefined
          : (JSON.parse(known.pdu) as Pdu);
    const isLocal = isMember && isOfServer(stateKey, desk.serverName);
    return {
      type,
      stateKey,
      eventId,
      membership: isMember && pdu !== undefined ? membershipOfPdu(pdu) : null,
      localMember: isLocal ? { userId: stateKey, sender: pdu?.sender ?? '' } : null,
    };
  });
}

/** The changes of the current state; a state event that does not win its own place says who has it. */
async function changesOf(
  room: Room,
  { event }: Incoming,
  { isVisible, head }: Placement,
): Promise<readonly StateGroupChange[]> {
  const changes = head?.state.changes ?? [];
  const { type, state_key: stateKey } = event.pdu;
  if (!isVisible || stateKey === undefined) return changes;
  if (changes.some((change) => change.type === type && change.stateKey === stateKey)) return changes;
  await room.state.load([{ type, stateKey }]);
  const winner = room.state.findEvent(type, stateKey)?.eventId ?? null;
  return winner === event.eventId ? changes : [...changes, { type, stateKey, eventId: winner }];
}

function writeChanges(
  ledger: Ledger,
  room: Room,
  eventId: string,
  isVisible: boolean,
  changes: readonly CurrentStateChange[],
): void {
  const { roomNid, roomId } = room;
  for (const change of changes) {
    const isEvent = isVisible && change.eventId === eventId;
    const offset = isEvent ? 0 : ledger.rows.length;
    ledger.steps.push(...changeCurrentState(roomNid, change, offset, isEvent));
    if (isEvent) continue;
    const { type, stateKey, membership } = change;
    ledger.rows.push({ kind: 'state', roomId, type, stateKey, eventId: change.eventId, membership });
  }
}

/** Who reads the state as of this position must not take the state of the event for it, when that is one branch of several. */
function writeResolved(ledger: Ledger, room: Room, { isVisible, write, head, released }: Placement): void {
  const stateGroup = head?.state.stateGroup ?? room.stateGroup;
  const stateOfLast = isVisible ? write.stateGroup : room.stateGroup;
  // A redaction that is seen from here on comes after it, with the state that there was when it came.
  const isLast = !released.some(({ isRevealed }) => isRevealed);
  if (stateGroup === null || (isLast && stateGroup === stateOfLast)) return;
  ledger.steps.push(recordResolvedState(room.roomNid, stateGroup, ledger.rows.length - 1));
}

/** The end of the last local user's stay is the end of this server's. */
async function writeDeparture(
  desk: RoomsDesk,
  ledger: Ledger,
  room: Room,
  changes: readonly CurrentStateChange[],
): Promise<void> {
  const local = changes.filter(({ localMember }) => localMember !== null);
  const leaving = local.filter(({ membership }) => membership !== 'join');
  if (leaving.length === 0 || leaving.length < local.length) return;
  const departure = await findDeparture(
    desk,
    room.roomId,
    leaving.map(({ stateKey }) => stateKey),
  );
  if (departure === null) return;
  const left = departureOf(room, ledger.rows.length);
  ledger.steps.push(...left.steps);
  ledger.rows.push(left.row);
}

/** Brings the memory of the room to what was committed. */
function follow(room: Room, incoming: Incoming, { head }: Placement): void {
  if (head === null) return;
  const { event } = incoming;
  const { kept, isAdded } = head.extremities;
  const refs = kept.map(({ eventId, pdu }) => referenceOf(room.version, eventId, pdu));
  room.extremities = isAdded ? [{ eventId: event.eventId, sha256: event.sha256 }, ...refs] : refs;
  room.depth = Math.max(isAdded ? depthOf(event.pdu) : 0, ...kept.map((extremity) => extremity.depth));
  room.stateGroup = head.state.stateGroup;
}

function answerOf(incoming: Incoming, { assessment }: Placement, position: number): Received {
  const { eventId } = incoming.event;
  const { rejection } = assessment;
  if (rejection === null) return { kind: 'accepted', eventId, position };
  return { kind: rejection.kind, eventId, reason: rejection.reason };
}

async function writePlacement(
  desk: RoomsDesk,
  room: Room,
  incoming: Incoming,
  placement: Placement,
): Promise<Received | Refusal> {
  const { eventId } = incoming.event;
  const { isVisible, head, released, assessment } = placement;
  const ledger: Ledger = { rows: [], steps: [] };
  writeEvent(ledger, room, incoming, placement, desk.clock.now());
  if (incoming.receipt.isRedactionTarget && assessment.rejection?.kind !== 'rejected')
    writeReleased(ledger, room.roomId, incoming.event, released);
  const changes = await describeChanges(desk, incoming, await changesOf(room, incoming, placement));
  if (head !== null) {
    ledger.steps.push(...changeExtremities(room.roomNid, eventId, head.extremities));
    ledger.steps.push(...setResolvedState(room.roomNid, head.state.resolved));
    writeChanges(ledger, room, eventId, isVisible, changes);
  }
  writeResolved(ledger, room, placement);
  if (head !== null) await writeDeparture(desk, ledger, room, changes);
  const relayed = incoming.isRelayed === true && isVisible ? { relayed: eventId } : {};
  const outcome = await desk.commit({ roomId: room.roomId, ...ledger, isOurs: false, ...relayed });
  const hasRedacted = assessment.redaction?.isApplied === true || released.length > 0;
  const isStale = isRefusal(outcome) || hasRedacted || changes.length > 0;
  if (isStale) desk.rooms.discard(room);
  else follow(room, incoming, placement);
  return isRefusal(outcome) ? outcome : answerOf(incoming, placement, outcome);
}

/**
 * Takes one event into the graph of a room whose staged events are all committed: decides about it, stores it, and makes the current
 * state what the extremities resolve to, in one write set. The room's memory follows, or is thrown away.
 *
 * @returns what became of it; refused as {@link assessEvent} refuses, and when storage is not available
 */
export async function placeEvent(
  desk: RoomsDesk,
  room: Room,
  incoming: Incoming,
): Promise<Received | Unsigned | Refusal> {
  const extremities = await readExtremities(desk.db, room.roomNid);
  const assessment = await assessEvent(desk, room, incoming, extremities);
  if (assessment.kind !== 'assessed') return assessment;
  const placement = await planPlacement(desk, room, incoming, assessment, extremities);
  return isRefusal(placement) ? placement : writePlacement(desk, room, incoming, placement);
}
