import type { WriteStep } from '../../db/kit/write-set.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import type { EventWrite, RoomsGuard } from '../../db/rooms/writer.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { eventsStream } from '../../src/streams/events-stream.ts';
import type { TroupeContext } from '../environment.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { StagedEvent } from './stage-event.ts';

/** What a staged event does beside being stored. */
export interface EventEffects {
  /** The event that it redacts, where the redaction is applied. */
  readonly redacts: string | null;
  readonly transaction: TransactionKey | null;
}

/** The membership that an event makes: null for any other event. */
export function membershipOf(event: StagedEvent): string | null {
  const { type, content } = event.proposal;
  if (type !== 'm.room.member') return null;
  return typeof content['membership'] === 'string' ? content['membership'] : null;
}

/** What the store has to know of a staged event. */
export function writeOf(event: StagedEvent, effects: EventEffects, serverName: string): EventWrite {
  const { room, proposal, built, depth, stateGroup, follows } = event;
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
    localMembership: isLocalMember ? { userId: stateKey, membership, sender } : null,
    ...effects,
  };
}

function rowOf(event: StagedEvent, redacts: string | null): EventsRow {
  const { type, stateKey, sender } = event.proposal;
  return {
    kind: 'event',
    eventId: event.built.eventId,
    roomId: event.room.roomId,
    type,
    stateKey: stateKey ?? null,
    sender,
    membership: membershipOf(event),
    redacts,
  };
}

/** Tells the other actors what was committed. */
function announce(
  context: TroupeContext,
  roomId: string,
  rows: readonly EventsRow[],
  firstPosition: number,
): void {
  const federation = context.ref('federation');
  const members = new Set<string>();
  let invalidations = 0;
  for (const [offset, row] of rows.entries()) {
    const isRemoval = row.membership === 'leave' || row.membership === 'ban';
    if (row.eventId !== null) {
      federation.tell('federation.queue-event', {
        roomId,
        eventId: row.eventId,
        position: firstPosition + offset,
        ...(isRemoval && row.stateKey !== null ? { removedUserId: row.stateKey } : {}),
      });
    }
    if (row.stateKey === null) continue;
    invalidations += eventsStream.invalidates(row).length;
    if (row.membership === null) continue;
    members.add(row.stateKey);
    if (isRemoval) context.ref('typing').tell('typing.clear-user', { roomId, userId: row.stateKey });
  }
  if (invalidations > 0)
    context.ref('caches').tell('caches.room-changed', { roomId, invalidations, members: [...members] });
}

function refusalOf(guard: string): Refusal {
  if (guard === ('alias-is-taken' satisfies RoomsGuard)) return refuse('M_ROOM_IN_USE', 'the alias is taken');
  return refuse('M_UNKNOWN', 'the event before this one could not be stored: try again', { status: 503 });
}

/** Stores staged events of one room in one write set, then publishes them, then tells the others. */
export type CommitEvents = (
  events: readonly { readonly event: StagedEvent; readonly redacts: string | null }[],
  steps: readonly WriteStep[],
) => Promise<number | Refusal>;

/**
 * Makes the one way in which events are stored.
 *
 * @returns a function that gives the position of the first event, or a refusal with nothing stored: the caller then discards the room
 */
export function createCommit(context: TroupeContext, owner: DurableStreamOwner<EventsRow>): CommitEvents {
  return async (events, steps) => {
    const rows = events.map(({ event, redacts }) => rowOf(event, redacts));
    const outcome = await owner.write({ count: rows.length, steps, rows: () => rows.map((row) => [row]) });
    if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
    if (outcome.kind === 'refused') return refusalOf(outcome.refusal);
    const [first] = events;
    if (first === undefined || outcome.position === null)
      throw new Error('a write without events was committed');
    announce(context, first.event.room.roomId, rows, outcome.position);
    return outcome.position;
  };
}
