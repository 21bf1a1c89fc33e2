import { hash } from 'node:crypto';

/**
 * The name under which an access token is stored and travels: hex SHA-256. Tokens are random (256 bits), so that a fast hash without
 * salt is enough.
 *
 * @param token the access token as the client sends it
 */
export function hashAccessToken(token: string): string {
  return hash('sha256', token, 'hex');
}
