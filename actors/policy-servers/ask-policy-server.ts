import type { FederationAnswer, FederationClient } from '../../src/federation/federation-client.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { POLICY_KEY_ID } from '../../src/matrix/events/policy-signature.ts';
import { type Errcode, type Refusal, refuse } from '../../src/matrix/refusal.ts';

/** How long a policy server may take for one event, in milliseconds: somebody waits, and what comes after it in the room. */
export const SIGN_TIMEOUT_MS = 10_000;
/** A signature is some hundred bytes. */
const SIGN_ANSWER_BYTES_MAX = 64 * 1_024;
/** What is handed on of what a policy server says, in UTF-16 code units. */
const REASON_LENGTH_MAX = 1_000;
/** How long it may have others wait that it has too much to do, in milliseconds. */
const RETRY_AFTER_MS_MAX = 600_000;

/**
 * What a policy server may have a client told: nothing that a client takes for a word of its own server about its session or account.
 * Server-Server API v1.19, `POST /_matrix/policy/v1/sign`.
 */
const PASSED_ON: ReadonlySet<string> = new Set([
  'M_FORBIDDEN',
  'M_BAD_JSON',
  'M_NOT_JSON',
  'M_NOT_FOUND',
  'M_UNRECOGNIZED',
  'M_LIMIT_EXCEEDED',
  'M_TOO_LARGE',
  'M_SAFETY',
  'ORG.MATRIX.MSC4387_SAFETY',
]);

function isPassedOn(errcode: string, status: number): errcode is Errcode {
  return PASSED_ON.has(errcode) && status >= 400 && status < 500 && status !== 401;
}

function waitOf(body: JsonObject): number | undefined {
  const { retry_after_ms: wait } = body;
  return typeof wait === 'number' && wait >= 0 ? Math.min(wait, RETRY_AFTER_MS_MAX) : undefined;
}

/** The policy server does not answer: it is told apart from a no, which stands. */
function silent(serverName: string, reason: string): Refusal {
  return refuse(
    'M_UNKNOWN',
    `The policy server of this room, ${serverName}, gives no answer (${reason}): try again later. ` +
      'Who may send m.room.policy in the room can take it out of use.',
    { status: 502 },
  );
}

/** What who asked is told of an answer without a signature. */
export function refusalOfSign(
  serverName: string,
  answer: Exclude<FederationAnswer, { readonly kind: 'answered' }>,
): Refusal {
  if (answer.kind === 'unreachable') return silent(serverName, answer.reason);
  const { status, errcode, body } = answer;
  const error = answer.error.slice(0, REASON_LENGTH_MAX);
  if (status >= 500) return silent(serverName, `${status} ${error}`);
  if (!isPassedOn(errcode, status)) return refuse('M_FORBIDDEN', error);
  const waitMs = errcode === 'M_LIMIT_EXCEEDED' ? waitOf(body) : undefined;
  return refuse(errcode, error, {
    status,
    ...(waitMs !== undefined && { extra: { retry_after_ms: waitMs } }),
  });
}

/** The signature in an answer; a refusal where there is none. */
function signatureIn(serverName: string, body: JsonObject): string | Refusal {
  const ofServer = Object.hasOwn(body, serverName) ? body[serverName] : undefined;
  const signature = isJsonObject(ofServer) ? ofServer[POLICY_KEY_ID] : undefined;
  if (typeof signature === 'string') return signature;
  // Older ones say no with an empty answer. MSC4284.
  return refuse('M_FORBIDDEN', 'The policy server of this room does not recommend this event.');
}

/** Asks once. Gives the signature, unchecked, as unpadded base64. */
export async function askPolicyServer(
  client: FederationClient,
  serverName: string,
  pdu: JsonObject,
): Promise<string | Refusal> {
  const answer = await client.request({
    destination: serverName,
    method: 'POST',
    path: '/_matrix/policy/v1/sign',
    body: pdu,
    timeoutMs: SIGN_TIMEOUT_MS,
    answerBytesMax: SIGN_ANSWER_BYTES_MAX,
  });
  return answer.kind === 'answered'
    ? signatureIn(serverName, answer.body)
    : refusalOfSign(serverName, answer);
}
