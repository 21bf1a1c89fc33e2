import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { downloadQuery, namedMediaParams } from './media-paths.ts';
import { serveContent } from './serve-content.ts';

/** Gives media under another file name. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'media',
  params: namedMediaParams,
  query: downloadQuery,
  reply: Type.Unknown(),
  needs: ['clock', 'config', 'db', 'media', 'random', 'remoteMedia'],
  handle({ params, query, services, aborted }) {
    const { serverName, mediaId } = params;
    const wish = {
      serverName,
      mediaId,
      timeoutMs: query.timeout_ms,
      allowsRemote: query.allow_remote ?? true,
      aborted,
    };
    return serveContent(services, wish, params.fileName, false);
  },
});
