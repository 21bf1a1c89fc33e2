import type { InputOf } from '../../../../actors/kit/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import type { RoomsProtocol } from '../../../../actors/rooms/protocol.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';

/**
 * Changes a membership and waits until this thread has seen it.
 *
 * @returns the empty body of the answer; refused with M_INVALID_PARAM when the target is no user id, or with what the owner of rooms says
 */
export async function changeMembership(
  services: { readonly rooms: ActorRef<RoomsProtocol>; readonly streams: StreamViews },
  change: InputOf<RoomsProtocol, 'rooms.change-membership'>,
): Promise<Readonly<Record<string, never>> | Refusal> {
  if (parseUserId(change.target) === undefined)
    return refuse('M_INVALID_PARAM', 'The field "user_id" is not a user id.');
  const changed = await services.rooms.ask('rooms.change-membership', change);
  if (isRefusal(changed)) return changed;
  await services.streams.reached('events', changed.position);
  return {};
}
