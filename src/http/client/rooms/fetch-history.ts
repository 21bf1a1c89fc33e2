import { AskFailed } from '../../../../actors/kit/ref.ts';
import { readHistoryGaps } from '../../../../db/rooms/gap-reader.ts';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import type { Services } from '../../kit/services.ts';
import { placeBefore } from '../../../sync/page-token.ts';
import { type History, type HistoryRequest, readHistory } from './history.ts';
import { becomesWhole } from './whole-room.ts';

/** How often other servers are asked for one answer. */
export const FETCHES_MAX = 3;
/** Events that are asked for at least: those of other kinds than the client wants are among them. */
const FETCHED_EVENTS_MIN = 50;
/** How long a client waits for other servers, in milliseconds; what comes later is there the next time. */
const FETCH_DEADLINE_MS = 15_000;

type FetchServices = ReadServices & Pick<Services, 'federation-receiver'>;

/** The depth down to which a piece of history has no gap: everything, when it came to the end. */
function lowestDepth({ items, next }: History): number {
  if (next === null) return Number.MIN_SAFE_INTEGER;
  return Math.min(next.depth, ...items.map(({ entry }) => entry.depth));
}

/** The newest gap that a piece of history would show. */
async function findGap(
  services: ReadServices,
  roomNid: number,
  request: HistoryRequest,
  history: History,
): Promise<number | undefined> {
  const [gap] = await readHistoryGaps(services.db, roomNid, request.from.depth, 1);
  return gap !== undefined && gap.depth >= lowestDepth(history) ? gap.depth : undefined;
}

/** True when something came. */
async function fetchMore(
  services: FetchServices,
  { standing, limit }: HistoryRequest,
  fromDepth: number,
): Promise<boolean> {
  // Each piece of history would bring all members once more, which are on their way.
  if (!(await becomesWhole(services, standing.roomId, FETCH_DEADLINE_MS))) return false;
  const wanted = { roomId: standing.roomId, limit: Math.max(limit, FETCHED_EVENTS_MIN), fromDepth };
  try {
    const receiver = services['federation-receiver'];
    const filled = await receiver.ask('federation-receiver.backfill', wanted, {
      deadlineMs: FETCH_DEADLINE_MS,
    });
    return !isRefusal(filled) && filled.events > 0;
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    return false;
  }
}

/**
 * Reads a part of a room's history, going back. Where this server has a gap in it, or comes to the end of what it has, other servers are
 * asked for more, while the user is in the room. Where they have nothing now, there is a place from which to go on another time, unless
 * nothing at all was found. Server-Server API v1.19, "Backfilling and retrieving missing events".
 */
export async function fetchHistory(services: FetchServices, request: HistoryRequest): Promise<History> {
  let history = await readHistory(services, request);
  const { standing, direction } = request;
  if (direction !== 'backward' || standing.membership !== 'join' || request.limit === 0) return history;
  const room = await findRoom(services.db, standing.roomId);
  if (room === undefined) return history;
  for (let fetches = 0; fetches < FETCHES_MAX; fetches += 1) {
    const gap = await findGap(services, room.roomNid, request, history);
    if (gap === undefined) return history;
    if (!(await fetchMore(services, request, gap))) break;
    history = await readHistory(services, request);
  }
  const last = history.items.at(-1);
  if (history.next !== null || last === undefined) return history;
  const isGap = (await findGap(services, room.roomNid, request, history)) !== undefined;
  return isGap ? { ...history, next: placeBefore(last.entry) } : history;
}
