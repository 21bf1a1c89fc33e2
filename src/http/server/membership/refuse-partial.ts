import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { isRoomPartial, type WholenessServices } from '../../../sync/room-wholeness.ts';

/**
 * Refuses to help with a membership of a room whose members this server does not know yet: with 404 M_NOT_FOUND, as where it is not in the room, so
 * that the asker turns to another server. MSC3902, "Federation API".
 */
export async function refuseHelpWhilePartial(
  services: WholenessServices,
  roomId: string,
): Promise<Refusal | undefined> {
  if (!(await isRoomPartial(services, roomId))) return undefined;
  return refuse('M_NOT_FOUND', `This server does not know all members of ${roomId} yet: ask another one.`);
}
