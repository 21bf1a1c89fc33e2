import type { DirectoryUser } from '../../db/user-directory/reader.ts';
import { storeUser } from '../../db/user-directory/writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { searchableWords } from '../../src/kit/searchable-text.ts';

/** Words of one user that can be searched for, and how much of each. */
const WORDS_MAX = 64;
const WORD_LENGTH_MAX = 64;
/** Names of other servers' users are as long as those servers let them be. */
const NAME_LENGTH_MAX = 1_000;

/** The steps that show a user, to be found by the words of user id and display name. */
export function entrySteps(user: DirectoryUser): WriteStep[] {
  const displayName = user.displayName?.slice(0, NAME_LENGTH_MAX) ?? null;
  const avatarUrl = user.avatarUrl?.slice(0, NAME_LENGTH_MAX) ?? null;
  const words = searchableWords(`${user.userId} ${displayName ?? ''}`)
    .slice(0, WORDS_MAX)
    .map((word) => word.slice(0, WORD_LENGTH_MAX));
  return storeUser({ userId: user.userId, displayName, avatarUrl }, words);
}
