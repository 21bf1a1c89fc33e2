import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { ALL_SESSIONS, findNamedBackup, VERSION_QUERY } from './backup-values.ts';
import { readKeyTexts } from './read-keys.ts';

/** All keys of a backup. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/room_keys/keys',
  aliases: ['/_matrix/client/unstable/room_keys/keys', '/_matrix/client/r0/room_keys/keys'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/room_keys/keys',
  auth: 'user',
  rateLimit: 'reading',
  query: VERSION_QUERY,
  reply: ALL_SESSIONS,
  needs: ['db'],
  async handle({ query, caller, services }) {
    const backup = await findNamedBackup(services.db, caller.userId, query.version);
    if (isRefusal(backup)) return backup;
    const texts = await readKeyTexts(services.db, backup.backupNid, null);
    const rooms = [...texts].map(
      ([roomId, sessions]) => `${JSON.stringify(roomId)}:{"sessions":{${sessions.join(',')}}}`,
    );
    return new JsonText(`{"rooms":{${rooms.join(',')}}}`);
  },
});
