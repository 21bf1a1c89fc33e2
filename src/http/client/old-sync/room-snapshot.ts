import { isDeleted, readAccountDataChanges } from '../../../../db/account-data/reader.ts';
import { findRoom } from '../../../../db/rooms/room-reader.ts';
import { readCurrentState } from '../../../../db/rooms/state-reader.ts';
import { findTopologicalPlace, ROOM_END, ROOM_START } from '../../../../db/rooms/timeline-reader.ts';
import { emptySyncFilter } from '../../../matrix/sync-filter-parse.ts';
import { eventText, findClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { formatPlace } from '../../../sync/page-token.ts';
import { readStateAtPosition } from '../../../sync/room-state.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { historyTexts, readHistory, readViewer } from '../rooms/history.ts';
import type { RoomAccess } from '../rooms/room-access.ts';

/** Messages of one room. */
export const SNAPSHOT_MESSAGES_MAX = 100;
export const SNAPSHOT_MESSAGES_DEFAULT = 10;

const EVERYTHING = emptySyncFilter().room.timeline;

async function messagesText(
  services: ReadServices,
  caller: SyncCaller,
  access: RoomAccess,
  limit: number,
): Promise<string> {
  const { roomId } = access.standing;
  const to = access.to ?? services.streams.currentToken('events');
  const from = (await findTopologicalPlace(services.db, roomId, to)) ?? ROOM_END;
  const history = await readHistory(services, {
    standing: access.standing,
    direction: 'backward',
    from,
    until: ROOM_START,
    limit,
    filter: EVERYTHING,
  });
  const viewer = await readViewer(services, caller, access.standing);
  const texts = await historyTexts(services, viewer, history.items);
  return objectText([
    ['chunk', listText(texts.toReversed())],
    ['start', history.next === null ? null : JSON.stringify(formatPlace(history.next))],
    ['end', JSON.stringify(formatPlace(from))],
  ]);
}

async function stateText(services: ReadServices, caller: SyncCaller, access: RoomAccess): Promise<string> {
  const { roomId } = access.standing;
  const entries =
    access.stateAt === null
      ? await readCurrentState(services.db, roomId)
      : await readStateAtPosition(services, roomId, access.stateAt);
  const texts: string[] = [];
  for (const { eventId } of entries) {
    const event = await findClientEvent(services, eventId);
    // The room may be deleted meanwhile.
    if (event !== undefined) texts.push(await eventText(services, caller, event, { includeRoomId: true }));
  }
  return listText(texts);
}

/** The account data of a user: global, and by room id; texts of events. */
export async function readAccountDataTexts(
  services: ReadServices,
  userId: string,
): Promise<ReadonlyMap<string | null, readonly string[]>> {
  const rows = await readAccountDataChanges(services.db, userId, 0, Number.MAX_SAFE_INTEGER);
  const texts = new Map<string | null, string[]>();
  for (const row of rows.filter((each) => !isDeleted(each))) {
    const text = `{"type":${JSON.stringify(row.type)},"content":${row.content}}`;
    texts.set(row.roomId, [...(texts.get(row.roomId) ?? []), text]);
  }
  return texts;
}

/**
 * A room as it is: its state, its last events and the user's account data of it.
 * Client-Server API v1.19, `GET /rooms/{roomId}/initialSync`, `RoomInfo`.
 *
 * @param membership null for who only looks in from outside
 */
export async function roomSnapshotText(
  services: ReadServices,
  caller: SyncCaller,
  room: {
    readonly access: RoomAccess;
    readonly membership: string | null;
    readonly accountData: readonly string[];
    readonly limit: number;
  },
): Promise<string> {
  const { roomId } = room.access.standing;
  const record = await findRoom(services.db, roomId);
  return objectText([
    ['room_id', JSON.stringify(roomId)],
    ['membership', room.membership === null ? null : JSON.stringify(room.membership)],
    ['messages', await messagesText(services, caller, room.access, room.limit)],
    ['state', await stateText(services, caller, room.access)],
    ['visibility', JSON.stringify(record?.isPublic === true ? 'public' : 'private')],
    ['account_data', listText(room.accountData)],
  ]);
}
