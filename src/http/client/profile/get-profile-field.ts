import { Type } from 'typebox';
import { isRefusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { findProfileAnywhere } from './find-profile.ts';

/** The fields that every profile has had since before there were others: one that is not set is an empty answer, not a 404. */
const OLD_FIELDS: readonly string[] = ['displayname', 'avatar_url'];

/** One field of a user's profile. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/profile/{userId}/{keyName}',
  aliases: [
    '/_matrix/client/r0/profile/{userId}/{keyName}',
    '/_matrix/client/unstable/uk.tcpip.msc4133/profile/{userId}/{keyName}',
  ],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/profile/{userId}/{keyName}',
  auth: 'none',
  rateLimit: null,
  params: Type.Object({ userId: Type.String(), keyName: Type.String() }),
  reply: Type.Record(Type.String(), Type.Unknown()),
  needs: ['config', 'db', 'remoteQueries'],
  async handle({ params, services }) {
    const { userId, keyName } = params;
    const profile = await findProfileAnywhere(services, userId);
    if (isRefusal(profile)) return profile;
    const value = profile.fields.get(keyName);
    if (value !== undefined) return { [keyName]: value };
    return OLD_FIELDS.includes(keyName) ? {} : refuse('M_NOT_FOUND', 'The profile has no such field.');
  },
});
