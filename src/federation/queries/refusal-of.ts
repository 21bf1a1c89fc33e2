import { type Errcode, type Refusal, refuse } from '../../matrix/refusal.ts';
import type { FederationAnswer } from '../federation-client.ts';

const BAD_GATEWAY = 502;
/** What another server says no with, and clients are told as it is. */
const PASSED_ON: ReadonlyMap<number, Errcode> = new Map([
  [403, 'M_FORBIDDEN'],
  [404, 'M_NOT_FOUND'],
]);

/** Other servers are being asked for too much already. */
export const TOO_MANY_QUESTIONS: Refusal = refuse(
  'M_LIMIT_EXCEEDED',
  'Too much is being asked of other servers; try again soon.',
  { extra: { retry_after_ms: 2_000 } },
);

/**
 * What clients are told when another server gave nothing: its 403 or 404, or 502 `M_UNKNOWN`.
 *
 * @param what it was asked for, to begin a sentence with: "The profile"
 */
export function refusalOf(answer: FederationAnswer, what: string): Refusal {
  const errcode = answer.kind === 'refused' ? PASSED_ON.get(answer.status) : undefined;
  if (errcode !== undefined) return refuse(errcode, `${what} cannot be had: its server says no.`);
  return refuse('M_UNKNOWN', `${what} cannot be had: its server did not give it.`, { status: BAD_GATEWAY });
}
