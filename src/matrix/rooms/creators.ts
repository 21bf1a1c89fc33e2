import type { ProtoPdu } from '../events/pdu.ts';
import type { RoomVersion } from './room-versions.ts';

/**
 * The creators of a room: `content.creator` (1–10), the create event's sender (11), the sender and `additional_creators` (12).
 *
 * @param create an accepted `m.room.create` event
 */
export function creatorsOf(version: RoomVersion, create: ProtoPdu): readonly string[] {
  if (version.creatorInContent) {
    const creator = create.content['creator'];
    return typeof creator === 'string' ? [creator] : [];
  }
  if (!version.creatorsArePrivileged) return [create.sender];
  const additional = create.content['additional_creators'];
  if (!Array.isArray(additional)) return [create.sender];
  return [create.sender, ...additional.filter((userId): userId is string => typeof userId === 'string')];
}
