import { Type } from 'typebox';
import { askServers } from '../../../federation/unreachable-servers.ts';
import type { Claim, HandedOutKey } from '../../../../db/keys/reader.ts';
import type { Json, JsonObject } from '../../../kit/json.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** Devices of which one request may claim a key. */
export const CLAIMS_PER_REQUEST_MAX = 10_000;

function entryOf({ deviceId, algorithm, keyId, key }: Claim & HandedOutKey): [string, JsonObject] {
  return [deviceId, { [`${algorithm}:${keyId}`]: JSON.parse(key) as Json }];
}

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
  needs: ['config', 'keys', 'streams'],
  async handle({ body, services }) {
    const { local, failures } = askServers(body.one_time_keys, services.config.server.name);
    const claims = [...local].flatMap(([userId, byDevice]) =>
      Object.entries(byDevice).map(([deviceId, algorithm]) => ({ userId, deviceId, algorithm })),
    );
    if (claims.length > CLAIMS_PER_REQUEST_MAX)
      return refuse('M_TOO_LARGE', `one_time_keys: at most ${CLAIMS_PER_REQUEST_MAX} devices in one request`);
    const claimed = await services.keys.ask('keys.claim', { claims });
    if (isRefusal(claimed)) return claimed;
    await seeOwnEffects(services.streams, claimed.marks);
    const byUser = Map.groupBy(claimed.keys, ({ userId }) => userId);
    const keys = [...byUser].map(([userId, ofUser]) => [userId, Object.fromEntries(ofUser.map(entryOf))]);
    return { one_time_keys: Object.fromEntries(keys), failures };
  },
});
