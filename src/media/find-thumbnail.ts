import { stat } from 'node:fs/promises';
import { TYPE_BY_EXTENSION, type ThumbnailFile, type ThumbnailRequest, thumbnailPath } from './thumbnail.ts';

async function findSize(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * A thumbnail that has been made already.
 *
 * @param folder of all media
 */
export async function findThumbnail(
  folder: string,
  request: ThumbnailRequest,
): Promise<ThumbnailFile | undefined> {
  const base = thumbnailPath(folder, request);
  for (const [extension, contentType] of Object.entries(TYPE_BY_EXTENSION)) {
    const file = `${base}.${extension}`;
    const sizeBytes = await findSize(file);
    if (sizeBytes !== undefined) return { kind: 'thumbnail', path: file, sizeBytes, contentType };
  }
  return undefined;
}
