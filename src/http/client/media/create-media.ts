import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** Makes an mxc URI for content that is uploaded later. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/media/v1/create',
  spec: 'Client-Server API v1.19, POST /_matrix/media/v1/create',
  auth: 'user',
  rateLimit: 'media',
  reply: Type.Object({ content_uri: Type.String(), unused_expires_at: Type.Integer() }),
  needs: ['config', 'media'],
  async handle({ services, caller }) {
    const reserved = await services.media.ask('media.reserve', { userId: caller.userId });
    if (isRefusal(reserved)) return reserved;
    return {
      content_uri: `mxc://${services.config.server.name}/${reserved.mediaId}`,
      unused_expires_at: reserved.expiresTs,
    };
  },
});
