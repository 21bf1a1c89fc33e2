import type { JsonObject } from '../../kit/json.ts';
import type { FederationAnswer } from '../federation-client.ts';

/**
 * Why another server gave nothing, as clients are told it: an entry of `failures`.
 * Client-Server API v1.19, `failures` of `POST /_matrix/client/v3/keys/query` and `POST /_matrix/client/v3/keys/claim`.
 */
export function failureOf(answer: FederationAnswer): JsonObject {
  if (answer.kind === 'refused') return { errcode: answer.errcode, error: answer.error };
  const error =
    answer.kind === 'unreachable' ? 'The server could not be reached.' : 'The server gave a wrong answer.';
  return { errcode: 'M_UNKNOWN', error };
}
