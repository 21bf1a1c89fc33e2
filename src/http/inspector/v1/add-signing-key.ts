import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';

/** Makes a key of this server: it is published at once, and signs from the next start on, when the one before it is listed as old. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_troupe/inspector/v1/signing-keys',
  spec: 'Troupe inspector v1: Makes a signing key of this server. It is published at once and signs from the next start on, when the one before it is listed as old.',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ key_id: Type.String({ description: 'ed25519:…' }) }),
  needs: ['inspector'],
  async handle({ services }) {
    const added = await services.inspector.ask('inspector.add-signing-key', null);
    return isRefusal(added) ? added : reply(200, { key_id: added.keyId });
  },
});
