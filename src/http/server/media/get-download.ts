import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { serveContent } from '../../client/media/serve-content.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { asPart } from './media-part.ts';

/** Gives media of this server to another one. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/media/download/{mediaId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/media/download/{mediaId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ mediaId: Type.String() }),
  query: Type.Object({ timeout_ms: Type.Optional(Type.Integer({ minimum: 0 })) }),
  reply: Type.Unknown(),
  needs: ['clock', 'config', 'db', 'media', 'random', 'remoteMedia'],
  async handle({ params, query, services, aborted }) {
    const serverName = services.config.server.name;
    const { mediaId } = params;
    const wish = { serverName, mediaId, timeoutMs: query.timeout_ms, allowsRemote: false, aborted };
    const file = await serveContent(services, wish, null, false);
    return isRefusal(file) ? file : asPart(file, services.random);
  },
});
