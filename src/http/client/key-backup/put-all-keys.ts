import { defineEndpoint } from '../../kit/endpoint.ts';
import { ALL_SESSIONS, STANDING, VERSION_QUERY } from './backup-values.ts';
import { KEYS_BODY_BYTES_MAX, storeKeys } from './store-keys.ts';

/** Stores keys of any rooms in the current backup. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/room_keys/keys',
  aliases: ['/_matrix/client/unstable/room_keys/keys', '/_matrix/client/r0/room_keys/keys'],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/room_keys/keys',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  bodyBytesMax: KEYS_BODY_BYTES_MAX,
  query: VERSION_QUERY,
  body: ALL_SESSIONS,
  reply: STANDING,
  needs: ['key-backup'],
  handle: ({ query, body, caller, services }) =>
    storeKeys(services['key-backup'], caller.userId, query.version, body.rooms),
});
