import type { Caches } from '../streams/cache.ts';
import { roomWholenessCache } from './caches/room-wholeness.ts';
import { lazyLoadingOf } from './filtering.ts';
import type { SyncContext } from './sync-context.ts';
import type { SyncRange } from './sync-range.ts';
import type { ReadServices } from './sync-services.ts';

const EVENTS = 'events';

/** What asking takes. */
export interface WholenessServices {
  readonly cached: Caches;
}

/** Whether members of the room are missing, as the newest commit has it. MSC3902. */
export async function isRoomPartial({ cached }: WholenessServices, roomId: string): Promise<boolean> {
  return (await cached.get(roomWholenessCache, roomId)).isPartial;
}

/** Whether members of the room were missing at a position of the events stream, in this server's present stay. */
export async function wasRoomPartial(
  { cached }: WholenessServices,
  roomId: string,
  position: number,
): Promise<boolean> {
  const { isPartial, completedAt } = await cached.get(roomWholenessCache, roomId);
  return isPartial || (completedAt !== null && completedAt > position);
}

/**
 * Those of the rooms whose missing members came within a range: what a client has of their members is not what they are. None in a first
 * sync.
 */
export async function findCompletedRooms(
  { cached, streams }: ReadServices,
  range: SyncRange,
  roomIds: readonly string[],
): Promise<ReadonlySet<string>> {
  const completed = new Set<string>();
  if (range.isInitial) return completed;
  const [from, to] = [range.from(EVENTS), range.to(EVENTS)];
  for (const roomId of roomIds) {
    if (!streams.mayHaveChanged(EVENTS, `room:${roomId}`, from)) continue;
    const { completedAt } = await cached.get(roomWholenessCache, roomId);
    if (completedAt !== null && completedAt > from && completedAt <= to) completed.add(roomId);
  }
  return completed;
}

/**
 * Whether a room is not for this answer yet: a client that does not load members lazily takes the state that it is given for all there is. It
 * is told of the room when that is so. MSC3902, "Client-Server API".
 */
export async function isHeldBack(context: SyncContext, roomId: string): Promise<boolean> {
  const { services, filter, range } = context;
  if (lazyLoadingOf(filter).isLazy) return false;
  return wasRoomPartial(services, roomId, range.to(EVENTS));
}
