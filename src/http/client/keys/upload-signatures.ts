import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';
import { checkSignatures, type SignedObjects } from './check-signatures.ts';
import { findRemoteMasters } from './remote-keys.ts';

/** Signed objects that one request may bring: their verification is work for the thread of the gateway. */
export const SIGNED_OBJECTS_MAX = 500;

/** Publishes signatures that the caller has made of its own keys and of the master keys of others. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/keys/signatures/upload',
  aliases: ['/_matrix/client/unstable/keys/signatures/upload'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/keys/signatures/upload',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: null,
  body: Type.Record(Type.String(), Type.Record(Type.String(), ANY_OBJECT)),
  reply: Type.Object({
    failures: Type.Record(Type.String(), ANY_OBJECT),
  }),
  needs: ['config', 'db', 'keys', 'remote-devices', 'streams'],
  async handle({ body, caller, services }) {
    const objects = body as SignedObjects;
    const count = Object.values(objects).reduce((sum, byKey) => sum + Object.keys(byKey).length, 0);
    if (count > SIGNED_OBJECTS_MAX)
      return refuse('M_TOO_LARGE', `at most ${SIGNED_OBJECTS_MAX} signed objects in one request`);
    const { userId } = caller;
    const masters = await findRemoteMasters(services, Object.keys(objects));
    const { valid: signatures, failures } = await checkSignatures(services.db, userId, objects, masters);
    if (signatures.length > 0) {
      const stored = await services.keys.ask('keys.add-signatures', { userId, signatures });
      if (isRefusal(stored)) return stored;
      await seeOwnEffects(services.streams, stored.marks);
    }
    return { failures };
  },
});
