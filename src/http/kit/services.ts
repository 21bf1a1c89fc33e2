import type { ActorProtocols } from '../../../actors/protocols.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import type { Config } from '../../config/config.ts';
import type { FederationClient } from '../../federation/federation-client.ts';
import type { StateAnswers } from '../../federation/history/state-answers.ts';
import type { RemoteMedia } from '../../federation/media/remote-media.ts';
import type { RemoteQueries } from '../../federation/queries/remote-queries.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Random } from '../../kit/random.ts';
import type { Caches } from '../../streams/cache.ts';
import type { StreamViews } from '../../streams/view.ts';

/** Addresses of the actors that endpoints may ask, by actor name. */
export type ActorRefs = {
  readonly [Name in keyof ActorProtocols]: ActorRef<ActorProtocols[Name]>;
};

/** Everything that a handler may name in its `needs`. */
export interface Services extends ActorRefs {
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly db: ReadDb;
  /** Speaks to other servers. */
  readonly federationClient: FederationClient;
  /** Asks other servers what is asked again and again, and remembers it for some minutes. */
  readonly remoteQueries: RemoteQueries;
  /** Answers other servers that ask for states of rooms, within bounds. */
  readonly stateAnswers: StateAnswers;
  /** Brings media of other servers here. */
  readonly remoteMedia: RemoteMedia;
  /** The caches of this thread. */
  readonly cached: Caches;
  readonly streams: StreamViews;
  /** Every endpoint that is served, as `<METHOD> <path>`: for what the server says about itself. Aliases are not listed. */
  readonly served: ReadonlySet<string>;
}
