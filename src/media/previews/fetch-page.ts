import type { Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { Agent, request } from 'undici';
import type { Clock } from '../../kit/clock.ts';
import type { AddressGuard } from '../../http-client/address-guard.ts';
import { AddressForbidden, createGuardedConnect, type Lookup } from '../../http-client/guarded-connect.ts';

/** How often a page may send us elsewhere. */
export const REDIRECTS_MAX = 5;
/** How long everything about one page may take, in milliseconds. */
export const FETCH_MS_MAX = 15_000;
/** How long a server may be silent, in milliseconds. */
const SILENCE_MS_MAX = 8_000;
/** Largest head of an answer, in bytes. */
const HEADERS_BYTES_MAX = 65_536;

const USER_AGENT = 'Mozilla/5.0 (compatible; Troupe; preview of a link in a Matrix room)';
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** A page that could not be fetched. `forbidden`: an address out of bounds; `failed`: everything else, with the reason for the log. */
export type FetchFailure =
  { readonly kind: 'forbidden' } | { readonly kind: 'failed'; readonly reason: string };

/** The beginning of an answer. */
export interface FetchedPage {
  readonly kind: 'page';
  /** Where it was found in the end. */
  readonly url: URL;
  /** The `Content-Type` header; empty for none. */
  readonly contentType: string;
  /** The body, decompressed. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Fetches pages that strangers have chosen. */
export interface PageFetcher {
  /**
   * Fetches a page and lets `read` see it. The connection is closed when `read` is done, and cut off after {@link FETCH_MS_MAX}.
   *
   * @param language `Accept-Language`; empty for none
   * @returns what `read` gave, or why there is no page: also when `read` itself failed for the connection's sake
   */
  fetch<T>(url: URL, language: string, read: (page: FetchedPage) => Promise<T>): Promise<T | FetchFailure>;
}

interface Answer {
  readonly url: URL;
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

function headerOf({ headers }: Answer, name: string): string {
  const value = headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? '';
}

function isFetchable(url: URL): boolean {
  return url.protocol === 'http:' || url.protocol === 'https:';
}

function decompressed(answer: Answer): AsyncIterable<Uint8Array> {
  const encoding = headerOf(answer, 'content-encoding').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return answer.body;
  const streams = {
    gzip: createGunzip,
    'x-gzip': createGunzip,
    deflate: createInflate,
    br: createBrotliDecompress,
  };
  const create = encoding in streams ? streams[encoding as keyof typeof streams] : undefined;
  if (create === undefined) throw new Error(`the encoding ${encoding} is not known`);
  const stream = create();
  answer.body.on('error', (error) => stream.destroy(error));
  return answer.body.pipe(stream);
}

function redirectOf(answer: Answer): URL | null {
  const location = headerOf(answer, 'location');
  if (!REDIRECT_STATUSES.has(answer.statusCode) || location === '') return null;
  if (!URL.canParse(location, answer.url)) throw new Error('it redirects to nowhere');
  const next = new URL(location, answer.url);
  if (!isFetchable(next)) throw new Error(`it redirects to ${next.protocol}`);
  return next;
}

interface Hop {
  readonly agent: Agent;
  readonly signal: AbortSignal;
  readonly language: string;
}

async function ask(url: URL, { agent, signal, language }: Hop): Promise<Answer> {
  const answer = await request(url, {
    dispatcher: agent,
    signal,
    headersTimeout: SILENCE_MS_MAX,
    bodyTimeout: SILENCE_MS_MAX,
    headers: {
      'user-agent': USER_AGENT,
      accept: 'text/html,application/xhtml+xml,image/*;q=0.8,*/*;q=0.5',
      'accept-encoding': 'gzip, deflate, br',
      ...(language === '' ? {} : { 'accept-language': language }),
    },
  });
  return { url, statusCode: answer.statusCode, headers: answer.headers, body: answer.body };
}

/** Follows by hand: each address that a page sends us to is looked at like the first. */
async function follow(first: URL, hop: Hop): Promise<Answer> {
  let url = first;
  for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
    const answer = await ask(url, hop);
    const next = redirectOf(answer);
    if (next === null) return answer;
    answer.body.on('error', () => undefined).destroy();
    url = next;
  }
  throw new Error(`it redirects more than ${REDIRECTS_MAX} times`);
}

function failureOf(error: unknown): FetchFailure {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof AddressForbidden) return { kind: 'forbidden' };
  return { kind: 'failed', reason: error instanceof Error ? error.message : String(error) };
}

/** The connection's fault, and not of whoever reads: everything that the network and zlib throw has a code. */
function isOfTheConnection(error: unknown): boolean {
  return error instanceof Error && ('code' in error || error.name === 'AbortError');
}

/** Makes a fetcher. Each page has connections of its own. */
export function createPageFetcher(options: {
  readonly guard: AddressGuard;
  readonly lookup: Lookup;
  readonly clock: Clock;
}): PageFetcher {
  const { guard, lookup, clock } = options;
  const connect = createGuardedConnect(guard, lookup);
  return {
    async fetch(url, language, read) {
      if (!isFetchable(url)) return { kind: 'failed', reason: `it is ${url.protocol}` };
      const cut = new AbortController();
      const timer = clock.after(FETCH_MS_MAX, () => cut.abort());
      const agent = new Agent({ connect, pipelining: 0, maxHeaderSize: HEADERS_BYTES_MAX });
      try {
        let answer: Answer;
        let body: AsyncIterable<Uint8Array>;
        try {
          answer = await follow(url, { agent, signal: cut.signal, language });
          answer.body.on('error', () => undefined);
          if (answer.statusCode < 200 || answer.statusCode > 299)
            throw new Error(`it answered ${answer.statusCode}`);
          body = decompressed(answer);
        } catch (error) {
          return failureOf(error);
        }
        try {
          const contentType = headerOf(answer, 'content-type');
          return await read({ kind: 'page', url: answer.url, contentType, body });
        } catch (error) {
          if (!isOfTheConnection(error)) throw error;
          return failureOf(error);
        }
      } finally {
        clock.cancel(timer);
        await agent.destroy();
      }
    },
  };
}
