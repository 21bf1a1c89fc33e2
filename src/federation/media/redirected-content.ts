import type { Readable } from 'node:stream';
import type { SecureContext } from 'node:tls';
import { Agent, request } from 'undici';
import type { AddressGuard } from '../../http-client/address-guard.ts';
import { createGuardedConnect, type Lookup } from '../../http-client/guarded-connect.ts';

/** How often content may be somewhere else. */
export const REDIRECTS_MAX = 5;
/** How long a server may be silent, in milliseconds. */
const SILENCE_MS_MAX = 30_000;
const REDIRECT_STATUSES: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Content that lies outside of the federation, at an address that a server has named. */
export interface RedirectedContent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
  /** To be called when the body has been read, or is not wanted. */
  readonly close: () => Promise<void>;
}

/** What it takes to fetch from addresses that strangers have chosen. */
export interface RedirectGround {
  readonly guard: AddressGuard;
  readonly lookup: Lookup;
  readonly authorities?: SecureContext;
}

function headersOf(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name.toLowerCase(), Array.isArray(value) ? value.join(', ') : value]],
    ),
  );
}

/**
 * Fetches content without telling who asks, by HTTPS, from public addresses alone. Server-Server API v1.19, "Content Repository".
 *
 * @returns undefined when it is not there
 * @throws Error (rejection) for everything that goes wrong underway
 */
export async function fetchRedirected(
  ground: RedirectGround,
  location: string,
  signal: AbortSignal,
): Promise<RedirectedContent | undefined> {
  const connect = createGuardedConnect(ground.guard, ground.lookup, ground.authorities);
  const agent = new Agent({ connect, pipelining: 0 });
  const close = (): Promise<void> => agent.destroy();
  try {
    let url = new URL(location);
    for (let hops = 0; hops <= REDIRECTS_MAX; hops += 1) {
      if (url.protocol !== 'https:') break;
      const { statusCode, headers, body } = await request(url, {
        dispatcher: agent,
        signal,
        headersTimeout: SILENCE_MS_MAX,
        bodyTimeout: SILENCE_MS_MAX,
      });
      if (statusCode === 200) return { headers: headersOf(headers), body, close };
      body.on('error', () => undefined).destroy();
      const { location: next } = headersOf(headers);
      if (!REDIRECT_STATUSES.has(statusCode) || next === undefined) break;
      url = new URL(next, url);
    }
  } catch (error) {
    await close();
    throw error;
  }
  await close();
  return undefined;
}
