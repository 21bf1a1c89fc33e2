import { Type } from 'typebox';
import { STICKY_DURATION_MS_MAX } from '../../../matrix/events/stickiness.ts';

/** The query parameter that makes a message sticky, for whoever sends one. MSC4354, "Unstable Prefix". */
export const STICKY_PARAM = 'org.matrix.msc4354.sticky_duration_ms';

/** Its part of the schema of a query string: anything else is refused with 400 M_INVALID_PARAM. */
export const STICKY_QUERY = {
  [STICKY_PARAM]: Type.Optional(Type.Integer({ minimum: 0, maximum: STICKY_DURATION_MS_MAX })),
};

/** What it says of the event that is to be made. */
export function stickinessOf(query: { readonly [STICKY_PARAM]?: number }): {
  readonly stickyDurationMs?: number;
} {
  const stickyDurationMs = query[STICKY_PARAM];
  return stickyDurationMs === undefined ? {} : { stickyDurationMs };
}
