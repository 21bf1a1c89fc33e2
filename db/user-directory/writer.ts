import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';
import type { DirectoryProgress, DirectoryUser } from './reader.ts';

type OfUser = { readonly userId: string };
type OfRoom = { readonly roomId: string };

const DIRECTORY_NID = '(SELECT directory_nid FROM directory_users WHERE user_id = :userId)';

export const replaceUser = defineQuery<DirectoryUser>({
  name: 'user-directory.replace-user',
  sql: `
    INSERT INTO directory_users (user_id, display_name, avatar_url) VALUES (:userId, :displayName, :avatarUrl)
    ON CONFLICT (user_id) DO UPDATE SET display_name = excluded.display_name, avatar_url = excluded.avatar_url`,
});

export const deleteWords = defineQuery<OfUser>({
  name: 'user-directory.delete-words',
  sql: `DELETE FROM directory_words WHERE directory_nid = ${DIRECTORY_NID}`,
});

export const insertWords = defineQuery<OfUser & { readonly words: string }>({
  name: 'user-directory.insert-words',
  sql: `
    INSERT OR IGNORE INTO directory_words (word, directory_nid)
    SELECT spoken.value, ${DIRECTORY_NID} FROM json_each(:words) spoken`,
  scans: ['spoken'],
});

export const insertPlace = defineQuery<OfUser & OfRoom>({
  name: 'user-directory.insert-place',
  sql: `
    INSERT OR IGNORE INTO directory_places (directory_nid, room_id)
    SELECT directory_nid, :roomId FROM directory_users WHERE user_id = :userId`,
});

export const deletePlace = defineQuery<OfUser & OfRoom>({
  name: 'user-directory.delete-place',
  sql: `DELETE FROM directory_places WHERE directory_nid = ${DIRECTORY_NID} AND room_id = :roomId`,
});

export const deletePlacesOfRoom = defineQuery<OfRoom>({
  name: 'user-directory.delete-places-of-room',
  sql: 'DELETE FROM directory_places WHERE room_id = :roomId',
});

export const replaceProgress = defineQuery<DirectoryProgress>({
  name: 'user-directory.replace-progress',
  sql: `
    INSERT INTO directory_progress (only_row, events_up_to, rebuilt_up_to) VALUES (1, :eventsUpTo, :rebuiltUpTo)
    ON CONFLICT (only_row) DO UPDATE SET events_up_to = excluded.events_up_to, rebuilt_up_to = excluded.rebuilt_up_to`,
});

export const deleteAllPlaces = defineQuery({
  name: 'user-directory.delete-all-places',
  sql: 'DELETE FROM directory_places',
  // It is built anew.
  scans: ['directory_places'],
});

/** The steps that show a user as they are now. */
export function storeUser(user: DirectoryUser, words: readonly string[]): WriteStep[] {
  const { userId, displayName, avatarUrl } = user;
  return [
    step(replaceUser, { userId, displayName, avatarUrl }),
    step(deleteWords, { userId }),
    step(insertWords, { userId, words: JSON.stringify(words) }),
  ];
}

/** The step that says that a user who is in the directory is in a room that is open to everybody. */
export function storePlace(userId: string, roomId: string): WriteStep {
  return step(insertPlace, { userId, roomId });
}

/** The step that says that a user is not in a room any more that is open to everybody. */
export function removePlace(userId: string, roomId: string): WriteStep {
  return step(deletePlace, { userId, roomId });
}

/** The step that says that a room is not open to everybody any more. */
export function removePlaces(roomId: string): WriteStep {
  return step(deletePlacesOfRoom, { roomId });
}

/** The step that remembers how far the directory is. */
export function storeProgress(progress: DirectoryProgress): WriteStep {
  return step(replaceProgress, progress);
}

/** The steps that begin to build the directory anew: nobody is found through a room until that is looked at again. */
export function beginRebuild(eventsUpTo: number): WriteStep[] {
  return [step(deleteAllPlaces, {}), storeProgress({ eventsUpTo, rebuiltUpTo: 0 })];
}
