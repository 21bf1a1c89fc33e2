import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { turnServerFor } from './turn-credentials.ts';

/**
 * What the caller needs to use a TURN server; an empty object where there is none, or none for guests. Guests may ask in any case: clients
 * do at each start.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/voip/turnServer',
  aliases: ['/_matrix/client/r0/voip/turnServer'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/voip/turnServer',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  reply: Type.Object({
    username: Type.Optional(Type.String()),
    password: Type.Optional(Type.String()),
    uris: Type.Optional(Type.Array(Type.String())),
    ttl: Type.Optional(Type.Integer()),
  }),
  needs: ['config', 'clock'],
  handle({ caller, services }) {
    const { voip } = services.config;
    if (caller.isGuest && !voip.allowGuests) return Promise.resolve({});
    const server = turnServerFor(voip, caller.userId, services.clock.now());
    return Promise.resolve(server === undefined ? {} : { ...server, uris: [...server.uris] });
  },
});
