import { Type } from 'typebox';
import { type FoundUser, searchDirectory } from '../../../../db/user-directory/reader.ts';
import { searchableWords } from '../../../kit/searchable-text.ts';
import { localpartOf } from '../../../matrix/identifiers/user-id.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const RESULTS_DEFAULT = 10;
/** Users of one answer. */
const RESULTS_MAX = 50;
/** Users that are found, of whom the best are answered. */
const FOUND_MAX = 500;
/** Words of one search; further ones do not count. */
const WORDS_MAX = 10;
const WORD_LENGTH_MAX = 64;
/** The longest text to search for, in UTF-16 units. */
const SEARCH_TERM_LENGTH_MAX = 500;

/** How well a user fits, the best first: who is called just that, who is called about that, and who is only on such a server. */
function rankOf(user: FoundUser, term: string, words: readonly string[]): number {
  if (user.userId.toLowerCase() === term || user.userId.toLowerCase() === `@${term}`) return 0;
  const names = searchableWords(`${localpartOf(user.userId)} ${user.displayName ?? ''}`);
  if (words.every((word) => names.includes(word))) return 1;
  return words.every((word) => names.some((name) => name.startsWith(word))) ? 2 : 3;
}

function compareFound(term: string, words: readonly string[]): (one: FoundUser, other: FoundUser) => number {
  return (one, other) => {
    const rank = rankOf(one, term, words) - rankOf(other, term, words);
    const profile = Number(other.displayName !== null) - Number(one.displayName !== null);
    return rank || profile || (one.userId < other.userId ? -1 : 1);
  };
}

/** Finds users whom the caller shares a room with, who are in rooms that are open to everybody, or where that is configured all of this server. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/user_directory/search',
  aliases: ['/_matrix/client/r0/user_directory/search'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/user_directory/search',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'reading',
  body: Type.Object({
    search_term: Type.String({ maxLength: SEARCH_TERM_LENGTH_MAX }),
    limit: Type.Optional(Type.Integer({ minimum: 0 })),
  }),
  reply: Type.Object({
    results: Type.Array(
      Type.Object({
        user_id: Type.String(),
        display_name: Type.Optional(Type.String()),
        avatar_url: Type.Optional(Type.String()),
      }),
    ),
    limited: Type.Boolean(),
  }),
  needs: ['db', 'config'],
  async handle({ body, caller, services }) {
    const [first, ...others] = searchableWords(body.search_term)
      .slice(0, WORDS_MAX)
      .map((word) => word.slice(0, WORD_LENGTH_MAX));
    if (first === undefined) return { results: [], limited: false };
    const limit = Math.min(body.limit ?? RESULTS_DEFAULT, RESULTS_MAX);
    const { searchAll } = services.config.userDirectory;
    const found = await searchDirectory(services.db, caller.userId, [first, ...others], searchAll, FOUND_MAX);
    const term = body.search_term.trim().toLowerCase();
    const best = found.toSorted(compareFound(term, [first, ...others])).slice(0, limit);
    return {
      results: best.map(({ userId, displayName, avatarUrl }) => ({
        user_id: userId,
        ...(displayName !== null && { display_name: displayName }),
        ...(avatarUrl !== null && { avatar_url: avatarUrl }),
      })),
      limited: found.length > best.length,
    };
  },
});
