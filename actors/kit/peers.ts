import type { Clock } from '../../src/kit/clock.ts';
import type { Logger } from '../../src/kit/logger.ts';
import type { AnswerTo, AskTable } from './ask-table.ts';
import type { Batch, Link } from './link.ts';
import { ANSWER, ASK, ENVELOPE_WIDTH, FAILURE, KINDS, TELL } from './link.ts';
import type { Flight, MailboxCells } from './mailbox-cells.ts';
import { releasePlace } from './mailbox-cells.ts';
import type { AskFailureReason } from './ref.ts';

/** Another thread in its present life, as this thread sees it. */
export interface Peer extends AnswerTo {
  readonly cells: MailboxCells;
  /** Counts what this thread sends to it. */
  readonly outgoing: Flight;
  /** False when that life has ended. */
  readonly isOpen: boolean;
  tell(slot: number, name: string, input: unknown): void;
  ask(slot: number, name: string, input: unknown, askId: number): void;
  /** Sends what has gathered. */
  flush(): void;
  close(): void;
}

/** The connection to one life of another thread. */
export interface PeerConnection {
  readonly thread: number;
  readonly link: Link;
  readonly cells: MailboxCells;
  readonly outgoing: Flight;
  readonly incoming: Flight;
}

/** Takes a message for the actor in a slot of this thread; `sentAt` is a `clock.monotonic()`. */
export type Arrive = (
  slot: number,
  name: string,
  input: unknown,
  answerTo: AnswerTo | null,
  askId: number,
  sentAt: number,
) => void;

/** What a peer needs of its thread. */
export interface PeerHost {
  readonly clock: Clock;
  readonly log: Logger;
  readonly asks: AskTable;
  /** Makes this thread flush the peer at the end of its turn. */
  needFlush(peer: Peer): void;
  readonly arrive: Arrive;
  /** Messages for the actor in a slot of this thread will never arrive. */
  lost(slot: number, messages: number): void;
}

const REASONS: readonly AskFailureReason[] = ['timed-out', 'mailbox-full', 'stopped'];

function reasonOf(text: unknown): AskFailureReason {
  return REASONS.find((reason) => reason === text) ?? 'stopped';
}

/**
 * One batch arrives: messages go to their mailboxes, answers to those who asked.
 *
 * @param arrived counts the messages by slot
 */
function deliver(host: PeerHost, peer: Peer, arrived: Int32Array, batch: Batch): void {
  const sentAt = batch[0] as number;
  for (let at = 1; at < batch.length; at += ENVELOPE_WIDTH) {
    const head = batch[at] as number;
    const id = batch[at + 1] as number;
    const name = batch[at + 2] as string;
    const payload = batch[at + 3];
    const kind = head % KINDS;
    if (kind === ANSWER) host.asks.answer(id, payload);
    else if (kind === FAILURE) host.asks.fail(id, reasonOf(name), String(payload));
    else {
      const slot = (head - kind) / KINDS;
      arrived[slot] = (arrived[slot] ?? 0) + 1;
      host.arrive(slot, name, payload, kind === ASK ? peer : null, id, sentAt);
    }
  }
}

/** One envelope could not be cloned: its sender is at fault, and only it is to suffer. */
function refuseEnvelope(host: PeerHost, peer: Peer, envelope: Batch, error: unknown): void {
  const head = envelope[0] as number;
  const id = envelope[1] as number;
  const kind = head % KINDS;
  host.log.error('a message could not be cloned', { messageName: envelope[2], error });
  if (kind === ANSWER) peer.fail(id, 'stopped', 'the answer could not be cloned');
  if (kind !== ASK && kind !== TELL) return;
  const slot = (head - kind) / KINDS;
  peer.outgoing[slot] = (peer.outgoing[slot] ?? 0) - 1;
  releasePlace(peer.cells, slot);
  if (kind === ASK) host.asks.fail(id, 'stopped', 'the message could not be cloned');
}

/** Something in a batch cannot be cloned: finds out what, and lets the others through. */
function postOneByOne(host: PeerHost, peer: Peer, link: Link, batch: Batch): void {
  for (let at = 1; at < batch.length; at += ENVELOPE_WIDTH) {
    const envelope = batch.slice(at, at + ENVELOPE_WIDTH);
    try {
      link.post([batch[0], ...envelope]);
    } catch (error) {
      refuseEnvelope(host, peer, envelope, error);
    }
  }
}

/** Connects this thread to one life of another. Whatever is sent between two flushes travels as one batch. */
export function createPeer(host: PeerHost, connection: PeerConnection): Peer {
  const { thread, link, cells, outgoing, incoming } = connection;
  const arrived = new Int32Array(incoming.length);
  let batch: Batch | null = null;
  let isOpen = true;

  const send = (head: number, id: number, name: string, payload: unknown): void => {
    if (!isOpen) return;
    if (batch === null) {
      batch = [host.clock.monotonic()];
      host.needFlush(peer);
    }
    batch.push(head, id, name, payload);
  };
  const flush = (): void => {
    const whole = batch;
    batch = null;
    if (whole === null || !isOpen) return;
    try {
      link.post(whole);
    } catch {
      postOneByOne(host, peer, link, whole);
    }
  };
  const closed = (): void => {
    if (!isOpen) return;
    isOpen = false;
    batch = null;
    incoming.forEach((sent, slot) => {
      const lost = sent - (arrived[slot] ?? 0);
      if (lost > 0) host.lost(slot, lost);
    });
    host.asks.failThread(thread, 'its thread ended');
  };
  const peer: Peer = {
    cells,
    outgoing,
    get isOpen() {
      return isOpen;
    },
    tell: (slot, name, input) => send(TELL + KINDS * slot, 0, name, input),
    ask: (slot, name, input, askId) => send(ASK + KINDS * slot, askId, name, input),
    answer: (askId, output) => send(ANSWER, askId, '', output),
    fail: (askId, reason, detail) => send(FAILURE, askId, reason, detail),
    flush,
    close() {
      flush();
      link.close();
      closed();
    },
  };
  link.open((batchArrived) => isOpen && deliver(host, peer, arrived, batchArrived), closed);
  return peer;
}
