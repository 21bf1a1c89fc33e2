import type { JsonObject } from '../kit/json.ts';

/** A Matrix error code: `M_…`, or one of a proposal. */
export type Errcode = `M_${string}` | `ORG.${string}` | `IO.${string}`;

/**
 * An expected "no", as a value: plain data that travels between actors and becomes `{errcode, error}` at the edge.
 * Client-Server API v1.19, "Standard error response".
 */
export interface Refusal {
  readonly kind: 'refused';
  readonly errcode: Errcode;
  /** For people: what is wrong, and which field. */
  readonly error: string;
  /** The HTTP status. */
  readonly status: number;
  /** Further fields of the body, such as `retry_after_ms`. */
  readonly extra?: JsonObject;
}

/** The usual status of each code where it is not 400. Source: errcodes of specification v1.19. */
const STATUS_BY_ERRCODE: Readonly<Record<string, number>> = {
  M_FORBIDDEN: 403,
  M_UNKNOWN_TOKEN: 401,
  M_MISSING_TOKEN: 401,
  M_UNAUTHORIZED: 401,
  M_USER_DEACTIVATED: 403,
  M_USER_LOCKED: 401,
  M_USER_SUSPENDED: 403,
  M_NOT_FOUND: 404,
  M_UNRECOGNIZED: 404,
  M_LIMIT_EXCEEDED: 429,
  M_TOO_LARGE: 413,
  M_GUEST_ACCESS_FORBIDDEN: 403,
  M_INVITE_BLOCKED: 403,
  M_RESOURCE_LIMIT_EXCEEDED: 503,
  M_CANNOT_LEAVE_SERVER_NOTICE_ROOM: 403,
  M_THREEPID_DENIED: 403,
  M_WRONG_ROOM_KEYS_VERSION: 403,
};

/**
 * Makes a refusal.
 *
 * @param error a sentence for people, naming the field where there is one
 * @param options `status` overrides the usual one; `extra` adds fields to the body
 */
export function refuse(
  errcode: Errcode,
  error: string,
  options: { readonly status?: number; readonly extra?: JsonObject } = {},
): Refusal {
  const status = options.status ?? STATUS_BY_ERRCODE[errcode] ?? 400;
  const refusal = { kind: 'refused' as const, errcode, error, status };
  return options.extra === undefined ? refusal : { ...refusal, extra: options.extra };
}

/** True for a refusal among the values that a call may give. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { kind?: unknown }).kind === 'refused';
}
