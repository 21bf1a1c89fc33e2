import type { FederationAnswer } from '../../src/federation/federation-client.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { AskFailed } from '../kit/ref.ts';
import { createTurns } from '../turns.ts';
import { type Destination, hasWork, isUrgent } from './destination.ts';
import type { SenderDesk } from './sender-desk.ts';
import { composeTransaction, type Transaction } from './transaction.ts';

/** How long a server may take over a transaction, in milliseconds. */
export const TRANSACTION_TIMEOUT_MS = 60_000;

/** Requests to servers that took the last one, at one moment. */
export const SENDS_AT_ONCE_MAX = 200;
/** Requests to servers that did not, at one moment: those that do not answer keep nobody else waiting. */
export const PROBES_AT_ONCE_MAX = 50;

/** Sends what waits: to each server one transaction after the other, to all of them at one time. */
export interface Couriers {
  /** Sends what waits for a server, if it may be tried now. `isUrgentOnly`: not if all of it may wait for other things to go with. */
  poke(destination: Destination, options: { readonly isUrgentOnly: boolean }): void;
  /** Nothing is sent while something is held. Releasing it pokes nobody. */
  hold(isHeld: boolean): void;
}

/** Why a server did not take a transaction; null when it did. */
function problemOf(
  answer: FederationAnswer,
): { readonly reason: string; readonly isAnswering: boolean } | null {
  if (answer.kind === 'answered') return null;
  if (answer.kind === 'unreachable') return { reason: answer.reason, isAnswering: false };
  return { reason: `${answer.status} ${answer.errcode}: ${answer.error}`, isAnswering: true };
}

/** Logs which events a server did not take: it is no use to send them again. */
function noteRejected({ context }: SenderDesk, destination: string, body: JsonObject): void {
  const { pdus } = body;
  if (!isJsonObject(pdus)) return;
  for (const [eventId, result] of Object.entries(pdus)) {
    if (!isJsonObject(result) || typeof result['error'] !== 'string') continue;
    context.metrics.counter('federation-sender.events-rejected').add();
    context.log.info('another server did not take an event', {
      destination,
      eventId,
      error: result['error'],
    });
  }
}

/** Sends one transaction. False when the server did not take it, which is noted. */
type Send = (destination: string, transaction: Transaction) => Promise<boolean>;

function createSend(desk: SenderDesk): Send {
  const { context } = desk;
  const { clock, env, metrics, ended, random } = context;
  const figures = {
    transactions: metrics.counter('federation-sender.transactions'),
    failures: metrics.counter('federation-sender.transactions-failed'),
    pdus: metrics.counter('federation-sender.pdus'),
    edus: metrics.counter('federation-sender.edus'),
  };
  // Never one of an earlier life: the time, and chance for clocks that were set back.
  const life = `${Math.floor(clock.now()).toString(36)}${random.text(4)}`;
  let transactions = 0;
  return async (destination, { pdus, edus }) => {
    figures.transactions.add();
    transactions += 1;
    const answer = await env.federationClient.request({
      destination,
      method: 'PUT',
      path: `/_matrix/federation/v1/send/${life}.${transactions}`,
      body: {
        origin: env.config.server.name,
        origin_server_ts: Math.floor(clock.now()),
        pdus,
        ...(edus.length > 0 && { edus }),
      },
      timeoutMs: TRANSACTION_TIMEOUT_MS,
      isProbe: true,
      signal: ended,
    });
    const problem = problemOf(answer);
    if (problem !== null) {
      figures.failures.add();
      context.log.debug('another server did not take a transaction', { destination, ...problem });
      desk.noteFailure(destination, problem.reason, problem.isAnswering);
      return false;
    }
    desk.noteSuccess(destination);
    figures.pdus.add(pdus.length);
    figures.edus.add(edus.length);
    if (answer.kind === 'answered') noteRejected(desk, destination, answer.body);
    return true;
  };
}

/** Makes the couriers of one life of the sender. */
export function createCouriers(desk: SenderDesk): Couriers {
  const { context } = desk;
  const { clock, metrics, ended } = context;
  const turns = { send: createTurns(SENDS_AT_ONCE_MAX), probe: createTurns(PROBES_AT_ONCE_MAX) };
  const figure = metrics.gauge('federation-sender.working');
  const send = createSend(desk);
  let working = 0;
  let isHeld = false;

  const isToSend = ({ name }: Destination): boolean => !isHeld && !ended.aborted && !desk.isHeldBack(name);

  /** Sends what is next. False when the rest has to wait. */
  async function deliver(destination: Destination): Promise<boolean> {
    const transaction = await composeTransaction(desk, destination);
    const { pdus, edus } = transaction;
    if (pdus.length + edus.length > 0) {
      if (!(await send(destination.name, transaction))) return false;
      destination.lastHeardTs = clock.now();
    }
    return transaction.settle();
  }

  async function work(destination: Destination): Promise<void> {
    for (let isMore = true; isMore && hasWork(destination) && isToSend(destination);) {
      const lane = desk.failing.has(destination.name) ? turns.probe : turns.send;
      // One after another: a server gets its events in their order. What it waited for may have changed whether it gets any.
      isMore = await lane.run(async () => isToSend(destination) && (await deliver(destination)));
    }
  }

  async function begin(destination: Destination): Promise<void> {
    destination.isWorking = true;
    figure.set((working += 1));
    try {
      await work(destination);
    } catch (error) {
      // What an owner did not say was done is done again, a moment later.
      if (!ended.aborted && !(error instanceof AskFailed && error.actor !== 'committer'))
        context.crash(error);
    } finally {
      destination.isWorking = false;
      figure.set((working -= 1));
    }
  }

  return {
    poke(destination, { isUrgentOnly }) {
      if (destination.isWorking || !isToSend(destination)) return;
      if (isUrgentOnly ? isUrgent(destination) : hasWork(destination)) void begin(destination);
    },
    hold: (held) => void (isHeld = held),
  };
}
