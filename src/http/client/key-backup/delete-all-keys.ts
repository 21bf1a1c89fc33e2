import { defineEndpoint } from '../../kit/endpoint.ts';
import { deleteKeys, STANDING, VERSION_QUERY } from './backup-values.ts';

/** Deletes all keys of a backup. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/room_keys/keys',
  aliases: ['/_matrix/client/unstable/room_keys/keys', '/_matrix/client/r0/room_keys/keys'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/room_keys/keys',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  query: VERSION_QUERY,
  reply: STANDING,
  needs: ['key-backup'],
  handle: ({ query, caller, services }) =>
    deleteKeys(services['key-backup'], caller.userId, query.version, { roomId: null, sessionId: null }),
});
