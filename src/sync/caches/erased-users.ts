import { readErased } from '../../../db/accounts/queries.ts';
import { findErasedTs } from '../../../db/accounts/reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** How many users a thread remembers to be erased or not. */
export const ERASED_USERS_MAX = 50_000;

/**
 * When a user of this server had their account erased, by user id, in milliseconds since the Unix epoch; null for everybody else. Who had no
 * sight of their events by then is served them without content. Client-Server API v1.19, `POST /_matrix/client/v3/account/deactivate`, `erase`.
 */
export const erasedUserCache = defineCache<string, number | null>({
  name: 'erased-users',
  sizeMax: ERASED_USERS_MAX,
  load: findErasedTs,
  reads: [readErased],
  dependsOn: { account: ({ userId }) => [userId] },
});
