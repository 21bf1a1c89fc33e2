import { LRUCache } from 'lru-cache';
import type { Clock } from '../../kit/clock.ts';
import { isJsonObject } from '../../kit/json.ts';
import { type ServerName, parseServerName } from '../../matrix/identifiers/server-name.ts';

/** Where another server says that it is. */
export interface WellKnown {
  readonly serverName: ServerName;
}

/** An answer to `GET https://<host>/.well-known/matrix/server`, redirects followed. Names of headers in lower case. */
export interface WellKnownAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** Asks a host; undefined when there was no whole answer. */
export type FetchWellKnown = (host: string) => Promise<WellKnownAnswer | undefined>;

/** How long an answer is remembered when it does not say, at least and at most; how long one that is of no use is, in milliseconds. */
export const WELL_KNOWN_DEFAULT_MS = 24 * 60 * 60 * 1_000;
export const WELL_KNOWN_MIN_MS = 5 * 60 * 1_000;
export const WELL_KNOWN_MAX_MS = 48 * 60 * 60 * 1_000;
export const WELL_KNOWN_FAILURE_MS = 60 * 60 * 1_000;
/** How long it is remembered that a host did not answer at all, in milliseconds: the fault may be ours, and delegated servers are not where else we look. */
export const WELL_KNOWN_SILENCE_MS = 2 * 60 * 1_000;
/** A host that answered once and does not now keeps what it said for so long. */
export const WELL_KNOWN_GRACE_MS = 60 * 60 * 1_000;
/** Hosts whose answer is remembered. */
export const WELL_KNOWN_HOSTS_MAX = 20_000;

interface Remembered {
  readonly wellKnown: WellKnown | null;
  /** When it is asked again, in monotonic milliseconds. */
  readonly untilMs: number;
  /** Until when it is believed although the host says nothing of use any more. */
  readonly graceUntilMs: number;
}

function clamp(ms: number): number {
  return Math.min(WELL_KNOWN_MAX_MS, Math.max(WELL_KNOWN_MIN_MS, ms));
}

/** How long an answer may be remembered. RFC 9111, sections 4.2.1 and 5.2.2. */
export function lifetimeMs(headers: Readonly<Record<string, string>>, nowTs: number): number {
  const directives = (headers['cache-control'] ?? '').toLowerCase();
  if (/(?:^|[,\s])(?:no-store|no-cache)(?:$|[,\s=])/.test(directives)) return WELL_KNOWN_MIN_MS;
  const maxAge = /(?:^|[,\s])max-age\s*=\s*"?(\d{1,12})/.exec(directives)?.[1];
  if (maxAge !== undefined) return clamp(Number(maxAge) * 1_000);
  const expires = headers['expires'];
  const expiresTs = expires === undefined ? Number.NaN : Date.parse(expires);
  if (expires === undefined) return WELL_KNOWN_DEFAULT_MS;
  // A date that cannot be read means: expired already.
  return Number.isNaN(expiresTs) ? WELL_KNOWN_MIN_MS : clamp(expiresTs - nowTs);
}

/** What an answer says; null for nothing usable. */
export function readWellKnown(answer: WellKnownAnswer): WellKnown | null {
  if (answer.status !== 200) return null;
  let json: unknown;
  try {
    json = JSON.parse(answer.text);
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  if (!isJsonObject(json) || typeof json['m.server'] !== 'string') return null;
  const serverName = parseServerName(json['m.server']);
  return serverName === undefined ? null : { serverName };
}

/**
 * Remembers what hosts say about where their Matrix server is, and asks them when that is too old: once, however many want to know.
 * Server-Server API v1.19, "Resolving server names", 3 and 4: answers at most 48 hours, failures at most one.
 */
export function createWellKnownBook(
  fetch: FetchWellKnown,
  clock: Clock,
): (host: string) => Promise<WellKnown | null> {
  const remembered = new LRUCache<string, Remembered>({ max: WELL_KNOWN_HOSTS_MAX });
  const underWay = new Map<string, Promise<WellKnown | null>>();

  async function ask(host: string, before: Remembered | undefined): Promise<WellKnown | null> {
    const answer = await fetch(host);
    const wellKnown = answer === undefined ? null : readWellKnown(answer);
    const now = clock.monotonic();
    if (answer !== undefined && wellKnown !== null) {
      const untilMs = now + lifetimeMs(answer.headers, clock.now());
      remembered.set(host, { wellKnown, untilMs, graceUntilMs: untilMs + WELL_KNOWN_GRACE_MS });
      return wellKnown;
    }
    // A proxy that is down for a minute shall not send us to another server.
    const graceUntilMs = before?.graceUntilMs ?? 0;
    const believed = now < graceUntilMs ? (before?.wellKnown ?? null) : null;
    const isSilent = answer === undefined || believed !== null;
    const untilMs = now + (isSilent ? WELL_KNOWN_SILENCE_MS : WELL_KNOWN_FAILURE_MS);
    remembered.set(host, { wellKnown: believed, untilMs, graceUntilMs });
    return believed;
  }

  return (host) => {
    const known = remembered.get(host);
    if (known !== undefined && clock.monotonic() < known.untilMs) return Promise.resolve(known.wellKnown);
    const running = underWay.get(host);
    if (running !== undefined) return running;
    const started = ask(host, known).finally(() => underWay.delete(host));
    underWay.set(host, started);
    return started;
  };
}
