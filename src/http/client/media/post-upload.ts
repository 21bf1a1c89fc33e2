import { Type } from 'typebox';
import { isRefusal } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import { olderPaths } from './media-paths.ts';
import { receiveUpload } from './receive-upload.ts';

/** Takes a file and gives it an mxc URI. */
export const endpoint = defineEndpoint({
  method: 'POST',
  path: '/_matrix/media/v3/upload',
  aliases: olderPaths('/upload'),
  spec: 'Client-Server API v1.19, POST /_matrix/media/v3/upload',
  auth: 'user',
  rateLimit: 'media',
  query: Type.Object({ filename: Type.Optional(Type.String()) }),
  reply: Type.Object({ content_uri: Type.String() }),
  needs: ['config', 'media', 'random'],
  async handle({ query, services, caller, incoming }) {
    const upload = await receiveUpload(services, incoming, query.filename ?? null);
    if (isRefusal(upload)) return upload;
    const { blob, settle } = upload;
    const stored = await services.media.ask('media.store', { uploader: caller.userId, blob });
    if (isRefusal(stored)) return stored;
    await settle();
    return { content_uri: `mxc://${services.config.server.name}/${stored.mediaId}` };
  },
});
