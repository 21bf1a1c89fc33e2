import type { ReadDb } from '../../db/kit/read-db.ts';
import type { WriteDb } from '../../db/kit/write-set.ts';
import { readExtremities, readHighestNumbers } from '../../db/rooms/head-reader.ts';
import { findRoom } from '../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import { storeEvent } from '../../db/rooms/writer.ts';
import { buildEvent, type EventReference } from '../../src/matrix/events/build-event.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { referenceHash } from '../../src/matrix/events/hashes.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import { authEventKeys } from '../../src/matrix/rooms/auth-events.ts';
import { getRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { makeServerKey } from '../../src/matrix/signing.ts';

const KEY = makeServerKey(new Uint8Array(32).fill(5), 'theirs');

function referenceOf(version: RoomVersion, eventId: string, pdu: string): EventReference {
  return { eventId, sha256: referenceHash(version, JSON.parse(pdu) as Pdu) ?? '' };
}

/**
 * Stores the member event of a user of another server at the end of a room, as the owner of rooms would, while it is not running.
 *
 * @returns the id of the event
 */
export async function storeRemoteMember(
  stores: { readonly db: ReadDb; readonly write: WriteDb },
  roomId: string,
  userId: string,
  membership = 'join',
): Promise<string> {
  const { db, write } = stores;
  const room = await findRoom(db, roomId);
  if (room === undefined) throw new Error(`there is no room ${roomId}`);
  const version = getRoomVersion(room.roomVersion);
  const [last, another] = await readExtremities(db, room.roomNid);
  if (last === undefined || another !== undefined) throw new Error(`${roomId} does not end in one event`);
  const member = { sender: userId, type: 'm.room.member', content: { membership } };
  const keys = authEventKeys(version, { ...member, state_key: userId });
  const authEvents = await Promise.all(
    keys.map((key) => findCurrentStateEvent(db, roomId, key.type, key.stateKey)),
  );
  const built = buildEvent(
    {
      version,
      roomId,
      ...member,
      stateKey: userId,
      prevEvents: [referenceOf(version, last.eventId, last.pdu)],
      authEvents: authEvents.flatMap((event) =>
        event === undefined ? [] : referenceOf(version, event.eventId, event.pdu),
      ),
      depth: last.depth + 1,
      originServerTs: 1_650_000_000_000 + last.depth,
      ...(version.eventIdFormat === 'server-chosen' && { eventIdLocalpart: `remote${last.depth}` }),
    },
    { serverName: domainOf(userId) ?? '', key: KEY },
  );
  if (isRefusal(built)) throw new Error(built.error);
  const { eventId } = built;
  const stateGroup = (await readHighestNumbers(db)).stateGroup + 1;
  const place = { type: 'm.room.member', stateKey: userId };
  const steps = storeEvent(
    {
      roomNid: room.roomNid,
      eventId,
      depth: last.depth + 1,
      originServerTs: built.pdu.origin_server_ts,
      pdu: built.json,
      state: { ...place, membership },
      stateGroup: {
        kind: 'new',
        stateGroup,
        parent: last.stateGroup,
        changes: [{ ...place, eventId }],
        isCheckpoint: false,
      },
      follows: [last.eventId],
      localMembership: null,
      redacts: null,
      transaction: null,
    },
    0,
  );
  const outcome = await write.write({ owner: 'rooms', advance: { stream: 'events', count: 1 }, steps });
  if (outcome.kind !== 'committed') throw new Error(JSON.stringify(outcome));
  return eventId;
}
