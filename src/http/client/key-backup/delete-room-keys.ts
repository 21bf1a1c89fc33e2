import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { deleteKeys, STANDING, VERSION_QUERY } from './backup-values.ts';

/** Deletes the keys of one room from a backup. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/room_keys/keys/{roomId}',
  aliases: ['/_matrix/client/unstable/room_keys/keys/{roomId}', '/_matrix/client/r0/room_keys/keys/{roomId}'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/room_keys/keys/{roomId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  params: Type.Object({ roomId: Type.String() }),
  query: VERSION_QUERY,
  reply: STANDING,
  needs: ['key-backup'],
  handle: ({ params, query, caller, services }) =>
    deleteKeys(services['key-backup'], caller.userId, query.version, {
      roomId: params.roomId,
      sessionId: null,
    }),
});
