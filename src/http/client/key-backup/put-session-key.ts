import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { SESSION, STANDING, VERSION_QUERY } from './backup-values.ts';
import { KEYS_BODY_BYTES_MAX, storeKeys } from './store-keys.ts';

/** Stores the key of one session in the current backup. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  aliases: [
    '/_matrix/client/unstable/room_keys/keys/{roomId}/{sessionId}',
    '/_matrix/client/r0/room_keys/keys/{roomId}/{sessionId}',
  ],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  bodyBytesMax: KEYS_BODY_BYTES_MAX,
  params: Type.Object({ roomId: Type.String(), sessionId: Type.String() }),
  query: VERSION_QUERY,
  body: SESSION,
  reply: STANDING,
  needs: ['key-backup'],
  handle: ({ params, query, body, caller, services }) =>
    storeKeys(services['key-backup'], caller.userId, query.version, {
      [params.roomId]: { sessions: { [params.sessionId]: body } },
    }),
});
