import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { legacyRefusal } from './find-content.ts';
import { mediaParams, olderPaths, thumbnailQuery } from './media-paths.ts';
import { serveThumbnail } from './serve-thumbnail.ts';

/** Gives a small picture of a picture, to anybody, where that is allowed. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/media/v3/thumbnail/{serverName}/{mediaId}',
  aliases: olderPaths('/thumbnail/{serverName}/{mediaId}'),
  spec: 'Client-Server API v1.19, GET /_matrix/media/v3/thumbnail/{serverName}/{mediaId}',
  auth: 'none',
  rateLimit: 'media',
  params: mediaParams,
  query: thumbnailQuery,
  reply: Type.Unknown(),
  needs: ['clock', 'config', 'db', 'media', 'random', 'remoteMedia'],
  handle({ params, query, services, aborted }) {
    const refused = legacyRefusal(services);
    if (refused !== null) return Promise.resolve(refused);
    const wish = {
      ...params,
      timeoutMs: query.timeout_ms,
      allowsRemote: query.allow_remote ?? true,
      aborted,
    };
    return serveThumbnail(services, wish, query, true);
  },
});
