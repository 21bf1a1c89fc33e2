import type { ReadDb } from '../../db/kit/read-db.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { readHostsOfRoom } from '../../db/rooms/hosts-reader.ts';
import { readJoinedLocalUserIds } from '../../db/rooms/membership-reader.ts';
import { leaveRoom } from '../../db/rooms/out-of-band-writer.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { Room } from './room-memory.ts';
import type { SettledCommits } from './settled-commits.ts';

/** This server leaves a room with its last local member. */
export interface Departure {
  /** The servers that go on without us: the last event is for them, and their names are known only now. */
  readonly hosts: readonly string[];
}

/** What is needed to find out whether this server leaves. */
export interface DepartureDesk {
  readonly db: ReadDb;
  readonly serverName: string;
  readonly settled: SettledCommits['settled'];
}

/**
 * Finds out whether this server leaves a room when these members do: no other local user has joined it, and users of other servers
 * have. Without those the room stays, so that it can be joined again; a pending invite does not keep the server in.
 *
 * It looks at the database, after all that was staged of the room is decided: the caller stages in the same turn.
 *
 * @param leaving local users whose membership ends now
 * @returns null when the server stays
 */
export async function findDeparture(
  desk: DepartureDesk,
  roomId: string,
  leaving: readonly string[],
): Promise<Departure | null> {
  await desk.settled(roomId);
  const staying = await readJoinedLocalUserIds(desk.db, roomId);
  if (staying.some((userId) => !leaving.includes(userId))) return null;
  const others = await findHostsElsewhere(desk, roomId);
  return others.length === 0 ? null : { hosts: others };
}

/** The other servers that are in a room, as far as is known. */
export async function findHostsElsewhere(
  desk: Pick<DepartureDesk, 'db' | 'serverName'>,
  roomId: string,
): Promise<readonly string[]> {
  const hosts = await readHostsOfRoom(desk.db, roomId);
  return hosts.filter((host) => host !== desk.serverName);
}

/**
 * What the write set of the last local member's leave has at its end, so that the state goes in the same transaction. The caller
 * discards the room after the commit.
 *
 * @param positionOffset the position after those of the events
 */
export function departureOf(
  room: Pick<Room, 'roomNid' | 'roomId'>,
  positionOffset: number,
): { readonly steps: readonly WriteStep[]; readonly row: EventsRow } {
  const { roomNid, roomId } = room;
  return {
    steps: leaveRoom({ roomNid, roomId }, positionOffset),
    row: { kind: 'room', roomId, change: 'left' },
  };
}
