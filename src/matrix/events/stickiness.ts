import { isJsonObject } from '../../kit/json.ts';
import type { ProtoPdu } from './pdu.ts';

/** The longest that an event stays sticky, in milliseconds. MSC4354. */
export const STICKY_DURATION_MS_MAX = 3_600_000;

/** Where an event says how long it is sticky: beside its content, for that may be encrypted. MSC4354, "Unstable Prefix". */
export const STICKY_FIELD = 'msc4354_sticky';

/**
 * For how long a message is sticky, in milliseconds: from 1 to {@link STICKY_DURATION_MS_MAX}. State events are not: they reach everybody as it
 * is. MSC4354, "Proposal".
 *
 * @returns null for one that is not, and for one whose `duration_ms` is no integer in bounds
 */
export function stickyDurationOf(pdu: ProtoPdu): number | null {
  const field = pdu[STICKY_FIELD];
  if (pdu.state_key !== undefined || !isJsonObject(field)) return null;
  const { duration_ms: durationMs } = field;
  if (typeof durationMs !== 'number' || !Number.isInteger(durationMs)) return null;
  return durationMs > 0 && durationMs <= STICKY_DURATION_MS_MAX ? durationMs : null;
}

/**
 * When a message stops being sticky: its own time counts as far as it is not in the future. MSC4354, "Proposal".
 *
 * @param receivedTs when it came to this server; both in milliseconds since the Unix epoch
 * @returns null when it is not sticky at `receivedTs` (any more)
 */
export function stickyUntil(pdu: ProtoPdu, receivedTs: number): number | null {
  const durationMs = stickyDurationOf(pdu);
  if (durationMs === null) return null;
  const expiresTs = Math.min(receivedTs, pdu.origin_server_ts) + durationMs;
  return expiresTs > receivedTs ? expiresTs : null;
}
