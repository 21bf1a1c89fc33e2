import { readAccessToken } from '../../../db/accounts/queries.ts';
import { type AccessTokenOwner, findAccessToken } from '../../../db/accounts/reader.ts';
import { defineCache } from '../../streams/cache.ts';

/** How many access tokens a thread remembers. */
export const ACCESS_TOKENS_MAX = 50_000;

/** Who holds which access token, by the token's hash. That a token is unknown is not kept: made-up tokens must not push out real ones. */
export const accessTokenCache = defineCache<string, AccessTokenOwner | null>({
  name: 'access-tokens',
  sizeMax: ACCESS_TOKENS_MAX,
  load: async (db, tokenHash) => (await findAccessToken(db, tokenHash)) ?? null,
  keeps: (owner) => owner !== null,
  reads: [readAccessToken],
  dependsOn: {
    'access-token': (fact) => [fact.tokenHash],
    // The fact names a user and the keys are hashes; an account's own row changes rarely enough to drop everything.
    account: () => 'all',
  },
});
