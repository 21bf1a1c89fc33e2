import type { FederationAnswer } from '../../src/federation/federation-client.ts';
import type { Errcode, Refusal } from '../../src/matrix/refusal.ts';
import { isRefusal, refuse } from '../../src/matrix/refusal.ts';
import type { RemoteDesk } from './desk.ts';

/** Characters of another server's error that are shown to a user. */
const ERROR_LENGTH_MAX = 500;
/** The form of an error code. */
const ERRCODE = /^[A-Z][A-Z0-9_.]{0,99}$/;

/** Mistakes of ours, which are no answer to what the user has asked. Server-Server API v1.19, `PUT /send_join`, 400. */
const OUR_MISTAKES: ReadonlySet<string> = new Set([
  'M_MISSING_PARAM',
  'M_INVALID_PARAM',
  'M_BAD_JSON',
  'M_NOT_JSON',
  'M_UNRECOGNIZED',
  'M_UNKNOWN',
]);

/** The answer of no other server can be another one. */
const DEFINITE: ReadonlySet<string> = new Set(['M_INCOMPATIBLE_ROOM_VERSION']);

/** What a user is told when a server did not do what it was asked: what it said, where that is an answer to the user. */
export function refusalOfAnswer(
  server: string,
  answer: Exclude<FederationAnswer, { readonly kind: 'answered' }>,
): Refusal {
  if (answer.kind === 'unreachable')
    return refuse('M_UNKNOWN', `The server ${server} cannot be reached.`, { status: 502 });
  const { status, errcode, error, body } = answer;
  const isAnswer = status >= 400 && status < 500 && status !== 401 && ERRCODE.test(errcode);
  const text = error.slice(0, ERROR_LENGTH_MAX);
  if (!isAnswer || OUR_MISTAKES.has(errcode))
    return refuse('M_UNKNOWN', `The server ${server} did not do it: ${text}`, { status: 502 });
  const version = body['room_version'];
  const extra = typeof version === 'string' ? { extra: { room_version: version } } : {};
  return refuse(errcode as Errcode, text, { status, ...extra });
}

/** What a server did that is not what the protocol says. */
export function malformed(server: string, what: string): Refusal {
  return refuse('M_UNKNOWN', `The server ${server} gave ${what}.`, { status: 502 });
}

/** The refusal that says most: what a room's servers say counts more than that another one cannot be reached. */
function better(one: Refusal | undefined, other: Refusal): Refusal {
  if (one === undefined) return other;
  const weight = ({ errcode, status }: Refusal): number =>
    errcode === 'M_FORBIDDEN' ? 3 : errcode === 'M_NOT_FOUND' ? 1 : status < 500 ? 2 : 0;
  return weight(other) > weight(one) ? other : one;
}

/**
 * Asks one server after the other until one does it.
 *
 * @param servers in order; none twice
 * @param budgetMs after so long no further server is asked
 * @returns what the first one gave that did; otherwise the refusal that says most, M_NOT_FOUND where there was nobody to ask
 */
export async function tryServers<Done extends { readonly kind: string }>(
  desk: Pick<RemoteDesk, 'clock' | 'log'>,
  servers: readonly string[],
  budgetMs: number,
  attempt: (server: string) => Promise<Done | Refusal>,
): Promise<Done | Refusal> {
  const startedAt = desk.clock.monotonic();
  let refusal: Refusal | undefined;
  for (const server of servers) {
    const outcome = await attempt(server);
    if (!isRefusal(outcome)) return outcome;
    const { errcode, error } = outcome;
    desk.log.info('a server did not help with a membership', { server, errcode, detail: error });
    if (DEFINITE.has(errcode)) return outcome;
    refusal = better(refusal, outcome);
    if (desk.clock.monotonic() - startedAt >= budgetMs) break;
  }
  return refusal ?? refuse('M_NOT_FOUND', 'No server is known that is in the room.');
}
