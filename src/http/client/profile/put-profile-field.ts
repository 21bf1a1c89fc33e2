import { Type } from 'typebox';
import { isJsonObject, type Json } from '../../../kit/json.ts';
import { NO_GUESTS } from '../../../matrix/account-refusals.ts';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkFieldName, parseFieldValue, PROPAGATION, staysOutOfRooms } from './profile-values.ts';

/** Sets one field of the caller's profile. Display name and avatar go into the member events of the caller's rooms. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/client/v3/profile/{userId}/{keyName}',
  aliases: [
    '/_matrix/client/r0/profile/{userId}/{keyName}',
    '/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}',
  ],
  spec: 'Client-Server API v1.19, PUT /_matrix/client/v3/profile/{userId}/{keyName}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String(), keyName: Type.String() }),
  query: PROPAGATION,
  body: Type.Record(Type.String(), Type.Unknown()),
  reply: Type.Object({}),
  needs: ['accounts', 'streams'],
  async handle({ body, caller, params, query, services }) {
    const { userId, keyName: field } = params;
    if (userId !== caller.userId) return refuse('M_FORBIDDEN', 'This is not your profile.');
    // The one field that the specification lets guests set.
    if (caller.isGuest && field !== 'displayname') return NO_GUESTS;
    const problem = checkFieldName(field);
    if (problem !== undefined) return problem;
    if (!isJsonObject(body) || !Object.hasOwn(body, field)) {
      return refuse('M_MISSING_PARAM', `The field "${field}" is missing.`);
    }
    const parsed = parseFieldValue(field, body[field] as Json);
    if (isRefusal(parsed)) return parsed;
    const { valueJson } = parsed;
    const changed = await services.accounts.ask('accounts.set-profile-field', {
      userId,
      field,
      valueJson,
      staysOutOfRooms: staysOutOfRooms(query),
    });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return {};
  },
});
