import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTHING } from '../rooms/room-params.ts';
import { authDataText, parseVersion, UNKNOWN_VERSION, VERSION_BODY } from './backup-values.ts';

/** Replaces the `auth_data` of a version of the backup. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/room_keys/version/{version}',
  aliases: [
    '/_matrix/client/unstable/room_keys/version/{version}',
    '/_matrix/client/r0/room_keys/version/{version}',
  ],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/room_keys/version/{version}',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: 'message',
  params: Type.Object({ version: Type.String() }),
  body: VERSION_BODY,
  reply: NOTHING,
  needs: ['key-backup'],
  async handle({ params, body, caller, services }) {
    const version = parseVersion(params.version);
    if (version === undefined) return UNKNOWN_VERSION;
    if (body.version !== undefined && body.version !== params.version)
      return refuse('M_INVALID_PARAM', 'version: the path names another one');
    const authData = authDataText(body);
    if (isRefusal(authData)) return authData;
    const { userId } = caller;
    const { algorithm } = body;
    const updated = await services['key-backup'].ask('key-backup.update-version', {
      userId,
      version,
      algorithm,
      authData,
    });
    return isRefusal(updated) ? updated : {};
  },
});
