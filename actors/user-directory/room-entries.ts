import type { ReadDb } from '../../db/kit/read-db.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import {
  type DirectoryChange,
  type DirectoryMember,
  findDirectoryMember,
  readMembersAfter,
} from '../../db/user-directory/reader.ts';
import { removePlace, removePlaces, storePlace } from '../../db/user-directory/writer.ts';
import { isJsonObject, type Json } from '../../src/kit/json.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { parseHistoryVisibility } from '../../src/matrix/rooms/visibility.ts';
import { entrySteps } from './directory-entry.ts';

/** Members that are put in with one write. */
const MEMBERS_PER_WRITE = 200;

async function readField(db: ReadDb, roomId: string, type: string, field: string): Promise<Json | undefined> {
  const event = await findCurrentStateEvent(db, roomId, type, '');
  if (event === undefined) return undefined;
  // A redaction leaves these fields.
  const { content } = JSON.parse(event.pdu) as { readonly content?: unknown };
  return isJsonObject(content) ? content[field] : undefined;
}

/** True when everybody may join the room or read in it: who is in it is found by everybody. */
async function isOpen(db: ReadDb, roomId: string): Promise<boolean> {
  if ((await readField(db, roomId, 'm.room.join_rules', 'join_rule')) === 'public') return true;
  const visibility = await readField(db, roomId, 'm.room.history_visibility', 'history_visibility');
  return parseHistoryVisibility(visibility) === 'world_readable';
}

/** Users of this server are shown by their profiles, whatever they are called in a room. */
function memberSteps(
  member: DirectoryMember,
  roomId: string,
  isOpenRoom: boolean,
  ownName: string,
): WriteStep[] {
  const entry = isOfServer(member.userId, ownName) ? [] : entrySteps(member);
  return isOpenRoom ? [...entry, storePlace(member.userId, roomId)] : entry;
}

/** What the directory needs of rooms. */
export interface RoomSource {
  readonly db: ReadDb;
  readonly serverName: string;
  /** Stores what is given; false when the actor has ended meanwhile. */
  write(steps: readonly WriteStep[]): Promise<boolean>;
  /** Shows a user of this server by the profile. */
  profileSteps(userId: string): Promise<WriteStep[]>;
}

/** Puts all who are in a room into the directory, some at a time. */
export async function storeRoom(source: RoomSource, roomId: string): Promise<void> {
  const { db, serverName } = source;
  const isOpenRoom = await isOpen(db, roomId);
  if (!isOpenRoom) await source.write([removePlaces(roomId)]);
  let after = -1;
  for (;;) {
    const members = await readMembersAfter(db, roomId, after, MEMBERS_PER_WRITE);
    const steps = members.flatMap((member) => memberSteps(member, roomId, isOpenRoom, serverName));
    if (steps.length > 0 && !(await source.write(steps))) return;
    const last = members.at(-1);
    if (last === undefined || members.length < MEMBERS_PER_WRITE) return;
    after = last.stateKeyNid;
  }
}

/** What puts a user into the directory as the user stands to a room now. */
async function stepsOfMember(source: RoomSource, roomId: string, userId: string): Promise<WriteStep[]> {
  const { db, serverName } = source;
  const member = await findDirectoryMember(db, roomId, userId);
  if (member === undefined) return [removePlace(userId, roomId)];
  const own = isOfServer(userId, serverName) ? await source.profileSteps(userId) : [];
  return [...own, ...memberSteps(member, roomId, await isOpen(db, roomId), serverName)];
}

/**
 * Puts in what changes may have made different; of many members at once, as when a room becomes whole, with one write. What is written is how things
 * stand now, so that doing it twice does no harm.
 */
export async function applyChanges(source: RoomSource, changes: readonly DirectoryChange[]): Promise<void> {
  let steps: WriteStep[] = [];
  for (const { roomId, type, stateKey } of changes) {
    if (type === 'm.room.member' && stateKey !== null) {
      steps.push(...(await stepsOfMember(source, roomId, stateKey)));
    } else if (type === null || stateKey === '') {
      if (steps.length > 0) await source.write(steps);
      steps = [];
      await storeRoom(source, roomId);
    }
  }
  if (steps.length > 0) await source.write(steps);
}
