import { Type } from 'typebox';
import { makeRoomAlias } from '../../../matrix/identifiers/room-alias.ts';
import { parseRoomId } from '../../../matrix/identifiers/room-id.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { parseLocalAlias } from './local-alias.ts';

/** Points a new alias of this server at a room that the caller is in. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/directory/room/{roomAlias}',
  aliases: ['/_matrix/client/r0/directory/room/{roomAlias}'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/directory/room/{roomAlias}',
  auth: 'user',
  rateLimit: 'membership',
  params: Type.Object({ roomAlias: Type.String() }),
  body: Type.Object({ room_id: Type.String() }),
  reply: NOTHING,
  needs: ['config', 'rooms'],
  async handle({ params, body, caller, services }) {
    const serverName = services.config.server.name;
    const alias = parseLocalAlias(params.roomAlias, serverName);
    if (isRefusal(alias)) return alias;
    // A new alias is held to more than one that is only read.
    if (makeRoomAlias(alias.slice(1, alias.indexOf(':')), serverName) === undefined)
      return refuse('M_INVALID_PARAM', 'The alias begins or ends with white space.');
    if (parseRoomId(body.room_id) === undefined)
      return refuse('M_INVALID_PARAM', 'room_id is not a room id.');
    const set = await services.rooms.ask('rooms.set-alias', {
      roomId: body.room_id,
      alias,
      sender: caller.userId,
    });
    return isRefusal(set) ? set : {};
  },
});
