import { setImmediate } from 'node:timers/promises';
import { Type } from 'typebox';
import { splitByServer } from '../../../federation/queries/by-server.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { readLocalKeys } from '../../client/keys/local-keys.ts';
import { ANY_OBJECT } from '../../client/rooms/room-params.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Users of whom another server may ask with one request. */
const USERS_PER_QUERY_MAX = 10_000;

const BY_USER = Type.Record(Type.String(), ANY_OBJECT);

/** The device and cross-signing keys of users of this server; signatures only of their owners, names of devices never. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/federation/v1/user/keys/query',
  spec: 'Server-Server API v1.19, POST /_matrix/federation/v1/user/keys/query',
  auth: 'server',
  rateLimit: null,
  body: Type.Object({ device_keys: Type.Record(Type.String(), Type.Array(Type.String())) }),
  reply: Type.Object({ device_keys: BY_USER, master_keys: BY_USER, self_signing_keys: BY_USER }),
  needs: ['config', 'db'],
  async handle({ body, services }) {
    const { local } = splitByServer(body.device_keys, services.config.server.name);
    if (local.size > USERS_PER_QUERY_MAX)
      return refuse('M_TOO_LARGE', `device_keys: at most ${USERS_PER_QUERY_MAX} users in one request`);
    const wanted = { devices: local, askedBy: '', sharesDeviceNames: false };
    const { user_signing_keys: _, ...keys } = await readLocalKeys(services.db, wanted, () => setImmediate());
    return keys;
  },
});
