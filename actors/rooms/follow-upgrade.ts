import type { ReadDb } from '../../db/kit/read-db.ts';
import { findLocalMembership } from '../../db/rooms/membership-reader.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import { hasJoinedBefore } from '../../db/rooms/upgrade-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isOfServer } from '../../src/matrix/identifiers/domain.ts';
import { predecessorOf } from '../../src/matrix/rooms/upgrade.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { TroupeContext } from '../environment.ts';
import { parseStoredPdu } from './stored-pdu.ts';

/** A join of a local user that was just stored. */
interface Join {
  readonly roomId: string;
  readonly userId: string;
  /** On the events stream. */
  readonly position: number;
}

async function findContent(db: ReadDb, roomId: string, type: string): Promise<JsonObject | undefined> {
  const stored = await findCurrentStateEvent(db, roomId, type, '');
  if (stored === undefined) return undefined;
  return parseStoredPdu(getRoomVersion(stored.roomVersion), stored).content;
}

/** The room that a room replaces: both have to say so, for anybody may call their room somebody else's successor. */
async function findReplacedRoom(db: ReadDb, roomId: string): Promise<string | undefined> {
  const create = await findContent(db, roomId, 'm.room.create');
  const oldRoomId = create === undefined ? undefined : predecessorOf(create);
  if (oldRoomId === undefined) return undefined;
  const tombstone = await findContent(db, oldRoomId, 'm.room.tombstone');
  return tombstone?.['replacement_room'] === roomId ? oldRoomId : undefined;
}

async function followUpgrade(context: TroupeContext, { roomId, userId, position }: Join): Promise<void> {
  const { db } = context.env;
  const oldRoomId = await findReplacedRoom(db, roomId);
  if (oldRoomId === undefined) return;
  const former = await findLocalMembership(db, userId, oldRoomId);
  if (former?.membership !== 'join' && former?.membership !== 'leave') return;
  if (await hasJoinedBefore(db, roomId, userId, position)) return;
  const copy = { userId, fromRoomId: oldRoomId, toRoomId: roomId };
  context.ref('account-data').tell('account-data.copy-room', copy);
  context.ref('push-rules').tell('push-rules.copy-room', copy);
}

/**
 * Lets the settings of local users follow them: whoever joins a room for the first time and was in the one that it replaces finds there
 * the tags and the push rules of the old one. Client-Server API v1.19, "Room Upgrades", "Server behaviour".
 *
 * @param rows that were just stored, in the order of their positions
 */
export function followUpgrades(
  context: TroupeContext,
  rows: readonly (EventsRow | null)[],
  firstPosition: number,
): void {
  const { name } = context.env.config.server;
  for (const [offset, row] of rows.entries()) {
    if (row?.kind !== 'event' || row.type !== 'm.room.member' || row.membership !== 'join') continue;
    const { roomId, stateKey: userId } = row;
    if (userId === null || !isOfServer(userId, name)) continue;
    followUpgrade(context, { roomId, userId, position: firstPosition + offset }).catch((error: unknown) =>
      context.crash(error),
    );
  }
}
