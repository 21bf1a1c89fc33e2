import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Says how large an upload may be. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v1/media/config',
  spec: 'Client-Server API v1.19, GET /_matrix/client/v1/media/config',
  auth: 'user',
  allows: ['guest'],
  rateLimit: 'media',
  reply: Type.Object({ 'm.upload.size': Type.Integer() }),
  needs: ['config'],
  handle: ({ services }) => Promise.resolve({ 'm.upload.size': services.config.media.maxUploadSize }),
});
