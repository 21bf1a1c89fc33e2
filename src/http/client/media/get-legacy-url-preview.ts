import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { previewQuery, previewUrl } from './preview-url.ts';
import { olderPaths } from './media-paths.ts';

/** Says what a page that somebody has posted says of itself. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/media/v3/preview_url',
  aliases: olderPaths('/preview_url'),
  spec: 'Client-Server API v1.19, GET /_matrix/media/v3/preview_url',
  auth: 'user',
  rateLimit: 'media',
  query: previewQuery,
  reply: Type.Record(Type.String(), Type.Unknown()),
  needs: ['config', 'previews'],
  handle: ({ query, services, acceptLanguage }) => previewUrl(services, query.url, acceptLanguage),
});
