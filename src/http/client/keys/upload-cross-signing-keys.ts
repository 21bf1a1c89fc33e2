import { Type } from 'typebox';
import type { UploadedCrossSigningKey } from '../../../../actors/keys/protocol.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { parseCrossSigningKey } from '../../../matrix/keys/cross-signing-keys.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { AuthData, authenticateInteractively, PASSWORD_FLOWS } from '../../kit/user-interactive-auth.ts';
import { ANY_OBJECT, NOTHING } from '../rooms/room-params.ts';

const FIELDS = [
  { field: 'master_key', usage: 'master' },
  { field: 'self_signing_key', usage: 'self_signing' },
  { field: 'user_signing_key', usage: 'user_signing' },
] as const;

type Fields = { readonly [Field in (typeof FIELDS)[number]['field']]?: unknown };

function parseKeys(body: Fields, userId: string): readonly UploadedCrossSigningKey[] | Refusal {
  const keys: UploadedCrossSigningKey[] = [];
  for (const { field, usage } of FIELDS) {
    const given = body[field];
    if (given === undefined) continue;
    const key = parseCrossSigningKey(given as JsonObject, userId, usage);
    if (isRefusal(key)) return key;
    keys.push({ usage, publicKey: key.publicKey, key: key.text });
  }
  return keys;
}

/**
 * Publishes the caller's cross-signing keys. The first keys of a user, and those that are there already, need no authentication. A request
 * without keys is how clients find out by which means they would have to authenticate.
 */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/client/v3/keys/device_signing/upload',
  aliases: ['/_matrix/client/unstable/keys/device_signing/upload'],
  spec: 'Client-Server API v1.19, POST /_matrix/client/v3/keys/device_signing/upload',
  auth: 'user',
  allows: ['suspended'],
  rateLimit: null,
  body: Type.Object({
    auth: Type.Optional(AuthData),
    master_key: Type.Optional(ANY_OBJECT),
    self_signing_key: Type.Optional(ANY_OBJECT),
    user_signing_key: Type.Optional(ANY_OBJECT),
  }),
  reply: NOTHING,
  needs: ['accounts', 'config', 'db', 'keys', 'pool', 'streams'],
  async handle({ body, caller, services }) {
    const { userId } = caller;
    const keys = parseKeys(body, userId);
    if (isRefusal(keys)) return keys;
    const store = (isAuthorized: boolean) =>
      services.keys.ask('keys.store-cross-signing', { userId, keys, isAuthorized });
    const first = keys.length === 0 ? ({ kind: 'not-authorized' } as const) : await store(false);
    if (isRefusal(first)) return first;
    if (first.kind === 'stored') {
      await seeOwnEffects(services.streams, first.marks);
      return {};
    }
    const auth = await authenticateInteractively(services, {
      endpoint: 'POST /_matrix/client/v3/keys/device_signing/upload',
      userId,
      body,
      flows: PASSWORD_FLOWS,
    });
    if (auth.kind !== 'passed') return auth;
    if (keys.length === 0) return {};
    const stored = await store(true);
    if (isRefusal(stored)) return stored;
    if (stored.kind === 'not-authorized') throw new Error('keys asks for what it has been given');
    await seeOwnEffects(services.streams, stored.marks);
    return {};
  },
});
