import type { ListenAddress } from '../../src/config/config.ts';
import type { Json, JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';

/** A list that the inspector can give of everything that runs. */
export type InspectorSubject = 'actors' | 'streams' | 'caches' | 'threads' | 'limits';

export type InspectorProtocol = {
  /** One list: read from shared memory, so that it is there whatever the other threads do. */
  'inspector.read-list': Ask<{ readonly subject: InspectorSubject }, readonly Json[]>;
  /** What is known of one room. Refused with M_NOT_FOUND. */
  'inspector.read-room': Ask<{ readonly roomId: string }, JsonObject | Refusal>;
  /** Ends the present life of an actor and starts the next. Refused with M_NOT_FOUND. Answers when the next has started. */
  'inspector.restart-actor': Ask<{ readonly name: string }, { readonly restarted: string } | Refusal>;
  /** Where its own listener listens; the port is never 0. */
  'inspector.read-address': Ask<null, ListenAddress>;
};
