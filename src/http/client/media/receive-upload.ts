import { createBlobWriter, isStorageFull, mediaFolder } from '../../../media/blob-store.ts';
import { parseContentType, sniffType } from '../../../media/content-type.ts';
import type { MediaBlob } from '../../../media/media-blob.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { IncomingBody } from '../../kit/incoming-body.ts';
import type { Services } from '../../kit/services.ts';

/** The longest file name that is kept, in bytes. */
export const FILE_NAME_BYTES_MAX = 1_024;

/** An upload that is on disk. */
export interface ReceivedUpload {
  readonly kind: 'upload';
  readonly blob: MediaBlob;
  /** To be called when a row refers to it. */
  readonly settle: () => Promise<void>;
}

/** What it takes to receive an upload. */
export type UploadServices = Pick<Services, 'config' | 'random'>;

function storageFull({ config }: UploadServices): Refusal {
  const { adminContact } = config.server;
  return refuse(
    'M_RESOURCE_LIMIT_EXCEEDED',
    'This server has no room for files until its administrator makes some.',
    {
      status: 503,
      extra: { admin_contact: adminContact },
    },
  );
}

async function writeToDisk(
  services: UploadServices,
  incoming: IncomingBody,
  fileName: string | null,
): Promise<ReceivedUpload | Refusal> {
  const { config, random } = services;
  const writer = await createBlobWriter(mediaFolder(config.data.path), random);
  try {
    const received = await incoming.receive(config.media.maxUploadSize, (chunk) => writer.write(chunk));
    if (isRefusal(received)) return received;
    // Nobody is there to read this.
    if (received.kind === 'aborted') return refuse('M_UNKNOWN', 'The upload ended before its end.');
    const sniffedType = await sniffType(writer.head());
    const { sha256, sizeBytes, settle } = await writer.place();
    const blob = {
      sha256,
      sizeBytes,
      contentType: parseContentType(incoming.contentType),
      sniffedType,
      fileName,
    };
    return { kind: 'upload', blob, settle };
  } finally {
    await writer.discard();
  }
}

/**
 * Streams the body of a request to a file that has the name of its hash.
 *
 * @param fileName as the uploader said it
 * @returns the upload, or a refusal: 413 `M_TOO_LARGE`, 400 `M_INVALID_PARAM` for a name that is too long, 408, 415, 503 when the disk is full
 */
export async function receiveUpload(
  services: UploadServices,
  incoming: IncomingBody,
  fileName: string | null,
): Promise<ReceivedUpload | Refusal> {
  if (fileName !== null && Buffer.byteLength(fileName) > FILE_NAME_BYTES_MAX)
    return refuse('M_INVALID_PARAM', `filename has more than ${FILE_NAME_BYTES_MAX} bytes.`);
  try {
    return await writeToDisk(services, incoming, fileName);
  } catch (error) {
    if (isStorageFull(error)) return storageFull(services);
    throw error;
  }
}
