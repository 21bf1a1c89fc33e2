import { Type } from 'typebox';
import { findAccount } from '../../../../db/accounts/reader.ts';
import { findNewestOutbound } from '../../../../db/device-lists/outbound-reader.ts';
import { findSentDeviceList } from '../../../../db/federation-sender/reader.ts';
import { isOfServer } from '../../../matrix/identifiers/domain.ts';
import { refuse } from '../../../matrix/refusal.ts';
import { readLocalKeys } from '../../client/keys/local-keys.ts';
import { ANY_OBJECT } from '../../client/rooms/room-params.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/**
 * The devices of a user of this server that have keys. `stream_id` is the newest update that the asking server was sent, or is to be
 * sent: all of them are in this answer.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/user/devices/{userId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/user/devices/{userId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ userId: Type.String() }),
  reply: Type.Object({
    user_id: Type.String(),
    stream_id: Type.Integer(),
    devices: Type.Array(ANY_OBJECT),
    master_key: Type.Optional(ANY_OBJECT),
    self_signing_key: Type.Optional(ANY_OBJECT),
  }),
  needs: ['config', 'db'],
  async handle({ params, caller, services }) {
    const { userId } = params;
    const { config, db } = services;
    const account = isOfServer(userId, config.server.name) ? await findAccount(db, userId) : undefined;
    if (account === undefined) return refuse('M_NOT_FOUND', 'There is no such user here.');
    // Before the keys: what is sent in between is in them, and is told again.
    const sentUpTo = await findSentDeviceList(db, caller.serverName, userId);
    const toBeSent = await findNewestOutbound(db, caller.serverName, userId);
    const wanted = { devices: new Map([[userId, []]]), askedBy: '', sharesDeviceNames: false };
    const keys = await readLocalKeys(db, wanted, () => Promise.resolve());
    const [master, selfSigning] = [keys.master_keys[userId], keys.self_signing_keys[userId]];
    return {
      user_id: userId,
      stream_id: Math.max(sentUpTo ?? 0, toBeSent ?? 0),
      devices: Object.entries(keys.device_keys[userId] ?? {}).map(([deviceId, device]) => ({
        device_id: deviceId,
        keys: device,
      })),
      ...(master !== undefined && { master_key: master }),
      ...(selfSigning !== undefined && { self_signing_key: selfSigning }),
    };
  },
});
