import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findProfileAnywhere } from './find-profile.ts';

/** The whole profile of a user. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/profile/{userId}',
  aliases: [
    '/_matrix/client/r0/profile/{userId}',
    '/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/profile/{userId}',
  auth: 'none',
  rateLimit: null,
  params: Type.Object({ userId: Type.String() }),
  reply: Type.Record(Type.String(), Type.Unknown()),
  needs: ['config', 'db', 'remoteQueries'],
  async handle({ params, services }) {
    const profile = await findProfileAnywhere(services, params.userId);
    return isRefusal(profile) ? profile : Object.fromEntries(profile.fields);
  },
});
