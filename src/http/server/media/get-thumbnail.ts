import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { thumbnailQuery } from '../../client/media/media-paths.ts';
import { serveThumbnail } from '../../client/media/serve-thumbnail.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { asPart } from './media-part.ts';

/** Gives a small picture of a picture of this server to another one. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/federation/v1/media/thumbnail/{mediaId}',
  spec: 'Server-Server API v1.19, GET /_matrix/federation/v1/media/thumbnail/{mediaId}',
  auth: 'server',
  rateLimit: null,
  params: Type.Object({ mediaId: Type.String() }),
  query: thumbnailQuery,
  reply: Type.Unknown(),
  needs: ['clock', 'config', 'db', 'media', 'random', 'remoteMedia'],
  async handle({ params, query, services, aborted }) {
    const serverName = services.config.server.name;
    const { mediaId } = params;
    const wish = { serverName, mediaId, timeoutMs: query.timeout_ms, allowsRemote: false, aborted };
    const file = await serveThumbnail(services, wish, query, false);
    return isRefusal(file) ? file : asPart(file, services.random);
  },
});
