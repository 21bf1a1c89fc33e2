import { Type } from 'typebox';
import { findFilter } from '../../../../db/account-data/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint, JsonText } from '../../kit/endpoint.ts';

/** A filter that the caller has stored. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/user/{userId}/filter/{filterId}',
  aliases: ['/_matrix/client/r0/user/{userId}/filter/{filterId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/user/{userId}/filter/{filterId}',
  auth: 'user',
  rateLimit: null,
  params: Type.Object({ userId: Type.String(), filterId: Type.String() }),
  reply: Type.Record(Type.String(), Type.Unknown()),
  needs: ['db'],
  async handle({ params, caller, services }) {
    if (params.userId !== caller.userId) return refuse('M_FORBIDDEN', 'You can read your own filters only.');
    const filterId = Number(params.filterId);
    const text = Number.isSafeInteger(filterId)
      ? await findFilter(services.db, caller.userId, filterId)
      : undefined;
    if (text === undefined) return refuse('M_NOT_FOUND', 'You have not stored a filter with this id.');
    return new JsonText(text);
  },
});
