import type { JsonObject } from '../../kit/json.ts';
import type { RoomVersion } from './room-versions.ts';

/** Values of `preset` of createRoom. */
export type Preset = 'private_chat' | 'public_chat' | 'trusted_private_chat';

/** The level of a room's creator, and of trusted invitees, where levels are not infinite. */
const ADMIN_LEVEL = 100;
const MODERATOR_LEVEL = 50;
/** From room version 12 on an administrator of level 100 cannot close a room that its creator keeps open. */
const CREATOR_ONLY_LEVEL = 150;

/**
 * The power levels of a new room.
 * Client-Server API v1.19, createRoom, step 3: creators of room version 12 are not listed, and `m.room.tombstone` takes more than
 * `state_default`. In private rooms everybody may invite.
 */
export function defaultPowerLevels(
  version: RoomVersion,
  creator: string,
  preset: Preset,
  invites: readonly string[],
): JsonObject {
  const administrators = preset === 'trusted_private_chat' ? [creator, ...invites] : [creator];
  const users = version.creatorsArePrivileged
    ? {}
    : Object.fromEntries(administrators.map((userId) => [userId, ADMIN_LEVEL]));
  return {
    ban: MODERATOR_LEVEL,
    events: {
      'm.room.avatar': MODERATOR_LEVEL,
      'm.room.canonical_alias': MODERATOR_LEVEL,
      'm.room.encryption': ADMIN_LEVEL,
      'm.room.history_visibility': ADMIN_LEVEL,
      'm.room.name': MODERATOR_LEVEL,
      'm.room.power_levels': ADMIN_LEVEL,
      'm.room.server_acl': ADMIN_LEVEL,
      'm.room.tombstone': version.creatorsArePrivileged ? CREATOR_ONLY_LEVEL : ADMIN_LEVEL,
    },
    events_default: 0,
    invite: preset === 'public_chat' ? MODERATOR_LEVEL : 0,
    kick: MODERATOR_LEVEL,
    notifications: { room: MODERATOR_LEVEL },
    redact: MODERATOR_LEVEL,
    state_default: MODERATOR_LEVEL,
    users,
    users_default: 0,
  };
}
