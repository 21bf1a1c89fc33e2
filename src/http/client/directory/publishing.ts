import type { Config } from '../../../config/config.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';

/**
 * Says whether somebody may put rooms into the public directory at all; which ones is decided by the room.
 *
 * @returns refused with M_FORBIDDEN when `[rooms] publish_by` leaves that to administrators
 */
export function refusePublishing(config: Config, caller: { readonly isAdmin: boolean }): Refusal | undefined {
  if (config.rooms.publishBy !== 'admins' || caller.isAdmin) return undefined;
  return refuse('M_FORBIDDEN', 'Only administrators of this server put rooms into the public directory.');
}
