import { storeEvent } from '../../db/rooms/writer.ts';
import type { TransactionKey } from '../../db/rooms/transaction-reader.ts';
import { stickyUntil } from '../../src/matrix/events/stickiness.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { isPolicyState, type PolicyServer } from '../../src/matrix/rooms/policy-server.ts';
import { Later, later } from '../kit/actor.ts';
import { rowOf, writeOf } from './commit-events.ts';
import { type Departure, departureOf } from './leave-room.ts';
import type { Sent } from './protocol.ts';
import { receiveOwn } from './receive-event.ts';
import type { Room } from './room-memory.ts';
import { findPolicyServer } from './room-policy.ts';
import { answerOf } from './room-state.ts';
import { loadFor, notInRoom, type RoomsDesk, type Turn, withRoom } from './rooms-desk.ts';
import { type DraftedEvent, draftEvent, findSameState, type Proposal, stageDraft } from './stage-event.ts';

/** What sending an event does beside that. */
export interface SendOptions {
  readonly redacts?: string;
  /** What the event that it redacts relates to. */
  readonly parentOfRedacted?: string | null;
  /** The annotation that it makes: there is to be no second one like it. */
  readonly annotation?: string;
  readonly transaction?: TransactionKey | null;
  /** This server leaves the room with it. */
  readonly departure?: Departure | null;
  /** Called when the event is in the room's memory, with the room. */
  readonly staged?: (room: Room) => void;
}

/** Keeps others from doing the same until the outcome is there. */
function reserve(room: Room, { redacts, annotation }: SendOptions): () => void {
  room.holds += 1;
  if (redacts !== undefined) room.redacting.add(redacts);
  if (annotation !== undefined) room.annotating.add(annotation);
  return () => {
    room.holds -= 1;
    if (redacts !== undefined) room.redacting.delete(redacts);
    if (annotation !== undefined) room.annotating.delete(annotation);
  };
}

/** Puts a drafted event into the room's memory and hands it to the commit. */
function commitDraft(
  desk: RoomsDesk,
  room: Room,
  proposal: Proposal,
  draft: DraftedEvent,
  options: SendOptions,
): Promise<Sent | Refusal> {
  const { promise, resolve, reject } = Promise.withResolvers<number | Refusal>();
  const place = { committed: promise, offset: 0 };
  const event = stageDraft(room, proposal, draft, place, desk.stage);
  const { redacts = null, parentOfRedacted, transaction = null, departure = null } = options;
  const expiresTs = stickyUntil(event.built.pdu, desk.clock.now());
  const effects = { redacts, transaction, ...(expiresTs !== null && { stickyUntil: expiresTs }) };
  const left = departure === null ? null : departureOf(room, 1);
  const steps = [...storeEvent(writeOf(event, effects, desk.serverName), 0), ...(left?.steps ?? [])];
  const release = reserve(room, options);
  options.staged?.(room);
  const finish = (outcome: number | Refusal): void => {
    release();
    if (isRefusal(outcome) || left !== null) desk.rooms.discard(room);
    resolve(outcome);
  };
  const rows = [rowOf(event, redacts, parentOfRedacted), ...(left === null ? [] : [left.row])];
  const hosts = departure === null ? {} : { furtherHosts: departure.hosts };
  desk.commit({ roomId: room.roomId, rows, steps, isOurs: true, ...hosts }).then(finish, reject);
  return answerOf({ eventId: event.built.eventId, place });
}

/** Whether nothing has come into the room since an event was drafted for it. */
function isNewest(
  room: Room,
  drafted: Room,
  { prevEvents }: DraftedEvent,
  { redacts }: SendOptions,
): boolean {
  // What a redaction redacts was loaded into the memory of that room.
  if (redacts !== undefined && room !== drafted) return false;
  const follows = new Set(prevEvents.map(({ eventId }) => eventId));
  return (
    room.extremities.length === follows.size && room.extremities.every(({ eventId }) => follows.has(eventId))
  );
}

/** Takes an event that has its signature into the room: as the newest one, or beside what has come meanwhile. */
async function takeSigned(
  desk: RoomsDesk,
  drafted: Room,
  proposal: Proposal,
  signed: DraftedEvent,
  options: SendOptions,
): Promise<Sent | Refusal | Later<Sent | Refusal>> {
  const { roomId } = drafted;
  const turn = await withRoom<Turn | null>(desk, roomId, notInRoom, async (room) => {
    if (!isNewest(room, drafted, signed, options)) return null;
    await loadFor(room, proposal);
    return later(commitDraft(desk, room, proposal, signed, options));
  });
  if (turn !== null) return turn;
  const { eventId, json } = signed.built;
  const received = await receiveOwn(desk, roomId, { eventId, pdu: json }, options.transaction ?? null);
  if (isRefusal(received)) return received;
  if (received.kind === 'accepted') return { kind: 'sent', eventId, position: received.position };
  const reason = 'reason' in received ? received.reason : 'the room has changed';
  return refuse('M_FORBIDDEN', `the event is not allowed any more: ${reason}`);
}

/**
 * Has the room's policy server sign an event, and then takes it in: the room goes on meanwhile, and our next event in it waits. With which this
 * server leaves the room, that is the last of ours, and is signed within its turn.
 */
async function sendSigned(
  desk: RoomsDesk,
  room: Room,
  proposal: Proposal,
  { draft, policyServer }: { readonly draft: DraftedEvent; readonly policyServer: PolicyServer },
  options: SendOptions,
): Promise<Turn> {
  const sign = async (): Promise<DraftedEvent | Refusal> => {
    const built = await desk.policy.sign(room.version, policyServer, draft.built);
    return isRefusal(built) ? built : { ...draft, built };
  };
  if (options.departure) {
    const signed = await sign();
    return isRefusal(signed) ? signed : later(commitDraft(desk, room, proposal, signed, options));
  }
  const release = reserve(room, options);
  const finish = async (): Promise<Sent | Refusal> => {
    try {
      const signed = await sign();
      if (isRefusal(signed)) return signed;
      const turn = await desk.work.inTurn(room.roomId, () =>
        takeSigned(desk, room, proposal, signed, options),
      );
      return await (turn instanceof Later ? turn.answer : turn);
    } finally {
      release();
    }
  };
  const answer = finish();
  desk.own.begin(room.roomId, answer);
  return later(answer);
}

/**
 * Stages an event and hands it to the commit; where the room has a policy server, when that has signed it. What it looks at was loaded:
 * `loadFor`. A state event that only repeats the one that stands is answered with that one, so that asking again does no harm.
 */
export async function sendProposal(
  desk: RoomsDesk,
  room: Room,
  proposal: Proposal,
  options: SendOptions = {},
): Promise<Turn> {
  const same = findSameState(room, proposal);
  if (same !== undefined) return later(answerOf(same));
  const policyServer = isPolicyState(proposal.type, proposal.stateKey)
    ? null
    : await findPolicyServer(desk.policy, room);
  const draft = draftEvent(room, proposal, desk.stage);
  if (isRefusal(draft)) return draft;
  const turn =
    policyServer === null
      ? later(commitDraft(desk, room, proposal, draft, options))
      : await sendSigned(desk, room, proposal, { draft, policyServer }, options);
  if (options.transaction && turn instanceof Later)
    desk.transactions.remember(options.transaction, turn.answer);
  return turn;
}
