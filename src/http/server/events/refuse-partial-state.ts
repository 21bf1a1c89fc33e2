import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { isRoomPartial, type WholenessServices } from '../../../sync/room-wholeness.ts';

/**
 * Refuses to tell states of a room whose members this server does not know yet: they are not what they should be. MSC3895,
 * `M_UNABLE_DUE_TO_PARTIAL_STATE`, under the name that it has until it is accepted.
 */
export async function refusePartialState(
  services: WholenessServices,
  roomId: string,
): Promise<Refusal | undefined> {
  if (!(await isRoomPartial(services, roomId))) return undefined;
  return refuse(
    'ORG.MATRIX.MSC3895_UNABLE_DUE_TO_PARTIAL_STATE',
    `This server does not know the whole state of ${roomId} yet: ask another one.`,
    { status: 403 },
  );
}
