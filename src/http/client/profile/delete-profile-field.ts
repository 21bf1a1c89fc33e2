import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { seeOwnEffects } from '../../kit/own-effects.ts';
import { checkFieldName, PROPAGATION, staysOutOfRooms } from './profile-values.ts';

/** Deletes one field of the caller's profile. One that is not there is as good as deleted. */
export const endpoint = defineEndpoint({
  method: 'DELETE',
  path: '/_matrix/client/v3/profile/{userId}/{keyName}',
  aliases: ['/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}'],
  spec: 'Client-Server API v1.19, DELETE /_matrix/client/v3/profile/{userId}/{keyName}',
  auth: 'user',
  rateLimit: 'ephemeral',
  params: Type.Object({ userId: Type.String(), keyName: Type.String() }),
  query: PROPAGATION,
  reply: Type.Object({}),
  needs: ['accounts', 'streams'],
  async handle({ caller, params, query, services }) {
    const { userId, keyName: field } = params;
    if (userId !== caller.userId) return refuse('M_FORBIDDEN', 'This is not your profile.');
    const problem = checkFieldName(field);
    if (problem !== undefined) return problem;
    const changed = await services.accounts.ask('accounts.set-profile-field', {
      userId,
      field,
      valueJson: null,
      staysOutOfRooms: staysOutOfRooms(query),
    });
    if (isRefusal(changed)) return changed;
    await seeOwnEffects(services.streams, changed.marks);
    return {};
  },
});
