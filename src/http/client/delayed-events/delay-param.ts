import { type Static, Type } from 'typebox';
import type { Config } from '../../../config/config.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/** The query parameter with which older forms of MSC4140 ask for a delay, in milliseconds. */
const DELAY_PARAM = 'org.matrix.msc4140.delay';
/** Asked for an event that is sent when another one is: no form of MSC4140 knows it any more. */
const PARENT_PARAM = 'org.matrix.msc4140.parent_delay_id';

/** Their part of the schema of a query string. */
export const DELAY_QUERY = {
  [DELAY_PARAM]: Type.Optional(Type.Integer({ minimum: 1 })),
  [PARENT_PARAM]: Type.Optional(Type.String()),
};

const DelayQuery = Type.Object(DELAY_QUERY);

/**
 * For how long an event is to be delayed, in milliseconds, where the endpoints that send at once are asked for that; null: not at all.
 * A parameter that is not understood must not be passed over: the event would be sent at once. Refused with M_INVALID_PARAM.
 */
export function delayOf(query: Static<typeof DelayQuery>): number | null | Refusal {
  if (query[PARENT_PARAM] !== undefined)
    return refuse(
      'M_INVALID_PARAM',
      `${PARENT_PARAM}: an event cannot be delayed until another one is sent.`,
    );
  return query[DELAY_PARAM] ?? null;
}

/** In which form a delay is asked for: it is refused in the same form. */
export type DelayForm = 'query' | 'endpoint';

/**
 * Whether a delay is not too long. Refused with 403 M_FORBIDDEN; where clients look for the code of older forms, too long a delay with 400
 * M_UNKNOWN and that code, so that they try a shorter one. MSC4140.
 */
export function checkDelay(
  { delayedEvents }: Pick<Config, 'delayedEvents'>,
  delayMs: number,
  form: DelayForm,
): Refusal | undefined {
  const { maxDelayMs, maxScheduled } = delayedEvents;
  if (maxDelayMs === 0 || maxScheduled === 0)
    return refuse('M_FORBIDDEN', 'This server sends no delayed events.');
  if (delayMs <= maxDelayMs) return undefined;
  const error = `The delay is longer than ${maxDelayMs} ms.`;
  if (form === 'endpoint') return refuse('M_FORBIDDEN', error);
  return refuse('M_UNKNOWN', error, {
    extra: {
      'org.matrix.msc4140.errcode': 'M_MAX_DELAY_EXCEEDED',
      'org.matrix.msc4140.max_delay': maxDelayMs,
    },
  });
}
