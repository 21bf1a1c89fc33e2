import type { ActorRef } from '../../../../actors/kit/ref.ts';
import type { RemoteRoomsProtocol } from '../../../../actors/remote-rooms/protocol.ts';
import type { RoomsProtocol, Sent } from '../../../../actors/rooms/protocol.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Config } from '../../../config/config.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';
import { profileContent, reasonContent } from './member-content.ts';
import { REMOTE_DEADLINE_MS } from './remote-deadline.ts';

/** What coming into a room needs. */
export interface MembershipServices {
  readonly config: Config;
  readonly db: ReadDb;
  readonly rooms: ActorRef<RoomsProtocol>;
  readonly 'remote-rooms': ActorRef<RemoteRoomsProtocol>;
  readonly streams: StreamViews;
}

/** Who comes into which room, and how. */
export interface RoomEntry {
  readonly userId: string;
  readonly roomId: string;
  readonly action: 'join' | 'knock';
  readonly reason: string | undefined;
  /** Servers that may be in the room. */
  readonly via: readonly string[];
}

/** What another server may let the user do that this one cannot. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'M_NOT_FOUND',
  'M_UNABLE_TO_AUTHORISE_JOIN',
  'M_UNABLE_TO_GRANT_JOIN',
]);

/** The end of all attempts at a restricted room: clients know no other code for it. */
function toClient(refusal: Refusal): Refusal {
  const isUnable =
    refusal.errcode === 'M_UNABLE_TO_AUTHORISE_JOIN' || refusal.errcode === 'M_UNABLE_TO_GRANT_JOIN';
  return isUnable ? refuse('M_FORBIDDEN', refusal.error) : refusal;
}

async function change(
  services: MembershipServices,
  { userId, roomId, action, via }: RoomEntry,
  content: JsonObject,
): Promise<Sent | Refusal> {
  const here = { roomId, sender: userId, target: userId, action, content };
  const changed = await services.rooms.ask('rooms.change-membership', here);
  if (!isRefusal(changed) || !ELSEWHERE.has(changed.errcode)) return changed;
  const name = action === 'join' ? 'remote-rooms.join' : 'remote-rooms.knock';
  const there = { roomId, userId, via, content };
  const entered = await services['remote-rooms'].ask(name, there, { deadlineMs: REMOTE_DEADLINE_MS });
  // Nobody could be asked: what this server has said is the answer.
  const isNobody = isRefusal(entered) && entered.errcode === 'M_NOT_FOUND';
  return isNobody ? toClient(changed) : isRefusal(entered) ? toClient(entered) : entered;
}

/**
 * Joins a room or knocks on it, with the user's name and avatar, through another server where this one is not in it, and waits until this thread
 * has seen it.
 *
 * @returns the body of the answer, or what the owner of rooms or the other servers refused with
 */
export async function enterRoom(
  services: MembershipServices,
  entry: RoomEntry,
): Promise<{ readonly room_id: string } | Refusal> {
  const { userId, roomId, reason } = entry;
  const profile = await profileContent(services.db, services.config.server.name, userId);
  const changed = await change(services, entry, { ...profile, ...reasonContent(reason) });
  if (isRefusal(changed)) return changed;
  await services.streams.reached('events', changed.position);
  return { room_id: roomId };
}
