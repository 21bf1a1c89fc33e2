import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTICE_BODY, sendNotice } from './notice-request.ts';

/** Sends a notice of the server to one of its users. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_synapse/admin/v1/send_server_notice',
  spec: 'Server notices, as common administration tools send them',
  auth: 'admin',
  rateLimit: null,
  body: NOTICE_BODY,
  reply: Type.Object({ event_id: Type.String() }),
  needs: ['config', 'db', 'server-notices', 'streams'],
  handle: ({ body, services }) => sendNotice(services, body, null),
});
