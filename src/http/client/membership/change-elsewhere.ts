import type { InputOf } from '../../../../actors/kit/protocol.ts';
import type { RemoteRoomsProtocol } from '../../../../actors/remote-rooms/protocol.ts';
import type { Sent } from '../../../../actors/rooms/protocol.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { findCurrentStateEvent } from '../../../../db/rooms/state-reader.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { parseUserId } from '../../../matrix/identifiers/user-id.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';
import { REMOTE_DEADLINE_MS } from './remote-deadline.ts';

/** True when this server is in a room: it knows its state. */
export async function isInRoom(db: ReadDb, roomId: string): Promise<boolean> {
  return (await findCurrentStateEvent(db, roomId, 'm.room.create', '')) !== undefined;
}

/** True for a user id of another server: false for what is none. */
export function isOfOtherServer(userId: string, serverName: string): boolean {
  return parseUserId(userId) !== undefined && !isOfServer(userId, serverName);
}

/** What asking another server needs. */
export type ElsewhereServices = Pick<Services, 'remote-rooms' | 'streams'>;

const PATIENTLY = { deadlineMs: REMOTE_DEADLINE_MS };

async function whenSeen(
  { streams }: ElsewhereServices,
  changing: Promise<Sent | Refusal>,
): Promise<Readonly<Record<string, never>> | Refusal> {
  const changed = await changing;
  if (isRefusal(changed)) return changed;
  await streams.reached('events', changed.position);
  return {};
}

/**
 * Invites a user of another server, which signs the invite, and waits until this thread has seen it.
 *
 * @returns the empty body of the answer, or what the other server or the owner of rooms refused with
 */
export function inviteElsewhere(
  services: ElsewhereServices,
  invite: InputOf<RemoteRoomsProtocol, 'remote-rooms.invite'>,
): Promise<Readonly<Record<string, never>> | Refusal> {
  return whenSeen(services, services['remote-rooms'].ask('remote-rooms.invite', invite, PATIENTLY));
}

/** Rejects an invite, or takes a knock back, with the help of another server; as {@link inviteElsewhere}. */
export function leaveElsewhere(
  services: ElsewhereServices,
  leave: InputOf<RemoteRoomsProtocol, 'remote-rooms.leave'>,
): Promise<Readonly<Record<string, never>> | Refusal> {
  return whenSeen(services, services['remote-rooms'].ask('remote-rooms.leave', leave, PATIENTLY));
}
