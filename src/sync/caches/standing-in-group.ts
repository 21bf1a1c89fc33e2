import {
  findStandingInGroup,
  readStandingInGroup,
  type StandingInState,
} from '../../../db/rooms/standing-reader.ts';
import { defineCache } from '../../streams/cache.ts';

const STANDINGS_IN_GROUPS_MAX = 50_000;

/** The key of what a state group says about a user. */
export function standingKey(stateGroup: number, userId: string): string {
  return `${stateGroup} ${userId}`;
}

/** History visibility and one user's membership in a state group. A group never changes, and a redaction takes neither away. */
export const standingInGroupCache = defineCache<string, StandingInState>({
  name: 'standing-in-group',
  sizeMax: STANDINGS_IN_GROUPS_MAX,
  load(db, key) {
    const space = key.indexOf(' ');
    return findStandingInGroup(db, Number(key.slice(0, space)), key.slice(space + 1));
  },
  reads: [readStandingInGroup],
  dependsOn: {},
});
