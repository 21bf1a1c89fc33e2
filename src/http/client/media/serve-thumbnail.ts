import type { Static } from 'typebox';
import { mediaFolder } from '../../../media/blob-store.ts';
import { canBeAnimated, canHaveThumbnail } from '../../../media/content-type.ts';
import { findThumbnail } from '../../../media/find-thumbnail.ts';
import { cacheControl, contentDisposition, SAFE_HEADERS } from '../../../media/media-headers.ts';
import { thumbnailKey, type ThumbnailMethod, thumbnailSize } from '../../../media/thumbnail.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import { fileReply, type FileReply } from '../../kit/endpoint.ts';
import { findContent, type FoundContent, type MediaServices, type MediaWish } from './find-content.ts';
import type { thumbnailQuery } from './media-paths.ts';

type ThumbnailWish = Static<typeof thumbnailQuery>;

/** Above this a picture is not even looked at, in bytes. */
const SOURCE_BYTES_MAX = 104_857_600;

function thumbnailRefusal({ sniffedType, sizeBytes }: FoundContent): Refusal | null {
  if (!canHaveThumbnail(sniffedType))
    return refuse('M_UNKNOWN', 'Thumbnails of this content cannot be made.', { status: 400 });
  return sizeBytes > SOURCE_BYTES_MAX
    ? refuse('M_TOO_LARGE', 'The content is too large for a thumbnail.')
    : null;
}

/**
 * Serves a thumbnail, made on demand in the nearest larger of few sizes.
 *
 * @returns the thumbnail, or a refusal: those of `findContent`, 400 `M_UNKNOWN` for what no thumbnail can be made of, 413 `M_TOO_LARGE`.
 *   Client-Server API v1.19, "Thumbnails"
 */
export async function serveThumbnail(
  services: MediaServices,
  wish: MediaWish,
  query: ThumbnailWish,
  isPublic: boolean,
): Promise<FileReply | Refusal> {
  const found = await findContent(services, wish);
  if (isRefusal(found)) return found;
  const refused = thumbnailRefusal(found);
  if (refused !== null) return refused;
  const method: ThumbnailMethod = query.method ?? 'scale';
  const request = {
    sha256: found.sha256,
    ...thumbnailSize(query.width, query.height, method),
    method,
    animated: query.animated === true && canBeAnimated(found.sniffedType),
  };
  const made =
    (await findThumbnail(mediaFolder(services.config.data.path), request)) ??
    (await services.media.ask('media.make-thumbnail', request));
  if (isRefusal(made)) return made;
  const extension = made.path.slice(made.path.lastIndexOf('.'));
  return fileReply({
    path: made.path,
    sizeBytes: made.sizeBytes,
    contentType: made.contentType,
    etag: thumbnailKey(request),
    headers: {
      ...SAFE_HEADERS,
      'Content-Disposition': contentDisposition('inline', `thumbnail${extension}`),
      'Cache-Control': cacheControl(isPublic),
    },
  });
}
