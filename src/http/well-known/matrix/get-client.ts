import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { rtcTransports } from '../../client/rtc/rtc-transports.ts';

/** Where clients find this server, and what else the configuration tells them; 404 `M_NOT_FOUND` when `server.public_base_url` is not set. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/.well-known/matrix/client',
  spec: 'Client-Server API v1.19, "Well-known URIs"',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ 'm.homeserver': Type.Object({ base_url: Type.String() }) }),
  needs: ['config'],
  handle({ services }) {
    const { publicBaseUrl } = services.config.server;
    if (publicBaseUrl === '')
      return Promise.resolve(refuse('M_NOT_FOUND', 'This server does not say where clients reach it.'));
    const { client } = services.config.wellKnown;
    const transports = rtcTransports(services.config);
    return Promise.resolve({
      ...client,
      ...(transports.length > 0 && { 'org.matrix.msc4143.rtc_foci': transports }),
      'm.homeserver': { base_url: publicBaseUrl },
    });
  },
});
