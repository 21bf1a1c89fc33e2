import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { AskFailed } from '../kit/ref.ts';
import type { InspectorProtocol } from './protocol.ts';

function refuseUnanswered(error: unknown): Refusal {
  if (!(error instanceof AskFailed)) throw error;
  return refuse('M_UNKNOWN', `the sender does not answer: ${error.reason}`, { status: 503 });
}

/** Lists other servers for who looks into this one. */
export function readDestinations(
  context: Pick<TroupeContext, 'ref'>,
  page: InputOf<InspectorProtocol, 'inspector.read-destinations'>,
): Promise<OutputOf<InspectorProtocol, 'inspector.read-destinations'>> {
  return context
    .ref('federation-sender')
    .ask('federation-sender.read-destinations', page)
    .then((destinations) => ({ kind: 'destinations' as const, destinations }), refuseUnanswered);
}

/** Tries another server at once. */
export function retryDestination(
  context: Pick<TroupeContext, 'ref'>,
  { destination }: InputOf<InspectorProtocol, 'inspector.retry-destination'>,
): Promise<OutputOf<InspectorProtocol, 'inspector.retry-destination'>> {
  return context
    .ref('federation-sender')
    .ask('federation-sender.retry-now', { destination })
    .then(
      ({ isKnown }) =>
        isKnown
          ? { retried: destination }
          : refuse('M_NOT_FOUND', `nothing waits for ${destination}, and it is not known to fail`),
      refuseUnanswered,
    );
}
