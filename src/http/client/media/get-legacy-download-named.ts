import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { legacyRefusal } from './find-content.ts';
import { downloadQuery, namedMediaParams, olderPaths } from './media-paths.ts';
import { serveContent } from './serve-content.ts';

/** Gives media under another file name, to anybody, where that is allowed. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}',
  aliases: olderPaths('/download/{serverName}/{mediaId}/{fileName}'),
  spec: 'Client-Server API v1.19, GET /_matrix/media/v3/download/{serverName}/{mediaId}/{fileName}',
  auth: 'none',
  rateLimit: 'media',
  params: namedMediaParams,
  query: downloadQuery,
  reply: Type.Unknown(),
  needs: ['clock', 'config', 'db', 'media', 'random', 'remoteMedia'],
  handle({ params, query, services, aborted }) {
    const refused = legacyRefusal(services);
    if (refused !== null) return Promise.resolve(refused);
    const { serverName, mediaId } = params;
    const wish = {
      serverName,
      mediaId,
      timeoutMs: query.timeout_ms,
      allowsRemote: query.allow_remote ?? true,
      aborted,
    };
    return serveContent(services, wish, params.fileName, true);
  },
});
