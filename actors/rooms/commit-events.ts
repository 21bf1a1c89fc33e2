import type { WriteStep } from '../../db/kit/write-set.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import { markRelayed } from '../../db/rooms/inbound-writer.ts';
import type { EventWrite, RoomsGuard } from '../../db/rooms/writer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { domainOf, isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { eventsStream } from '../../src/streams/events-stream.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { TroupeContext } from '../environment.ts';
import type { FederationProtocol } from '../federation/protocol.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { followUpgrades } from './follow-upgrade.ts';
import { mayFreeSticky } from './frees-sticky.ts';
import type { StagedEvent } from './stage-event.ts';
import { findStickyForNewcomers } from './sticky-for-newcomers.ts';

/** When the sender's mailbox is full, it is told again after this, in milliseconds. */
const LOSS_RETRY_MS = 100;

/** What a staged event does beside being stored. */
export interface EventEffects {
  /** The event that it redacts, where the redaction is applied. */
  readonly redacts: string | null;
  readonly transaction: TransactionKey | null;
  /** When it stops being sticky, in milliseconds since the Unix epoch; absent: it is not. */
  readonly stickyUntil?: number;
}

/** The membership that an event makes: null for any other event. */
export function membershipOf(event: StagedEvent): string | null {
  const { type, content } = event.proposal;
  if (type !== 'm.room.member') return null;
  return typeof content['membership'] === 'string' ? content['membership'] : null;
}

/** What the store has to know of a staged event. */
export function writeOf(event: StagedEvent, effects: EventEffects, serverName: string): EventWrite {
  const { room, proposal, built, depth, stateGroup, follows, resolvedStateGroup } = event;
  const { type, stateKey, sender, originServerTs } = proposal;
  const membership = membershipOf(event);
  const isLocalMember = stateKey !== undefined && membership !== null && isOfServer(stateKey, serverName);
  return {
    roomNid: room.roomNid,
    eventId: built.eventId,
    depth,
    originServerTs,
    pdu: built.json,
    state: stateKey === undefined ? null : { type, stateKey, membership },
    stateGroup,
    follows,
    ...(resolvedStateGroup !== undefined && { resolvedStateGroup }),
    localMembership: isLocalMember ? { userId: stateKey, membership, sender } : null,
    ...(relationOf(proposal.content) !== null && { isRelated: true }),
    ...(room.isPartial && { isInPartialRoom: true }),
    ...effects,
  };
}

/** The events whose relations an event changes, where there are any. */
export function parentsOf(
  content: JsonObject,
  parentOfRedacted: string | null,
): { readonly parents?: readonly string[] } {
  const parents = [relationOf(content)?.parentId ?? null, parentOfRedacted].filter((id) => id !== null);
  return parents.length === 0 ? {} : { parents };
}

/** The row of the events stream that a staged event makes. `parentOfRedacted`: what the event that it redacts relates to. */
export function rowOf(
  event: StagedEvent,
  redacts: string | null,
  parentOfRedacted: string | null = null,
): EventsRow {
  const { type, stateKey, sender, content } = event.proposal;
  return {
    kind: 'event',
    eventId: event.built.eventId,
    roomId: event.room.roomId,
    type,
    stateKey: stateKey ?? null,
    sender,
    membership: membershipOf(event),
    redacts,
    ...parentsOf(content, parentOfRedacted),
  };
}

/** Tells the caches and typing what became of a room's state. */
function announceState(context: TroupeContext, roomId: string, rows: RoomCommit['rows']): void {
  // That everything is to be forgotten goes with the row, and who has left long ago types nowhere: there may be thousands of them.
  if (rows.some((row) => row?.kind === 'room' && row.change === 'completed')) return;
  const members = new Set<string>();
  let invalidations = 0;
  for (const row of rows) {
    if (row === null || row.kind === 'room' || row.stateKey === null) continue;
    invalidations += eventsStream.invalidates(row).length;
    if (row.type !== 'm.room.member') continue;
    members.add(row.stateKey);
    if (row.membership !== 'join' && row.membership !== 'invite' && row.membership !== 'knock')
      context.ref('typing').tell('typing.clear-user', { roomId, userId: row.stateKey });
  }
  if (invalidations > 0)
    context.ref('caches').tell('caches.room-changed', { roomId, invalidations, members: [...members] });
}

/** What becomes true of aliases that point elsewhere than before, or nowhere, or for the first time. */
export function aliasFacts(aliases: readonly string[]): readonly Fact[] {
  return aliases.map((alias) => ({ fact: 'room-alias', alias }));
}

/**
 * Hands events of ours, and what came through us, to the queues for other servers.
 *
 * @returns false where the queue did not take all of them
 */
function announceEvents(
  context: TroupeContext,
  { roomId: ofRoom, rows, furtherHosts, unseen = [], relayed }: RoomCommit,
  firstPosition: number,
): boolean {
  const federation = context.ref('federation');
  const queue = (event: InputOf<FederationProtocol, 'federation.queue-event'>): boolean =>
    federation.tell('federation.queue-event', event) === 'sent';
  let isQueued = true;
  for (const { eventId, offset } of unseen)
    isQueued = queue({ roomId: ofRoom, eventId, position: firstPosition + offset }) && isQueued;
  for (const [offset, row] of rows.entries()) {
    if (row?.kind !== 'event') continue;
    const { roomId, eventId, membership, stateKey, sender } = row;
    if (relayed !== undefined && eventId !== relayed) continue;
    const isRemoval = membership === 'leave' || membership === 'ban';
    const isTaken = queue({
      roomId,
      eventId,
      position: firstPosition + offset,
      ...(isRemoval && stateKey !== null ? { removedUserId: stateKey } : {}),
      ...(furtherHosts !== undefined && { furtherHosts }),
      // Its own server has it: it came from there.
      ...(relayed !== undefined && { exceptHost: domainOf(sender) ?? '' }),
    });
    isQueued = isQueued && isTaken;
  }
  return isQueued;
}

function refusalOf(guard: string): Refusal {
  if (guard === ('alias-is-taken' satisfies RoomsGuard)) return refuse('M_ROOM_IN_USE', 'the alias is taken');
  return refuse('M_UNKNOWN', 'the event before this one could not be stored: try again', { status: 503 });
}

/** What is written of one room at once. */
export interface RoomCommit {
  readonly roomId: string;
  /** Each takes the position of its index; at least one. Null: the position is used, and there is nothing to tell. */
  readonly rows: readonly (EventsRow | null)[];
  readonly steps: readonly WriteStep[];
  /** True: its events are ours, and go to the other servers of the room. */
  readonly isOurs: boolean;
  /** The one event of another server that came through us, and goes to the other servers of the room. */
  readonly relayed?: string;
  /**
   * Rows of a room that comes into being with this write: they take the positions after the others. No other server is in it yet, so that
   * its events go nowhere.
   */
  readonly successor?: { readonly roomId: string; readonly rows: readonly EventsRow[] };
  /** Events of ours that no client sees, at positions without a row: for the other servers only. */
  readonly unseen?: readonly { readonly eventId: string; readonly offset: number }[];
  /** What became true of stored events, or of aliases, that no row tells of. */
  readonly facts?: readonly Fact[];
  /** Servers that its events go to beside those that are in the room after it: all, when nothing is known of the room after it. */
  readonly furtherHosts?: readonly string[];
}

/** Hands sticky events of ours to the queues for servers that have come into the room. */
async function announceSticky(
  context: TroupeContext,
  roomId: string,
  rows: RoomCommit['rows'],
): Promise<void> {
  const { db, config } = context.env;
  const desk = { db, serverName: config.server.name };
  for (const { host, events } of await findStickyForNewcomers(desk, roomId, rows, context.clock.now()))
    for (const { eventId, position } of events)
      context.ref('federation').tell('federation.queue-event', { roomId, eventId, position, onlyHost: host });
}

/**
 * Says that the queue for other servers may lack events of ours, until that is heard: well before what finds the newest events in the queue takes
 * them for sent.
 */
function createLossTeller(context: TroupeContext): () => void {
  const { clock, ended } = context;
  let isTelling = false;
  const tell = (): void => {
    isTelling =
      !ended.aborted &&
      context.ref('federation-sender').tell('federation-sender.note-loss', {}) === 'mailbox-full';
    if (isTelling) clock.after(LOSS_RETRY_MS, tell);
  };
  return () => {
    if (!isTelling) tell();
  };
}

/** Stores rows of one room, and of its successor if it makes one, in one write set, then publishes them, then tells the others. */
export type CommitRows = (write: RoomCommit) => Promise<number | Refusal>;

/**
 * Makes the one way in which the events stream is written.
 *
 * @returns a function that gives the position of the first row, or a refusal with nothing stored: the caller then discards the room
 */
export function createCommit(context: TroupeContext, owner: DurableStreamOwner<EventsRow>): CommitRows {
  const tellOfLoss = createLossTeller(context);
  // What the life before had committed when it ended may not have been told to anybody.
  if (context.incarnation > 1) tellOfLoss();
  return async (write) => {
    const { roomId, rows, steps, isOurs, successor, facts = [] } = write;
    const all = successor === undefined ? rows : [...rows, ...successor.rows];
    const outcome = await owner.write({
      count: all.length,
      // With the event: its own server takes it for sent as soon as it is stored.
      steps: write.relayed === undefined ? steps : [...steps, markRelayed(write.relayed)],
      rows: () => all.map((row) => (row === null ? [] : [row])),
    });
    if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
    if (outcome.kind === 'refused') return refusalOf(outcome.refusal);
    if (outcome.position === null) throw new Error('a write without rows was committed');
    const isForOthers = isOurs || write.relayed !== undefined;
    if (isForOthers && !announceEvents(context, write, outcome.position)) tellOfLoss();
    announceState(context, roomId, rows);
    if (successor !== undefined) announceState(context, successor.roomId, successor.rows);
    if (facts.length > 0) context.ref('caches').tell('caches.invalidate', { facts });
    followUpgrades(context, all, outcome.position);
    // Should the mailbox be full: they are found again when the actor starts, or when the state changes again.
    if (await mayFreeSticky(context.env.db, roomId, rows, context.clock.now()))
      context.ref('rooms').tell('rooms.reconsider-sticky', { roomId, after: 0 });
    await announceSticky(context, roomId, rows);
    return outcome.position;
  };
}
