import { Type } from 'typebox';
import { findAccount, readDevices } from '../../../../db/accounts/reader.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const Connection = Type.Object({
  ip: Type.Optional(Type.String()),
  last_seen: Type.Optional(Type.Integer()),
  user_agent: Type.Optional(Type.String()),
});

/** From where a user's devices were last used: for the user, and for administrators. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/admin/whois/{userId}',
  aliases: ['/_matrix/client/r0/admin/whois/{userId}'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/admin/whois/{userId}',
  auth: 'user',
  rateLimit: 'reading',
  params: Type.Object({ userId: Type.String() }),
  reply: Type.Object({
    user_id: Type.String(),
    devices: Type.Record(
      Type.String(),
      Type.Object({ sessions: Type.Array(Type.Object({ connections: Type.Array(Connection) })) }),
    ),
  }),
  needs: ['db'],
  async handle({ params, caller, services }) {
    const { userId } = params;
    if (userId !== caller.userId && !caller.isAdmin)
      return refuse('M_FORBIDDEN', 'Only an administrator of this server may ask about others.');
    if ((await findAccount(services.db, userId)) === undefined)
      return refuse('M_NOT_FOUND', 'There is no such user.');
    const devices = await readDevices(services.db, userId);
    const entries = devices.map(({ deviceId, lastSeenIp, lastSeenTs, lastSeenUserAgent }) => {
      const connection = {
        ...(lastSeenIp === null ? {} : { ip: lastSeenIp }),
        ...(lastSeenTs === null ? {} : { last_seen: lastSeenTs }),
        ...(lastSeenUserAgent === null ? {} : { user_agent: lastSeenUserAgent }),
      };
      const connections = lastSeenTs === null ? [] : [connection];
      return [deviceId, { sessions: [{ connections }] }] as [
        string,
        { sessions: { connections: (typeof connection)[] }[] },
      ];
    });
    return { user_id: userId, devices: Object.fromEntries(entries) };
  },
});
