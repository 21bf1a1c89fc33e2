import type { ReadDb } from '../db/kit/read-db.ts';
import type { Config } from '../src/config/config.ts';
import type { SharedReachability } from '../src/federation/client/reachability.ts';
import type { FederationClient } from '../src/federation/federation-client.ts';
import type { ServerKey } from '../src/matrix/signing.ts';
import type { ThreadCaches } from '../src/streams/cache.ts';
import type { ThreadViews } from '../src/streams/view.ts';
import type { ActorContext, ActorDefinition } from './kit/actor.ts';
import type { Protocol } from './kit/protocol.ts';
import type { ActorMap } from './protocols.ts';

/** What every thread offers to its actors. */
export interface Environment {
  readonly config: Config;
  /** Read-only connections of this thread. */
  readonly db: ReadDb;
  /** The streams and caches of this thread; absent on threads without a `views@…` actor. */
  readonly streams: ThreadViews | null;
  readonly caches: ThreadCaches | null;
  /** The server's signing key. */
  readonly serverKey: ServerKey;
  /** Speaks to other servers. What it is made of is loaded with the first request. */
  readonly federationClient: FederationClient;
  /** Which servers are out of reach; absent where nobody asks any. */
  readonly reachability?: SharedReachability;
}

/** The context of an actor of this program. */
export type TroupeContext = ActorContext<ActorMap, Environment>;

/**
 * Defines an actor of this program.
 *
 * @param definition its name, mailbox, order and how it starts
 */
export function defineActor<P extends Protocol>(
  definition: ActorDefinition<P, ActorMap, Environment>,
): ActorDefinition<P, ActorMap, Environment> {
  return definition;
}
