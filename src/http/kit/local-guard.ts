import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';
import { type Refusal, refuse } from '../../matrix/refusal.ts';

/** The host of an authority such as `localhost:8009` or `[::1]:8009`, without port and brackets. */
function hostOf(authority: string): string {
  return authority.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
}

/**
 * Keeps web pages away from a listener that trusts whoever reaches it. A page of any site, opened in a browser on this machine, reaches the
 * loopback interface too: its requests carry its own `Origin`, or, when it has pointed its own name at 127.0.0.1, its own `Host`.
 *
 * @returns null when the request may pass: no `Origin` but the listener's own, and a `Host` that is an address or `localhost`
 */
export function refuseWebPages(headers: IncomingHttpHeaders): Refusal | null {
  const { host = '', origin } = headers;
  const name = hostOf(host);
  if (name !== 'localhost' && isIP(name) === 0)
    return refuse('M_FORBIDDEN', `Reach this listener by its address or as localhost, not as "${name}".`);
  if (origin !== undefined && origin !== `http://${host}`)
    return refuse('M_FORBIDDEN', `Pages of ${origin} may not talk to this listener.`);
  return null;
}
