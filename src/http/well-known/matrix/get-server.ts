import { Type } from 'typebox';
import { refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const HTTPS_PORT = '443';

/**
 * Where other servers find this one: host and port of the public base URL, which serves federation paths too. 404 `M_NOT_FOUND` when
 * `server.public_base_url` is not set or not `https:`, which servers insist on.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/.well-known/matrix/server',
  spec: 'Server-Server API v1.19, "Server discovery"',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ 'm.server': Type.String() }),
  needs: ['config'],
  handle({ services }) {
    const { publicBaseUrl } = services.config.server;
    const url = URL.canParse(publicBaseUrl) ? new URL(publicBaseUrl) : null;
    if (url?.protocol !== 'https:')
      return Promise.resolve(refuse('M_NOT_FOUND', 'This server does not say where servers reach it.'));
    // Without a port servers would try 8448.
    return Promise.resolve({ 'm.server': `${url.hostname}:${url.port === '' ? HTTPS_PORT : url.port}` });
  },
});
