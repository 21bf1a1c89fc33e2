import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { authDataText, VERSION_BODY } from './backup-values.ts';

/** Makes a new version of the backup: the current one from then on. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/room_keys/version',
  aliases: ['/_matrix/client/unstable/room_keys/version', '/_matrix/client/r0/room_keys/version'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/room_keys/version',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  body: VERSION_BODY,
  reply: Type.Object({ version: Type.String() }),
  needs: ['key-backup'],
  async handle({ body, caller, services }) {
    const authData = authDataText(body);
    if (isRefusal(authData)) return authData;
    const created = await services['key-backup'].ask('key-backup.create-version', {
      userId: caller.userId,
      algorithm: body.algorithm,
      authData,
    });
    return isRefusal(created) ? created : { version: String(created.version) };
  },
});
