import type { Config } from '../../src/config/config.ts';
import { LRUCache } from 'lru-cache';
import {
  askNotary,
  askServer,
  type KeysWanted,
  type Notary,
  NOTARY_SERVERS_MAX,
} from '../../src/federation/trust/ask-for-keys.ts';
import type { KeysOfServer } from '../../src/federation/trust/known-keys.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import type { TroupeContext } from '../environment.ts';
import type { KeyBook } from './key-book.ts';
import { createTurnstile, type Turnstile } from '../turnstile.ts';

/**
 * For whom keys are fetched. `events`: what servers that we know have sent. `caller`: a request that says it comes from the server; `others`: who asks
 * us as a notary. Anybody can be one of the latter two, so that each kind has a queue of its own.
 */
export type FetchReason = 'events' | 'caller' | 'others';

/** Servers that are asked for their keys at the same time. */
export const FETCHES_AT_ONCE_MAX: Readonly<Record<FetchReason, number>> = {
  events: 50,
  caller: 25,
  others: 10,
};
/** Fetches that wait for their turn; beyond it keys cannot be had now. */
export const FETCHES_WAITING_MAX: Readonly<Record<FetchReason, number>> = {
  events: 5_000,
  caller: 500,
  others: 200,
};
/** Servers whose last attempt is remembered. */
const ATTEMPTS_MAX = 10_000;
/** How long after a failure a server is not asked again for its keys. */
export const FETCH_BACKOFF: BackoffPolicy = { initialMs: 5_000, factor: 2, maxMs: 600_000 };
/** The same where the server is calling: whatever failed before, it is there now. */
export const CALLER_BACKOFF_MS_MAX = 30_000;
/** A server that has just said which keys it has is not asked again for one that it did not name. */
export const FETCH_INTERVAL_MS_MIN = 30_000;
/** From so many servers on, notaries are asked first: they answer for a hundred at once, also for those that are gone. */
export const NOTARIES_FIRST_SERVERS_MIN = 10;

interface Attempt {
  readonly failures: number;
  /** Monotonic milliseconds. */
  readonly endedMs: number;
  /** Milliseconds from then on. */
  readonly waitMs: number;
}

/** Fetches what servers publish about their keys. */
export interface KeyFetcher {
  /**
   * Asks a server, and for what it does not say those that the configuration trusts. One fetch at a time for each server and reason, whoever asks.
   * What is learnt stands in the book afterwards.
   */
  fetch(wanted: KeysWanted, reason: FetchReason): Promise<void>;
  /** Asks those that the configuration trusts for the keys of many servers, each at one time for all who ask. */
  fetchFromNotaries(wanted: readonly KeysWanted[]): Promise<void>;
}

/** Remembers who was asked when. */
function createAttempts({ clock, random }: TroupeContext) {
  const attempts = new LRUCache<string, Attempt>({ max: ATTEMPTS_MAX });
  return {
    isDue(serverName: string, reason: FetchReason): boolean {
      const attempt = attempts.get(serverName);
      if (attempt === undefined) return true;
      const { endedMs, waitMs } = attempt;
      return (
        clock.monotonic() >=
        endedMs + (reason === 'caller' ? Math.min(waitMs, CALLER_BACKOFF_MS_MAX) : waitMs)
      );
    },
    note(serverName: string, isSuccess: boolean): void {
      const failures = isSuccess ? 0 : (attempts.get(serverName)?.failures ?? 0) + 1;
      const waitMs = isSuccess ? FETCH_INTERVAL_MS_MIN : backoffMs(FETCH_BACKOFF, failures, random);
      attempts.set(serverName, { failures, endedMs: clock.monotonic(), waitMs });
    },
  };
}

function lacks(keys: KeysOfServer, wanted: KeysWanted): boolean {
  return keys.size === 0 || [...wanted.keys.keys()].some((keyId) => !keys.has(keyId));
}

function createTurnstiles(): Readonly<Record<FetchReason, Turnstile>> {
  const of = (reason: FetchReason): Turnstile =>
    createTurnstile(FETCHES_AT_ONCE_MAX[reason], FETCHES_WAITING_MAX[reason]);
  return { events: of('events'), caller: of('caller'), others: of('others') };
}

/** Those that the configuration names at the moment. */
function notariesOf({ federation, server }: Pick<Config, 'federation' | 'server'>): readonly string[] {
  return federation.trustedKeyServers.filter((name) => name !== server.name);
}

/** Makes what fetches keys; what it finds is added to the book. */
export function createKeyFetcher(context: TroupeContext, book: KeyBook): KeyFetcher {
  const { log, env, metrics } = context;
  const { config, federationClient } = env;
  const attempts = createAttempts(context);
  const underWay = new Map<string, Promise<void>>();
  /** Servers that notaries are being asked about. */
  const beingLookedUp = new Map<string, Promise<void>>();
  const turnstiles = createTurnstiles();
  const fetched = metrics.counter('server-keys.fetched');
  const failed = metrics.counter('server-keys.failed');

  /** Asks a server itself; false when it does not say. */
  async function askDirectly(serverName: string, reason: FetchReason): Promise<boolean> {
    const document = await askServer(federationClient, serverName, reason === 'caller');
    if (document !== undefined) await book.add(document, true);
    return document !== undefined;
  }

  async function openNotary(name: string): Promise<Notary> {
    const known = await book.keysOf(name);
    if (known.size > 0 || !attempts.isDue(name, 'events')) return { name, keys: known };
    attempts.note(name, await askDirectly(name, 'events'));
    return { name, keys: await book.keysOf(name) };
  }

  /** Asks one notary; true when it knew something. */
  async function consult(name: string, wanted: readonly KeysWanted[]): Promise<boolean> {
    const others = wanted.filter(({ serverName }) => serverName !== name);
    if (others.length === 0) return false;
    const documents = await askNotary(federationClient, await openNotary(name), others);
    for (const document of documents) await book.add(document, false);
    return documents.length > 0;
  }

  async function fetchOnce(wanted: KeysWanted, reason: FetchReason): Promise<void> {
    const { serverName } = wanted;
    // Somebody else may have asked while this one waited.
    if (!attempts.isDue(serverName, reason)) return;
    let isSuccess = await askDirectly(serverName, reason);
    for (const notary of notariesOf(config)) {
      if (isSuccess && !lacks(await book.keysOf(serverName), wanted)) break;
      isSuccess = (await consult(notary, [wanted])) || isSuccess;
    }
    attempts.note(serverName, isSuccess);
    (isSuccess ? fetched : failed).add();
    if (!isSuccess) log.info('the keys of a server cannot be had now', { serverName, reason });
  }

  async function lookUpAll(wanted: readonly KeysWanted[]): Promise<void> {
    for (const notary of notariesOf(config)) {
      for (let from = 0; from < wanted.length; from += NOTARY_SERVERS_MAX)
        await consult(notary, wanted.slice(from, from + NOTARY_SERVERS_MAX));
    }
  }

  return {
    fetch(wanted, reason) {
      const { serverName } = wanted;
      const name = `${reason} ${serverName}`;
      const running = underWay.get(name);
      if (running !== undefined) return running;
      if (!attempts.isDue(serverName, reason)) return Promise.resolve();
      const started = turnstiles[reason]
        .pass(() => fetchOnce(wanted, reason))
        .finally(() => underWay.delete(name));
      underWay.set(name, started);
      return started;
    },
    async fetchFromNotaries(wanted) {
      const due = wanted.filter(({ serverName }) => attempts.isDue(serverName, 'events'));
      const fresh = due.filter(({ serverName }) => !beingLookedUp.has(serverName));
      const lookUp = lookUpAll(fresh).finally(() => {
        for (const { serverName } of fresh) beingLookedUp.delete(serverName);
      });
      for (const { serverName } of fresh) beingLookedUp.set(serverName, lookUp);
      // Those that somebody else has just asked for are waited for as well.
      await Promise.all([lookUp, ...due.map(({ serverName }) => beingLookedUp.get(serverName))]);
    },
  };
}
