import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { NOTICE_BODY, sendNotice } from './notice-request.ts';

/** Sends a notice of the server to one of its users. The same transaction again to the same user gives the same event. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_synapse/admin/v1/send_server_notice/{txnId}',
  spec: 'Server notices, as common administration tools send them',
  auth: 'admin',
  rateLimit: null,
  params: Type.Object({ txnId: Type.String() }),
  body: NOTICE_BODY,
  reply: Type.Object({ event_id: Type.String() }),
  needs: ['config', 'db', 'server-notices', 'streams'],
  handle({ params, body, caller, services }) {
    // Transactions are the sender's, and all administrators speak as one: the name of the device tells them apart.
    const deviceId = `${caller.userId} ${caller.deviceId}`;
    const path = `/send_server_notice/${body.user_id}`;
    return sendNotice(services, body, { deviceId, path, txnId: params.txnId });
  },
});
