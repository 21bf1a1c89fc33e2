import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findNamedBackup, ROOM_SESSIONS, VERSION_QUERY } from './backup-values.ts';
import { readKeyTexts } from './read-keys.ts';

/** The keys of one room in a backup. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/room_keys/keys/{roomId}',
  aliases: ['/_matrix/client/unstable/room_keys/keys/{roomId}', '/_matrix/client/r0/room_keys/keys/{roomId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/room_keys/keys/{roomId}',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String() }),
  query: VERSION_QUERY,
  reply: ROOM_SESSIONS,
  needs: ['db'],
  async handle({ params, query, caller, services }) {
    const backup = await findNamedBackup(services.db, caller.userId, query.version);
    if (isRefusal(backup)) return backup;
    const texts = await readKeyTexts(services.db, backup.backupNid, params.roomId);
    return new JsonText(`{"sessions":{${(texts.get(params.roomId) ?? []).join(',')}}}`);
  },
});
