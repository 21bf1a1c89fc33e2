import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { AskFailed } from '../kit/ref.ts';
import type { InspectorProtocol } from './protocol.ts';

function refuseUnanswered(error: unknown): Refusal {
  if (!(error instanceof AskFailed)) throw error;
  return refuse('M_UNKNOWN', `who fetches the members of rooms does not answer: ${error.reason}`, {
    status: 503,
  });
}

/** Lists the rooms whose members are being fetched, for who looks into this server. */
export function readPartialRooms(
  context: Pick<TroupeContext, 'ref'>,
): Promise<OutputOf<InspectorProtocol, 'inspector.read-partial-rooms'>> {
  return context
    .ref('remote-rooms')
    .ask('remote-rooms.read-partial-rooms', null)
    .then((rooms) => ({ kind: 'rooms' as const, rooms }), refuseUnanswered);
}

/** Fetches the members of a room at once. */
export function retryPartialRoom(
  context: Pick<TroupeContext, 'ref'>,
  { roomId }: InputOf<InspectorProtocol, 'inspector.retry-partial-room'>,
): Promise<OutputOf<InspectorProtocol, 'inspector.retry-partial-room'>> {
  return context
    .ref('remote-rooms')
    .ask('remote-rooms.retry-partial-room', { roomId })
    .then(
      ({ isKnown }) =>
        isKnown
          ? { retried: roomId }
          : refuse(
              'M_NOT_FOUND',
              `no members of ${roomId} are being fetched: it is whole, or not known here`,
            ),
      refuseUnanswered,
    );
}
