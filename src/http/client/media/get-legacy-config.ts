import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { olderPaths } from './media-paths.ts';

/** Says how large an upload may be. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/media/v3/config',
  aliases: olderPaths('/config'),
  spec: 'Client-Server API v1.19, GET /_matrix/media/v3/config',
  auth: 'user',
  rateLimit: 'media',
  reply: Type.Object({ 'm.upload.size': Type.Integer() }),
  needs: ['config'],
  handle: ({ services }) => Promise.resolve({ 'm.upload.size': services.config.media.maxUploadSize }),
});
