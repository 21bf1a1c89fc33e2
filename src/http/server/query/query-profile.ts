import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { findProfile } from '../../client/profile/find-profile.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** The profile of a user of this server, or one field of it: nothing where that is not set. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/query/profile',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/query/profile',
  auth: 'server',
  rateLimit: null,
  query: Type.Object({ user_id: Type.String(), field: Type.Optional(Type.String()) }),
  reply: Type.Record(Type.String(), Type.Unknown()),
  needs: ['config', 'db'],
  async handle({ query, services }) {
    const { name } = services.config.server;
    if (!isOfServer(query.user_id, name)) return refuse('M_NOT_FOUND', 'The user is not one of this server.');
    const profile = await findProfile(services.db, name, query.user_id);
    if (isRefusal(profile)) return profile;
    const { field } = query;
    if (field === undefined) return Object.fromEntries(profile.fields);
    const value = profile.fields.get(field);
    return value === undefined ? {} : { [field]: value };
  },
});
