import type { ReadDb } from '../../db/kit/read-db.ts';
import { findAccountData } from '../../db/account-data/reader.ts';
import type { AccountDataRow } from '../../db/account-data/stream-reader.ts';
import { storeAccountData } from '../../db/account-data/writer.ts';
import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import type { AccountDataProtocol } from './protocol.ts';

type CopyRoom = InputOf<AccountDataProtocol, 'account-data.copy-room'>;

/** An account data event that is to be stored. */
interface CopiedData {
  /** Null for global account data. */
  readonly roomId: string | null;
  readonly type: string;
  /** JSON text. */
  readonly content: string;
}

async function findContent(
  db: ReadDb,
  userId: string,
  roomId: string | null,
  type: string,
): Promise<JsonObject | undefined> {
  const stored = await findAccountData(db, userId, roomId, type);
  const content: unknown = stored === undefined ? undefined : JSON.parse(stored.content);
  return isJsonObject(content) ? content : undefined;
}

/** The rooms of `m.direct` with the new room after the old one; undefined where nothing changes. */
function withRoomAdded(direct: JsonObject, fromRoomId: string, toRoomId: string): JsonObject | undefined {
  let isChanged = false;
  const entries = Object.entries(direct).map(([userId, rooms]): [string, Json] => {
    if (!Array.isArray(rooms) || !rooms.includes(fromRoomId) || rooms.includes(toRoomId))
      return [userId, rooms];
    isChanged = true;
    return [userId, [...(rooms as readonly Json[]), toRoomId]];
  });
  return isChanged ? Object.fromEntries(entries) : undefined;
}

/** What a user's account data of one room makes for the room that replaces it; nothing where the user has set it already. */
async function copiesOfRoom(
  db: ReadDb,
  { userId, fromRoomId, toRoomId }: CopyRoom,
): Promise<readonly CopiedData[]> {
  const copies: CopiedData[] = [];
  const tags = await findContent(db, userId, fromRoomId, 'm.tag');
  if (tags !== undefined && (await findAccountData(db, userId, toRoomId, 'm.tag')) === undefined)
    copies.push({ roomId: toRoomId, type: 'm.tag', content: JSON.stringify(tags) });
  const direct = await findContent(db, userId, null, 'm.direct');
  const changed = direct === undefined ? undefined : withRoomAdded(direct, fromRoomId, toRoomId);
  if (changed !== undefined)
    copies.push({ roomId: null, type: 'm.direct', content: JSON.stringify(changed) });
  return copies;
}

/**
 * Copies what a user has said of one room to the room that replaces it, in one write. Where storage cannot be written it is left undone.
 * Client-Server API v1.19, "Room Upgrades", "Server behaviour".
 *
 * @param contentBytesMax of one event: what would be larger is not copied
 */
export async function copyRoom(
  context: Pick<TroupeContext, 'env' | 'log'>,
  owner: DurableStreamOwner<AccountDataRow>,
  input: CopyRoom,
  contentBytesMax: number,
): Promise<void> {
  const { userId } = input;
  const copies = (await copiesOfRoom(context.env.db, input)).filter(
    ({ content }) => Buffer.byteLength(content) <= contentBytesMax,
  );
  if (copies.length === 0) return;
  const outcome = await owner.write({
    count: copies.length,
    steps: copies.flatMap(({ roomId, type, content }, offset) =>
      storeAccountData({ userId, roomId: roomId ?? '', type, content }, offset),
    ),
    rows: () => copies.map(({ roomId, type }) => [{ userId, roomId, type }]),
  });
  if (outcome.kind === 'refused') throw new Error(`account data has no guard, yet ${outcome.refusal}`);
  if (outcome.kind === 'unavailable')
    context.log.warn('account data did not follow to a new room', { userId, fault: outcome.fault });
}
