import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { downloadQuery, mediaParams } from './media-paths.ts';
import { serveContent } from './serve-content.ts';

/** Gives media. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/media/download/{serverName}/{mediaId}',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/media/download/{serverName}/{mediaId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'media',
  params: mediaParams,
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
    return serveContent(services, wish, null, false);
  },
});
