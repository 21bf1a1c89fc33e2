import { readGapFollowerTimes } from '../../../../db/rooms/gap-time-reader.ts';
import { hostsInRoom } from '../../../federation/hosts-in-room.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';

/** Servers that are asked, one after the other. */
const SERVERS_TRIED_MAX = 2;
/** How long one of them may take, in milliseconds. */
const ASK_TIMEOUT_MS = 10_000;
/** How long fetching the event that they name may take, in milliseconds. */
const FETCH_DEADLINE_MS = 30_000;

/** Events that are fetched where one that is known stands outside of the timeline. */
const HISTORY_EVENTS = 100;

/** An event and its time, in milliseconds since the Unix epoch. */
export interface EventAtTime {
  readonly eventId: string;
  readonly originServerTs: number;
}

/** Which event is wanted. */
export interface TimeWish {
  readonly roomId: string;
  readonly ts: number;
  readonly direction: 'forward' | 'backward';
}

type AskServices = Pick<Services, 'cached' | 'config' | 'db' | 'federationClient' | 'federation-receiver'>;

/** Is history missing here in which something nearer may lie than what was found? */
async function mayBeMissing(
  { db }: AskServices,
  { roomId, ts, direction }: TimeWish,
  found: EventAtTime | undefined,
): Promise<boolean> {
  const followers = await readGapFollowerTimes(db, roomId);
  if (direction === 'backward')
    return followers.some((time) => found === undefined || time > found.originServerTs);
  return followers.some((time) => time >= ts && (found === undefined || time <= found.originServerTs));
}

function parseAnswer(body: JsonObject, { ts, direction }: TimeWish): EventAtTime | undefined {
  const { event_id: eventId, origin_server_ts: originServerTs } = body;
  if (typeof eventId !== 'string' || typeof originServerTs !== 'number') return undefined;
  const isInDirection = direction === 'forward' ? originServerTs >= ts : originServerTs <= ts;
  return isInDirection ? { eventId, originServerTs } : undefined;
}

/**
 * Asks servers in the room for an event nearer to a time than the one that was found here, where history is missing here, and fetches it.
 * Client-Server API v1.19, `GET /rooms/{roomId}/timestamp_to_event`; Server-Server API v1.19, the same.
 *
 * @param found what was found here
 * @returns undefined where nothing nearer can be had
 */
export async function askForEventByTime(
  services: AskServices,
  wish: TimeWish,
  found: EventAtTime | undefined,
): Promise<EventAtTime | undefined> {
  const { cached, config, federationClient } = services;
  const { roomId, ts, direction } = wish;
  const hosts = (await cached.get(hostsInRoom, roomId)).filter((host) => host !== config.server.name);
  if (hosts.length === 0 || !(await mayBeMissing(services, wish, found))) return undefined;
  for (const destination of hosts.slice(0, SERVERS_TRIED_MAX)) {
    const answer = await federationClient.request({
      destination,
      method: 'GET',
      path: `/_matrix/federation/v1/timestamp_to_event/${encodeURIComponent(roomId)}`,
      query: { ts: String(ts), dir: direction === 'forward' ? 'f' : 'b' },
      timeoutMs: ASK_TIMEOUT_MS,
    });
    const told = answer.kind === 'answered' ? parseAnswer(answer.body, wish) : undefined;
    if (told === undefined) continue;
    const isNearer =
      found === undefined || Math.abs(told.originServerTs - ts) < Math.abs(found.originServerTs - ts);
    if (!isNearer) return undefined;
    const fetched = await services['federation-receiver'].ask(
      'federation-receiver.fetch-event',
      { roomId, eventId: told.eventId, via: [destination] },
      { deadlineMs: FETCH_DEADLINE_MS },
    );
    return isRefusal(fetched) ? undefined : told;
  }
  return undefined;
}

/** Fetches history before the oldest that is here; true when there is more then. */
export async function fetchHistory(
  services: Pick<Services, 'federation-receiver'>,
  roomId: string,
): Promise<boolean> {
  const filled = await services['federation-receiver'].ask(
    'federation-receiver.backfill',
    { roomId, limit: HISTORY_EVENTS },
    { deadlineMs: FETCH_DEADLINE_MS },
  );
  return !isRefusal(filled) && filled.events > 0;
}
