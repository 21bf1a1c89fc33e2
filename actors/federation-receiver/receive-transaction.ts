import { LRUCache } from 'lru-cache';
import { findAnswer } from '../../db/federation-receiver/reader.ts';
import { storeAnswer } from '../../db/federation-receiver/writer.ts';
import { refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { createTurns, type Turns } from '../turns.ts';
import type { FederationReceiverProtocol } from './protocol.ts';
import { receiveEdus } from './receive-edus.ts';
import { type PduOutcomes, receivePdus } from './receive-pdus.ts';
import type { ReceiverDesk } from './receiver-desk.ts';
import type { WaitingEvents } from './waiting-events.ts';

/** Transactions of one server that may wait or be under way. A server sends the next one when it has the answer to the one before it. */
export const TRANSACTIONS_PER_ORIGIN_MAX = 5;
/** Rooms of one server's transactions that are worked on at the same time. */
export const ROOMS_PER_ORIGIN_AT_ONCE = 8;
/** Answers that stand in memory. */
const ANSWERS_REMEMBERED_MAX = 1_000;
/** Events that this server itself did not get to decide about, and how often: of the oldest that is forgotten. */
const UNDECIDED_REMEMBERED_MAX = 10_000;
/** So often a server is asked to send such an event again. One that fails us each time must not hold up those behind it for good. */
export const UNDECIDED_TRIES_MAX = 5;
/** When a server with too much waiting may try again, in milliseconds. */
const RETRY_AFTER_MS = 5_000;

type Transaction = InputOf<FederationReceiverProtocol, 'federation-receiver.receive-transaction'>;
type Answer = OutputOf<FederationReceiverProtocol, 'federation-receiver.receive-transaction'>;

/** What is under way for one server. */
interface Lane {
  readonly turns: Turns;
  readonly rooms: Turns;
  open: number;
}

/** The same again gives the same answer: its events are known then, and there is nothing else in it. */
function isRepeatable({ edus }: Transaction, pdus: PduOutcomes): boolean {
  return edus.length === 0 && Object.values(pdus).every(({ error }) => error === undefined);
}

/** An answer counts as success for all events in it: where one has to come again, so has the transaction. */
function mustComeAgain(undecidedBefore: LRUCache<string, number>, undecided: readonly string[]): boolean {
  const tries = undecided.map((eventId) => {
    const count = (undecidedBefore.get(eventId) ?? 0) + 1;
    undecidedBefore.set(eventId, count);
    return count;
  });
  return tries.some((count) => count < UNDECIDED_TRIES_MAX);
}

function processed(pdus: PduOutcomes): Answer {
  return { kind: 'processed', pdus };
}

/**
 * Takes transactions of other servers: those of one server in their order, those of different ones beside each other. One that comes again
 * gets the answer of the first time, or waits for it.
 */
export function createTransactionReceiver(
  context: TroupeContext,
  desk: ReceiverDesk,
  waiting: WaitingEvents,
): (transaction: Transaction) => Promise<Answer> {
  const underWay = new Map<string, Promise<Answer>>();
  const answers = new LRUCache<string, Answer>({ max: ANSWERS_REMEMBERED_MAX });
  const undecidedBefore = new LRUCache<string, number>({ max: UNDECIDED_REMEMBERED_MAX });
  const lanes = new Map<string, Lane>();

  /** The answer goes out also where it could not be stored: events that come again are known. */
  async function remember(transaction: Transaction, pdus: PduOutcomes): Promise<void> {
    const { origin, txnId } = transaction;
    answers.set(`${origin} ${txnId}`, processed(pdus));
    if (isRepeatable(transaction, pdus)) return;
    const steps = storeAnswer(origin, txnId, JSON.stringify(pdus), context.clock.now());
    const outcome = await commit(context, steps);
    if (outcome.kind === 'unavailable')
      desk.log.warn('the answer to a transaction was not stored', { origin, txnId, fault: outcome.fault });
  }

  async function process(lane: Lane, transaction: Transaction): Promise<Answer> {
    const { origin, txnId, pdus, edus } = transaction;
    const stored = await findAnswer(desk.db, origin, txnId);
    if (stored !== undefined) return processed(JSON.parse(stored) as PduOutcomes);
    const [{ outcomes, undecided }] = await Promise.all([
      receivePdus(desk, waiting, lane.rooms, origin, pdus),
      receiveEdus(context, desk, origin, edus),
    ]);
    waiting.noteHeard(origin);
    if (mustComeAgain(undecidedBefore, undecided))
      return refuse('M_UNKNOWN', 'This server is busy: send the transaction again later.', { status: 503 });
    await remember(transaction, outcomes);
    return processed(outcomes);
  }

  async function takeTurn(transaction: Transaction): Promise<Answer> {
    const { origin } = transaction;
    const lane = lanes.get(origin) ?? {
      turns: createTurns(1),
      rooms: createTurns(ROOMS_PER_ORIGIN_AT_ONCE),
      open: 0,
    };
    if (lane.open >= TRANSACTIONS_PER_ORIGIN_MAX)
      return refuse('M_LIMIT_EXCEEDED', 'too many transactions of this server are waiting', {
        extra: { retry_after_ms: RETRY_AFTER_MS },
      });
    lanes.set(origin, lane);
    lane.open += 1;
    try {
      return await lane.turns.run(() => process(lane, transaction));
    } finally {
      lane.open -= 1;
      if (lane.open === 0) lanes.delete(origin);
    }
  }

  return async (transaction) => {
    const key = `${transaction.origin} ${transaction.txnId}`;
    const known = answers.get(key) ?? underWay.get(key);
    if (known !== undefined) return known;
    const answer = takeTurn(transaction);
    underWay.set(key, answer);
    try {
      return await answer;
    } finally {
      underWay.delete(key);
    }
  };
}
