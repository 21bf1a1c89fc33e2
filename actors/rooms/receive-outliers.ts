import { isRefusal } from '../../src/matrix/refusal.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { RoomsProtocol } from './protocol.ts';
import { reconsiderWaiting } from './reconsider-waiting.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import { type OutliersStored, storeOutliers } from './store-outliers.ts';

type ReceiveOutliers = InputOf<RoomsProtocol, 'rooms.receive-outliers'>;

/**
 * Stores auth chains and states that other servers gave, each event authorised at its auth events, and looks again at what has waited for
 * them. An event that is no event of the room is rejected and not stored.
 */
export async function receiveOutliers(desk: RoomsDesk, input: ReceiveOutliers): Promise<OutliersStored> {
  await desk.settled(input.roomId);
  const stored = await storeOutliers(desk, input);
  if (isRefusal(stored)) return stored;
  const settled = stored.outcomes.filter(({ outcome }) => outcome === 'accepted' || outcome === 'rejected');
  await reconsiderWaiting(
    desk,
    input.roomId,
    settled.map(({ eventId }) => eventId),
  );
  return stored;
}
