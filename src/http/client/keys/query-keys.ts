import { setImmediate } from 'node:timers/promises';
import { Type } from 'typebox';
import { splitByServer } from '../../../federation/queries/by-server.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { readLocalKeys } from './local-keys.ts';
import { readRemoteKeys, remoteTimeoutMs } from './remote-keys.ts';

/** Users of whom one request may ask for the keys. */
export const USERS_PER_QUERY_MAX = 10_000;

const BY_USER = Type.Record(Type.String(), ANY_OBJECT);

/** The device and cross-signing keys of users. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/keys/query',
  aliases: ['/_matrix/client/r0/keys/query'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/keys/query',
  auth: 'user',
  allows: ['guest', 'suspended'],
  rateLimit: null,
  body: Type.Object({
    device_keys: Type.Record(Type.String(), Type.Array(Type.String())),
    timeout: Type.Optional(Type.Integer()),
  }),
  reply: Type.Object({
    device_keys: BY_USER,
    master_keys: BY_USER,
    self_signing_keys: BY_USER,
    user_signing_keys: BY_USER,
    failures: BY_USER,
  }),
  needs: ['config', 'db', 'remote-devices'],
  async handle({ body, caller, services }) {
    if (Object.keys(body.device_keys).length > USERS_PER_QUERY_MAX)
      return refuse('M_TOO_LARGE', `device_keys: at most ${USERS_PER_QUERY_MAX} users in one request`);
    const { config, db } = services;
    const { local, remote } = splitByServer(body.device_keys, config.server.name);
    const wanted = {
      devices: local,
      askedBy: caller.userId,
      sharesDeviceNames: config.encryption.shareDeviceNames,
    };
    const elsewhere = new Map([...remote.values()].flatMap((users) => [...users]));
    const [here, there] = await Promise.all([
      readLocalKeys(db, wanted, () => setImmediate()),
      readRemoteKeys(services, elsewhere, caller.userId, remoteTimeoutMs(body.timeout)),
    ]);
    return {
      device_keys: { ...here.device_keys, ...there.device_keys },
      master_keys: { ...here.master_keys, ...there.master_keys },
      self_signing_keys: { ...here.self_signing_keys, ...there.self_signing_keys },
      user_signing_keys: here.user_signing_keys,
      failures: there.failures,
    };
  },
});
