import { readProfile } from '../../../../db/accounts/reader.ts';
import { readJoinedLocalUserIds } from '../../../../db/rooms/membership-reader.ts';
import { readRoomAliases } from '../../../../db/rooms/room-reader.ts';
import type { RoomNotice } from '../../../../actors/rooms/protocol.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { initialEvents } from '../../../matrix/rooms/initial-events.ts';
import { profileContent } from '../../client/membership/member-content.ts';
import type { Services } from '../../kit/services.ts';

type NoticeServices = Pick<Services, 'config' | 'db' | 'rooms'>;

const NAME_DEFAULT = 'Content Violation Notification';
const MESSAGE_DEFAULT =
  'Sharing illegal content on this server is not permitted and rooms in violation will be blocked.';

/** What the room says, and who says it. */
export interface NoticeRequest {
  /** A user of this server. */
  readonly userId: string;
  readonly name: string | undefined;
  readonly message: string | undefined;
  /** The administrator who asks. */
  readonly requestedBy: string;
}

async function makeRoom(services: NoticeServices, request: NoticeRequest): Promise<string | Refusal> {
  const { config, db, rooms } = services;
  const { userId, name = NAME_DEFAULT } = request;
  const creator = { userId, serverName: config.server.name, ...(await readProfile(db, userId)) };
  const body = {
    preset: 'public_chat',
    name,
    // Everybody reads; only its creator writes.
    power_level_content_override: { events_default: 100, users_default: 0 },
  } as const;
  const room = initialEvents(body, creator, config.rooms.defaultVersion);
  if (isRefusal(room)) return room;
  const { version, creationContent, events, alias, isPublic } = room;
  const made = { creator: userId, roomVersion: version.id, creationContent, events, alias, isPublic };
  const created = await rooms.ask('rooms.create-room', made);
  return isRefusal(created) ? created : created.roomId;
}

async function moveAliases(
  services: NoticeServices,
  from: string,
  to: string,
  request: NoticeRequest,
): Promise<readonly string[]> {
  const moved: string[] = [];
  for (const { alias } of await readRoomAliases(services.db, from)) {
    const old = { roomId: from, alias, sender: request.requestedBy, isAdmin: true };
    const deleted = await services.rooms.ask('rooms.delete-alias', old);
    if (isRefusal(deleted)) continue;
    const set = await services.rooms.ask('rooms.set-alias', { roomId: to, alias, sender: request.userId });
    if (!isRefusal(set)) moved.push(alias);
  }
  return moved;
}

/**
 * Makes a room for the local users of one that is going to be deleted: they are in it, its creator says why, and the aliases of this server
 * point at it.
 *
 * @returns refused with M_INVALID_PARAM when its creator is not a user of this server, and when the room cannot be made
 */
export async function makeNoticeRoom(
  services: NoticeServices,
  roomId: string,
  request: NoticeRequest,
): Promise<RoomNotice | Refusal> {
  const { config, db, rooms } = services;
  const { userId, message = MESSAGE_DEFAULT } = request;
  if (!userId.endsWith(`:${config.server.name}`))
    return refuse('M_INVALID_PARAM', `${userId} is not a user of this server`);
  const made = await makeRoom(services, request);
  if (isRefusal(made)) return made;
  for (const member of await readJoinedLocalUserIds(db, roomId)) {
    if (member === userId) continue;
    const content = await profileContent(db, config.server.name, member);
    await rooms.ask('rooms.change-membership', {
      roomId: made,
      sender: member,
      target: member,
      action: 'join',
      content,
    });
  }
  await rooms.ask('rooms.send-event', {
    roomId: made,
    sender: userId,
    event: { type: 'm.room.message', content: { msgtype: 'm.text', body: message } },
    transaction: null,
    originServerTs: null,
  });
  return { roomId: made, aliases: await moveAliases(services, roomId, made, request) };
}
