import { Type } from 'typebox';
import { findSession } from '../../../../db/key-backup/reader.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';
import { findNamedBackup, SESSION, sessionText, VERSION_QUERY } from './backup-values.ts';

/** The key of one session in a backup. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  aliases: [
    '/_matrix/client/unstable/room_keys/keys/{roomId}/{sessionId}',
    '/_matrix/client/r0/room_keys/keys/{roomId}/{sessionId}',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/room_keys/keys/{roomId}/{sessionId}',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ roomId: Type.String(), sessionId: Type.String() }),
  query: VERSION_QUERY,
  reply: SESSION,
  needs: ['db'],
  async handle({ params, query, caller, services }) {
    const { db } = services;
    const backup = await findNamedBackup(db, caller.userId, query.version);
    if (isRefusal(backup)) return backup;
    const session = await findSession(db, backup.backupNid, params.roomId, params.sessionId);
    if (session === undefined) return refuse('M_NOT_FOUND', 'The key of this session is not in your backup.');
    return new JsonText(sessionText(session));
  },
});
