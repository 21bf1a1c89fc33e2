import { Type } from 'typebox';
import { readPushers } from '../../../../db/push/pusher-reader.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { toClientPusher } from './pusher-form.ts';

/** The caller's pushers. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/pushers',
  aliases: ['/_matrix/client/r0/pushers'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/pushers',
  auth: 'user',
  rateLimit: null,
  reply: Type.Object({ pushers: Type.Array(Type.Unknown()) }),
  needs: ['db'],
  async handle({ caller, services }) {
    return { pushers: (await readPushers(services.db, caller.userId)).map(toClientPusher) };
  },
});
