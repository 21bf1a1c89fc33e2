import { Type } from 'typebox';
import { findMedia } from '../../../../db/media/reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';
import { mediaParams, olderPaths } from './media-paths.ts';
import { receiveUpload } from './receive-upload.ts';

/** Spares the client an upload that will be refused: its owner looks again when it is there. */
async function findUploadRefusal(
  { clock, config, db }: Pick<Services, 'clock' | 'config' | 'db'>,
  { serverName, mediaId }: { readonly serverName: string; readonly mediaId: string },
  userId: string,
): Promise<Refusal | null> {
  const isOurs = serverName === config.server.name;
  const found = isOurs ? await findMedia(db, serverName, mediaId) : undefined;
  if (found === undefined) return refuse('M_NOT_FOUND', 'This media id was not reserved.');
  if (found.uploader !== userId) return refuse('M_FORBIDDEN', 'Somebody else has reserved this media id.');
  if (found.sha256 !== null)
    return refuse('M_CANNOT_OVERWRITE_MEDIA', 'This media id has its content already.', { status: 409 });
  const isLate = (found.expiresTs ?? 0) <= clock.now();
  return isLate ? refuse('M_NOT_FOUND', 'The time of this media id has passed.') : null;
}

/** Takes a file for an mxc URI that was made before. */
export const endpoint = defineEndpoint({
  method: 'PUT',
  path: '/_matrix/media/v3/upload/{serverName}/{mediaId}',
  aliases: olderPaths('/upload/{serverName}/{mediaId}'),
  spec: 'Client-Server API v1.19, PUT /_matrix/media/v3/upload/{serverName}/{mediaId}',
  auth: 'user',
  rateLimit: 'media',
  params: mediaParams,
  query: Type.Object({ filename: Type.Optional(Type.String()) }),
  reply: Type.Object({}),
  needs: ['clock', 'config', 'db', 'media', 'random'],
  async handle({ params, query, services, caller, incoming }) {
    const { userId } = caller;
    const refused = await findUploadRefusal(services, params, userId);
    if (refused !== null) return refused;
    const upload = await receiveUpload(services, incoming, query.filename ?? null);
    if (isRefusal(upload)) return upload;
    const { blob, settle } = upload;
    const filled = await services.media.ask('media.fill', { userId, mediaId: params.mediaId, blob });
    if (isRefusal(filled)) return filled;
    await settle();
    return {};
  },
});
