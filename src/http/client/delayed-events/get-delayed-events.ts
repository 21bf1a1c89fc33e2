import { type Static, Type } from 'typebox';
import {
  type DelayedEvent,
  type FinalisedPlace,
  findDelayedEvent,
  readFinalisedOfUser,
  readScheduledOfUser,
} from '../../../../db/delayed-events/reader.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { delayedEventJson, finalisedJson } from './event-json.ts';

/** Finalised events in one answer. */
export const FINALISED_PAGE = 50;
/** Scheduled events in one answer: there are no more of one user, unless fewer are allowed now than were. */
const SCHEDULED_PAGE = 10_000;
/** Events that one request may name. */
const NAMED_MAX = 100;
const TOKEN = /^f(\d{1,16})-(\d{1,16})$/;

const Query = Type.Object({
  status: Type.Optional(Type.Union([Type.Literal('scheduled'), Type.Literal('finalised')])),
  delay_id: Type.Optional(Type.Array(Type.String(), { maxItems: NAMED_MAX })),
  from: Type.Optional(Type.String()),
});

/** The events that a request names, as far as they are the caller's. */
async function readNamed(
  { db }: Pick<Services, 'db'>,
  userId: string,
  delayIds: readonly string[],
): Promise<readonly DelayedEvent[]> {
  const found: DelayedEvent[] = [];
  for (const delayId of new Set(delayIds)) {
    const event = await findDelayedEvent(db, delayId);
    if (event?.userId === userId) found.push(event);
  }
  return found;
}

function placeOf(from: string): FinalisedPlace | undefined {
  const match = TOKEN.exec(from);
  return match === null ? undefined : { finalisedTs: Number(match[1]), delayNid: Number(match[2]) };
}

async function readLists(
  services: Pick<Services, 'db'>,
  userId: string,
  { status, delay_id: named, from }: Static<typeof Query>,
): Promise<
  { readonly scheduled: readonly DelayedEvent[]; readonly finalised: readonly DelayedEvent[] } | Refusal
> {
  const { db } = services;
  const wants = (one: 'scheduled' | 'finalised'): boolean => status === undefined || status === one;
  if (named !== undefined) {
    const events = await readNamed(services, userId, named);
    return {
      scheduled: wants('scheduled') ? events.filter(({ dueTs }) => dueTs !== null) : [],
      finalised: wants('finalised') ? events.filter(({ dueTs }) => dueTs === null) : [],
    };
  }
  const place = from === undefined ? null : placeOf(from);
  if (place === undefined) return refuse('M_INVALID_PARAM', 'from: this is no token of this list.');
  // What is scheduled stands on the first page, all of it.
  const isFirst = place === null;
  return {
    scheduled: isFirst && wants('scheduled') ? await readScheduledOfUser(db, userId, SCHEDULED_PAGE) : [],
    finalised: wants('finalised') ? await readFinalisedOfUser(db, userId, place, FINALISED_PAGE) : [],
  };
}

/**
 * The caller's own delayed events: those that are scheduled, in the order in which they are to be sent, under both names that the list has
 * had; and what became of others, the newest first, for a while.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc4140/delayed_events',
  spec: 'MSC4140, "Getting a list of delayed events"',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  query: Query,
  reply: Type.Object({
    delayed_events: Type.Array(ANY_OBJECT),
    scheduled: Type.Array(ANY_OBJECT),
    finalised: Type.Array(ANY_OBJECT),
    next_batch: Type.Optional(Type.String()),
  }),
  needs: ['db'],
  async handle({ query, caller, services }) {
    const lists = await readLists(services, caller.userId, query);
    if ('kind' in lists) return lists;
    const { finalised } = lists;
    const scheduled = lists.scheduled.map(delayedEventJson);
    const last =
      query.delay_id === undefined && finalised.length === FINALISED_PAGE ? finalised.at(-1) : undefined;
    return {
      delayed_events: scheduled,
      scheduled,
      finalised: finalised.map(finalisedJson),
      ...(last !== undefined && { next_batch: `f${last.finalisedTs}-${last.delayNid}` }),
    };
  },
});
