import { Type } from 'typebox';
import { splitByServer } from '../../../federation/queries/by-server.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { claimLocalKeys } from '../../client/keys/claim-local-keys.ts';
import { ANY_OBJECT } from '../../client/rooms/room-params.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Devices of which another server may claim a key with one request. */
const CLAIMS_PER_REQUEST_MAX = 10_000;

/** Hands out one key of each of the named devices to another server. Users of other servers are passed over. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/federation/v1/user/keys/claim',
  spec: 'Server-Server API v1.19, POST /_matrix/federation/v1/user/keys/claim',
  auth: 'server',
  rateLimit: null,
  body: Type.Object({
    one_time_keys: Type.Record(Type.String(), Type.Record(Type.String(), Type.String())),
  }),
  reply: Type.Object({ one_time_keys: Type.Record(Type.String(), Type.Record(Type.String(), ANY_OBJECT)) }),
  needs: ['config', 'keys', 'streams'],
  async handle({ body, services }) {
    const { local } = splitByServer(body.one_time_keys, services.config.server.name);
    const wanted = [...local.values()].reduce((sum, devices) => sum + Object.keys(devices).length, 0);
    if (wanted > CLAIMS_PER_REQUEST_MAX)
      return refuse('M_TOO_LARGE', `one_time_keys: at most ${CLAIMS_PER_REQUEST_MAX} devices in one request`);
    const claimed = await claimLocalKeys(services, local);
    return isRefusal(claimed) ? claimed : { one_time_keys: claimed.keys };
  },
});
