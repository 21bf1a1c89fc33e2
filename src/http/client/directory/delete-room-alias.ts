import { Type } from 'typebox';
import { findAlias } from '../../../../db/rooms/room-reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { parseLocalAlias } from './local-alias.ts';

/** Takes an alias of this server away. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/directory/room/{roomAlias}',
  aliases: ['/_matrix/client/r0/directory/room/{roomAlias}'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/directory/room/{roomAlias}',
  auth: 'user',
  rateLimit: 'membership',
  params: Type.Object({ roomAlias: Type.String() }),
  reply: NOTHING,
  needs: ['config', 'db', 'rooms', 'streams'],
  async handle({ params, caller, services }) {
    const alias = parseLocalAlias(params.roomAlias, services.config.server.name);
    if (isRefusal(alias)) return alias;
    const found = await findAlias(services.db, alias);
    if (found === undefined) return refuse('M_NOT_FOUND', 'No room has this alias.');
    const deleted = await services.rooms.ask('rooms.delete-alias', {
      roomId: found.roomId,
      alias,
      sender: caller.userId,
      isAdmin: caller.isAdmin,
    });
    if (isRefusal(deleted)) return deleted;
    if (deleted.position !== null) await services.streams.reached('events', deleted.position);
    return {};
  },
});
