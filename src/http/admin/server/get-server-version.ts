import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { IMPLEMENTATION } from '../../kit/implementation.ts';

/** The name and version of this implementation in one text: clients put it into bug reports. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_synapse/admin/v1/server_version',
  spec: 'Server administration, as common administration tools use it',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({ server_version: Type.String() }),
  needs: [],
  handle: () => Promise.resolve({ server_version: `${IMPLEMENTATION.name} ${IMPLEMENTATION.version}` }),
});
