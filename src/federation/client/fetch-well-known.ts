import { Agent, request } from 'undici';
import { createGuardedConnect } from '../../http-client/guarded-connect.ts';
import type { ConnectionParts } from './connections.ts';
import { headersOf, readText } from './read-answer.ts';
import type { FetchWellKnown, WellKnownAnswer } from './well-known.ts';

/** How long a host may take to answer, redirects included, in milliseconds. */
const FETCH_TIMEOUT_MS = 10_000;
/** The largest answer, in bytes. */
export const WELL_KNOWN_BYTES_MAX = 51_200;
/** How often a host may send us elsewhere. */
export const REDIRECTS_MAX = 5;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const HTTPS_PORT = 443;

/** Where a redirect leads; undefined for none that is followed: only HTTPS is. */
function nextUrl(from: URL, { status, headers }: WellKnownAnswer): URL | undefined {
  const { location } = headers;
  if (!REDIRECT_STATUSES.has(status) || location === undefined || !URL.canParse(location, from))
    return undefined;
  const url = new URL(location, from);
  return url.protocol === 'https:' ? url : undefined;
}

/** Makes what asks hosts where their Matrix server is, by guarded connections. */
export function createWellKnownFetch(
  parts: Pick<ConnectionParts, 'names' | 'guard' | 'authorities' | 'wellKnownPort' | 'clock' | 'log'>,
): FetchWellKnown {
  const { names, guard, authorities, clock, log, wellKnownPort = HTTPS_PORT } = parts;
  const connect = createGuardedConnect(guard, (host) => names.addresses(host), authorities);
  const agent = new Agent({ connect, pipelining: 0 });

  async function ask(url: URL, signal: AbortSignal): Promise<WellKnownAnswer | undefined> {
    const answer = await request(url, {
      dispatcher: agent,
      signal,
      headers: { accept: 'application/json', 'user-agent': 'Troupe' },
    });
    const text = await readText(answer, WELL_KNOWN_BYTES_MAX);
    return text === undefined
      ? undefined
      : { status: answer.statusCode, headers: headersOf(answer.headers), text };
  }

  async function follow(start: URL, signal: AbortSignal): Promise<WellKnownAnswer | undefined> {
    let url = start;
    for (let redirects = 0; redirects <= REDIRECTS_MAX; redirects += 1) {
      const answer = await ask(url, signal);
      const next = answer === undefined ? undefined : nextUrl(url, answer);
      if (next === undefined) return answer;
      url = next;
    }
    return undefined;
  }

  return async (host) => {
    const deadline = new AbortController();
    const timer = clock.after(FETCH_TIMEOUT_MS, () => deadline.abort(new Error('it took too long')));
    const port = wellKnownPort === HTTPS_PORT ? '' : `:${wellKnownPort}`;
    try {
      return await follow(new URL(`https://${host}${port}/.well-known/matrix/server`), deadline.signal);
    } catch (error) {
      // No name, no listener, a wrong certificate, no time: all the same for discovery, which goes on without.
      log.debug('no well-known', { host, reason: String(error) });
      return undefined;
    } finally {
      clock.cancel(timer);
    }
  };
}
