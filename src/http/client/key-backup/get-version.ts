import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { backupText, findNamedBackup, VERSION_REPLY } from './backup-values.ts';

/** One version of the backup. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/room_keys/version/{version}',
  aliases: [
    '/_matrix/client/unstable/room_keys/version/{version}',
    '/_matrix/client/r0/room_keys/version/{version}',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/room_keys/version/{version}',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ version: Type.String() }),
  reply: VERSION_REPLY,
  needs: ['db'],
  async handle({ params, caller, services }) {
    const backup = await findNamedBackup(services.db, caller.userId, params.version);
    return isRefusal(backup) ? backup : backupText(backup);
  },
});
