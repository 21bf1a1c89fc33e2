import type { ActorRef } from '../../../../actors/kit/ref.ts';
import type { RoomsProtocol } from '../../../../actors/rooms/protocol.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Config } from '../../../config/config.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';
import { profileContent, reasonContent } from './member-content.ts';

/** What coming into a room needs. */
export interface MembershipServices {
  readonly config: Config;
  readonly db: ReadDb;
  readonly rooms: ActorRef<RoomsProtocol>;
  readonly streams: StreamViews;
}

/**
 * Joins a room or knocks on it, with the user's name and avatar, and waits until this thread has seen it.
 *
 * @returns the body of the answer, or what the owner of rooms refused with
 */
export async function enterRoom(
  services: MembershipServices,
  userId: string,
  roomId: string,
  action: 'join' | 'knock',
  reason: string | undefined,
): Promise<{ readonly room_id: string } | Refusal> {
  const profile = await profileContent(services.db, services.config.server.name, userId);
  const changed = await services.rooms.ask('rooms.change-membership', {
    roomId,
    sender: userId,
    target: userId,
    action,
    content: { ...profile, ...reasonContent(reason) },
  });
  if (isRefusal(changed)) return changed;
  await services.streams.reached('events', changed.position);
  return { room_id: roomId };
}
