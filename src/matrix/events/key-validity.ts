import type { RoomVersion } from '../rooms/room-versions.ts';

/** However long a server says that its key is valid, it is asked again after this: a key that was stolen is not believed for ever. */
export const KEY_VALIDITY_MS_MAX = 7 * 24 * 60 * 60 * 1_000;

/**
 * Decides whether a key may have signed an event: from room version 5 on only if the event is no newer than the key's validity, which ends at
 * `valid_until_ts` or seven days from now, whichever comes first. Whether the signature is right is another question.
 * Room version 5, "Signing key validity period"; Server-Server API v1.19, `GET /_matrix/key/v2/server`, `valid_until_ts`.
 *
 * @param key `validUntilTs` (of a key that is not used any more: `expired_ts`), milliseconds since the Unix epoch
 * @param originServerTs of the event, likewise
 * @param nowTs likewise
 */
export function isKeyValidFor(
  version: RoomVersion,
  key: { readonly validUntilTs: number },
  originServerTs: number,
  nowTs: number,
): boolean {
  if (!version.enforceKeyValidity) return true;
  return originServerTs <= Math.min(key.validUntilTs, nowTs + KEY_VALIDITY_MS_MAX);
}
