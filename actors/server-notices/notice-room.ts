import { readProfile } from '../../db/accounts/reader.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import { initialEvents } from '../../src/matrix/rooms/initial-events.ts';
import type { TroupeContext } from '../environment.ts';
import type { Sent } from '../rooms/protocol.ts';

/** How clients know the room. Client-Server API v1.19, "Server Notices". */
const NOTICE_TAG = 'm.server_notice';
/** Below what sending takes: the user listens. */
const LISTENER_LEVEL = -10;

async function tagRoom(context: TroupeContext, userId: string, roomId: string): Promise<Refusal | undefined> {
  const tag = { userId, roomId, tag: NOTICE_TAG, content: {} };
  const tagged = await context.ref('account-data').ask('account-data.set-tag', tag);
  return isRefusal(tagged) ? tagged : undefined;
}

/**
 * Makes the room in which a user finds the notices of the server: the user is invited, cannot say anything there, and nobody of another server
 * ever comes in.
 *
 * @returns its id, or what kept it from being made
 */
export async function makeNoticeRoom(
  context: TroupeContext,
  noticesUserId: string,
  userId: string,
): Promise<string | Refusal> {
  const { db, config } = context.env;
  const { roomName, avatarUrl } = config.serverNotices;
  const profile = await readProfile(db, userId);
  const creator = {
    userId: noticesUserId,
    serverName: config.server.name,
    ...(await readProfile(db, noticesUserId)),
    profileOf: () => profile,
  };
  const state = [
    { type: 'm.room.guest_access', content: { guest_access: 'forbidden' } },
    ...(avatarUrl === '' ? [] : [{ type: 'm.room.avatar', content: { url: avatarUrl } }]),
  ];
  const request = {
    preset: 'private_chat',
    name: roomName,
    invite: [userId],
    creation_content: { 'm.federate': false },
    initial_state: state,
    power_level_content_override: { users_default: LISTENER_LEVEL },
  } as const;
  const room = initialEvents(request, creator, config.rooms.defaultVersion);
  if (isRefusal(room)) return room;
  const { version, creationContent, events, alias, isPublic } = room;
  const created = await context.ref('rooms').ask('rooms.create-room', {
    creator: noticesUserId,
    roomVersion: version.id,
    creationContent,
    events,
    alias,
    isPublic,
  });
  if (isRefusal(created)) return created;
  return (await tagRoom(context, userId, created.roomId)) ?? created.roomId;
}

/** Brings back who has left the room: a notice is for everybody whom it is sent to. */
export async function inviteAgain(
  context: TroupeContext,
  noticesUserId: string,
  userId: string,
  roomId: string,
): Promise<Sent | Refusal> {
  const { displayname, avatarUrl } = await readProfile(context.env.db, userId);
  const invited = await context.ref('rooms').ask('rooms.change-membership', {
    roomId,
    sender: noticesUserId,
    target: userId,
    action: 'invite',
    content: {
      ...(displayname === null ? {} : { displayname }),
      ...(avatarUrl === null ? {} : { avatar_url: avatarUrl }),
    },
  });
  return isRefusal(invited) ? invited : ((await tagRoom(context, userId, roomId)) ?? invited);
}
