import { createHmac } from 'node:crypto';
import type { Config } from '../../../config/config.ts';

const MS_PER_SECOND = 1_000;

/** What `GET /voip/turnServer` answers. `ttl` is in seconds. */
export interface TurnServer {
  readonly username: string;
  readonly password: string;
  readonly uris: readonly string[];
  readonly ttl: number;
}

/**
 * What a user needs to use the TURN servers of the configuration. With a shared secret the name says when it ends, in seconds since the Unix
 * epoch, and the password is the name's HMAC-SHA1 under the secret: TURN servers check both without asking us, and the user cannot make it
 * last longer.
 *
 * @param now milliseconds since the Unix epoch
 * @returns undefined when no TURN server, or no way to log in there, is configured
 */
export function turnServerFor(voip: Config['voip'], userId: string, now: number): TurnServer | undefined {
  const { turnUris: uris, turnSharedSecret: secret, turnUser, turnPassword, ttlMs } = voip;
  if (uris.length === 0) return undefined;
  const ttl = Math.floor(ttlMs / MS_PER_SECOND);
  if (secret !== '') {
    const username = `${Math.floor(now / MS_PER_SECOND) + ttl}:${userId}`;
    return { username, password: createHmac('sha1', secret).update(username).digest('base64'), uris, ttl };
  }
  return turnUser === '' || turnPassword === ''
    ? undefined
    : { username: turnUser, password: turnPassword, uris, ttl };
}
