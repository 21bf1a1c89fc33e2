import { Type } from 'typebox';
import { type Profile, readProfile } from '../../../../db/accounts/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import type { Logger } from '../../../kit/logger.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { isRefusal } from '../../../matrix/refusal.ts';
import {
  type CreateRoomRequest,
  type InitialEvent,
  initialEvents,
} from '../../../matrix/rooms/initial-events.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { type ElsewhereServices, inviteElsewhere } from '../membership/change-elsewhere.ts';
import { refusePublishing } from '../directory/publishing.ts';
import { ANY_OBJECT } from './room-params.ts';

/** Invitations in one request. */
const INVITES_MAX = 100;
/** State events in one request. */
const INITIAL_STATE_MAX = 100;

const PRESETS = Type.Union([
  Type.Literal('private_chat'),
  Type.Literal('public_chat'),
  Type.Literal('trusted_private_chat'),
]);

const STATE_EVENT = Type.Object({
  type: Type.String(),
  state_key: Type.Optional(Type.String()),
  content: ANY_OBJECT,
});

/** Clients show an invite by the profile of who is invited. */
async function readProfiles(
  db: ReadDb,
  serverName: string,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, Profile>> {
  const local = userIds.filter((userId) => isOfServer(userId, serverName));
  return new Map(
    await Promise.all(local.map(async (userId) => [userId, await readProfile(db, userId)] as const)),
  );
}

/**
 * Invites users of other servers into a room that is there already: whether their servers take the invites or not. All at once: one that does
 * not answer keeps the others from nothing.
 */
async function inviteOthers(
  services: ElsewhereServices,
  sender: string,
  roomId: string,
  invites: readonly InitialEvent[],
  log: Logger,
): Promise<void> {
  await Promise.all(
    invites.map(async ({ stateKey: target, content }) => {
      const input = { roomId, sender, target, content };
      const invited = await inviteElsewhere(services, input);
      if (!isRefusal(invited)) return;
      log.info('an invite into a new room was not taken', { roomId, target, reason: invited.error });
    }),
  );
}

/** Makes a room. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/createRoom',
  aliases: ['/_matrix/client/r0/createRoom'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/createRoom',
  auth: 'user',
  rateLimit: 'membership',
  body: Type.Object({
    visibility: Type.Optional(Type.Union([Type.Literal('public'), Type.Literal('private')])),
    room_alias_name: Type.Optional(Type.String()),
    name: Type.Optional(Type.String()),
    topic: Type.Optional(Type.String()),
    invite: Type.Optional(Type.Array(Type.String(), { maxItems: INVITES_MAX })),
    invite_3pid: Type.Optional(Type.Array(ANY_OBJECT)),
    room_version: Type.Optional(Type.String()),
    creation_content: Type.Optional(ANY_OBJECT),
    initial_state: Type.Optional(Type.Array(STATE_EVENT, { maxItems: INITIAL_STATE_MAX })),
    preset: Type.Optional(PRESETS),
    is_direct: Type.Optional(Type.Boolean()),
    power_level_content_override: Type.Optional(ANY_OBJECT),
    'uk.timedout.msc4491.invite_reason': Type.Optional(Type.String()),
  }),
  reply: Type.Object({ room_id: Type.String() }),
  needs: ['config', 'db', 'remote-rooms', 'rooms', 'streams'],
  async handle({ body, caller, services, log }) {
    const { db, config } = services;
    const { userId } = caller;
    const serverName = config.server.name;
    const request = body as CreateRoomRequest;
    const profiles = await readProfiles(db, serverName, request.invite ?? []);
    const { displayname, avatarUrl } = await readProfile(db, userId);
    const creator = {
      userId,
      displayname,
      avatarUrl,
      serverName,
      profileOf: (invited: string) => profiles.get(invited),
    };
    const refused = request.visibility === 'public' ? refusePublishing(config, caller) : undefined;
    if (refused !== undefined) return refused;
    const room = initialEvents(request, creator, config.rooms.defaultVersion);
    if (isRefusal(room)) return room;
    const created = await services.rooms.ask('rooms.create-room', {
      creator: userId,
      roomVersion: room.version.id,
      creationContent: room.creationContent,
      events: room.events,
      alias: room.alias,
      isPublic: room.isPublic,
    });
    if (isRefusal(created)) return created;
    await services.streams.reached('events', created.position);
    await inviteOthers(services, userId, created.roomId, room.remoteInvites, log);
    return { room_id: created.roomId };
  },
});
