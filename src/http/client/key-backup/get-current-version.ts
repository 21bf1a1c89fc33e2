import { findCurrentBackup } from '../../../../db/key-backup/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { backupText, VERSION_REPLY } from './backup-values.ts';

/** The current version of the backup. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/room_keys/version',
  aliases: ['/_matrix/client/unstable/room_keys/version', '/_matrix/client/r0/room_keys/version'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/room_keys/version',
  auth: 'user',
  rateLimit: 'reading',
  reply: VERSION_REPLY,
  needs: ['db'],
  async handle({ caller, services }) {
    const backup = await findCurrentBackup(services.db, caller.userId);
    return backup === undefined ? refuse('M_NOT_FOUND', 'You have no backup.') : backupText(backup);
  },
});
