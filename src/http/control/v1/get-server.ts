import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { IMPLEMENTATION } from '../../kit/implementation.ts';

/** Which server takes commands here: its name, and the version that it runs. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_troupe/control/v1/server',
  spec: 'Troupe control v1: which server takes commands here',
  auth: 'admin',
  rateLimit: null,
  reply: Type.Object({ server_name: Type.String(), version: Type.String() }),
  needs: ['config'],
  handle: ({ services }) =>
    Promise.resolve({ server_name: services.config.server.name, version: IMPLEMENTATION.version }),
});
