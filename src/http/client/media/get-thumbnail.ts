import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { mediaParams, thumbnailQuery } from './media-paths.ts';
import { serveThumbnail } from './serve-thumbnail.ts';

/** Gives a small picture of a picture. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'media',
  params: mediaParams,
  query: thumbnailQuery,
  reply: Type.Unknown(),
  needs: ['clock', 'config', 'db', 'media', 'random', 'remoteMedia'],
  handle({ params, query, services, aborted }) {
    const wish = {
      ...params,
      timeoutMs: query.timeout_ms,
      allowsRemote: query.allow_remote ?? true,
      aborted,
    };
    return serveThumbnail(services, wish, query, false);
  },
});
