import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { rtcTransports } from './rtc-transports.ts';

/** How clients can carry what is said in a call: nothing when this server has nothing to offer. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  aliases: ['/_matrix/client/v1/rtc/transports'],
  spec: 'MSC4143, GET /_matrix/client/v1/rtc/transports',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'reading',
  reply: Type.Object({
    rtc_transports: Type.Array(
      Type.Object({ type: Type.Literal('livekit'), livekit_service_url: Type.String() }),
    ),
  }),
  needs: ['config'],
  handle: ({ services }) => Promise.resolve({ rtc_transports: rtcTransports(services.config) }),
});
