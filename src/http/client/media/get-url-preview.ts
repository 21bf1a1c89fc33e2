import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { previewQuery, previewUrl } from './preview-url.ts';

/** Says what a page that somebody has posted says of itself. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/media/preview_url',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/media/preview_url',
  auth: 'user',
  rateLimit: 'media',
  query: previewQuery,
  reply: Type.Record(Type.String(), Type.Unknown()),
  needs: ['config', 'previews'],
  handle: ({ query, services, acceptLanguage }) => previewUrl(services, query.url, acceptLanguage),
});
