import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { parseVersion, UNKNOWN_VERSION } from './backup-values.ts';

/** Deletes a version of the backup with its keys. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/room_keys/version/{version}',
  aliases: [
    '/_matrix/client/unstable/room_keys/version/{version}',
    '/_matrix/client/r0/room_keys/version/{version}',
  ],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/room_keys/version/{version}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  params: Type.Object({ version: Type.String() }),
  reply: NOTHING,
  needs: ['key-backup'],
  async handle({ params, caller, services }) {
    const version = parseVersion(params.version);
    if (version === undefined) return UNKNOWN_VERSION;
    const { userId } = caller;
    const deleted = await services['key-backup'].ask('key-backup.delete-version', { userId, version });
    return isRefusal(deleted) ? deleted : {};
  },
});
