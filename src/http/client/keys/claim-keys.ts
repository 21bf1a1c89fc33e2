import { Type } from 'typebox';
import { splitByServer } from '../../../federation/queries/by-server.ts';
import { claimRemoteKeys } from '../../../federation/queries/claim-remote-keys.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { claimLocalKeys } from './claim-local-keys.ts';
import { remoteTimeoutMs } from './remote-keys.ts';

/** Devices of which one request may claim a key. */
export const CLAIMS_PER_REQUEST_MAX = 10_000;

/** Claims one key of each of the named devices, to begin an encrypted conversation with it. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/keys/claim',
  aliases: ['/_matrix/client/r0/keys/claim'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/keys/claim',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: null,
  body: Type.Object({
    one_time_keys: Type.Record(Type.String(), Type.Record(Type.String(), Type.String())),
    timeout: Type.Optional(Type.Integer()),
  }),
  reply: Type.Object({
    one_time_keys: Type.Record(Type.String(), Type.Record(Type.String(), ANY_OBJECT)),
    failures: Type.Record(Type.String(), ANY_OBJECT),
  }),
  needs: ['config', 'federationClient', 'keys', 'streams'],
  async handle({ body, services }) {
    const { local, remote } = splitByServer(body.one_time_keys, services.config.server.name);
    const wanted = Object.values(body.one_time_keys).reduce(
      (sum, devices) => sum + Object.keys(devices).length,
      0,
    );
    if (wanted > CLAIMS_PER_REQUEST_MAX)
      return refuse('M_TOO_LARGE', `one_time_keys: at most ${CLAIMS_PER_REQUEST_MAX} devices in one request`);
    const [claimed, elsewhere] = await Promise.all([
      claimLocalKeys(services, local),
      claimRemoteKeys(services.federationClient, remote, remoteTimeoutMs(body.timeout)),
    ]);
    // Keys of other servers that were claimed with it are gone; clients begin anew with others.
    if (isRefusal(claimed)) return claimed;
    return {
      one_time_keys: { ...claimed.keys, ...Object.fromEntries(elsewhere.keys) },
      failures: Object.fromEntries(elsewhere.failures),
    };
  },
});
