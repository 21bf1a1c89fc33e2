import { blobPath, mediaFolder } from '../../../media/blob-store.ts';
import { mayBeInline, servedType } from '../../../media/content-type.ts';
import { cacheControl, contentDisposition, SAFE_HEADERS } from '../../../media/media-headers.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import { fileReply, type FileReply } from '../../kit/endpoint.ts';
import { findContent, type MediaServices, type MediaWish } from './find-content.ts';

/**
 * Serves media whole, or a range of it.
 *
 * @param fileName the name to save it under, in place of its own
 * @param isPublic whether it is served to anybody
 */
export async function serveContent(
  services: MediaServices,
  wish: MediaWish,
  fileName: string | null,
  isPublic: boolean,
): Promise<FileReply | Refusal> {
  const found = await findContent(services, wish);
  if (isRefusal(found)) return found;
  const { sha256, sizeBytes } = found;
  const contentType = servedType(found.contentType, found.sniffedType);
  const kind = mayBeInline(contentType) ? 'inline' : 'attachment';
  return fileReply({
    path: blobPath(mediaFolder(services.config.data.path), sha256),
    sizeBytes,
    contentType,
    etag: sha256,
    headers: {
      ...SAFE_HEADERS,
      'Content-Disposition': contentDisposition(kind, fileName ?? found.fileName),
      'Cache-Control': cacheControl(isPublic),
    },
  });
}
