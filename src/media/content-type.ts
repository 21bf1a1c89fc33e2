/** What is said of content whose type is not known, or obviously wrong. */
export const UNKNOWN_TYPE = 'application/octet-stream';

/** The longest content type that is kept, in characters. */
export const CONTENT_TYPE_LENGTH_MAX = 255;

/** Types that a browser may show in its window. Client-Server API v1.19, "Serving inline content". */
const INLINE_TYPES: ReadonlySet<string> = new Set([
  'text/css',
  'text/plain',
  'text/csv',
  'application/json',
  'application/ld+json',
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
  'video/mp4',
  'video/webm',
  'video/ogg',
  'video/quicktime',
  'audio/mp4',
  'audio/webm',
  'audio/aac',
  'audio/mpeg',
  'audio/ogg',
  'audio/wave',
  'audio/wav',
  'audio/x-wav',
  'audio/x-pn-wav',
  'audio/flac',
  'audio/x-flac',
]);

/** Pictures whose first bytes always tell what they are: encrypted content is none of them, whatever it is called. */
const RECOGNISABLE_TYPES: ReadonlySet<string> = new Set([
  'image/jpeg',
  'image/gif',
  'image/png',
  'image/apng',
  'image/webp',
  'image/avif',
]);

/** What a thumbnail can be made of. SVG is a program and is none of them. */
const THUMBNAIL_TYPES: ReadonlySet<string> = new Set([...RECOGNISABLE_TYPES, 'image/tiff']);

/** What can be animated. */
const ANIMATED_TYPES: ReadonlySet<string> = new Set(['image/gif', 'image/apng', 'image/webp']);

const MEDIA_TYPE = /^[\w!#$&^.+-]+\/[\w!#$&^.+-]+ *(;[\t\x20-\x7e]*)?$/;

/** The type without its parameters, in lower case. */
function essence(contentType: string): string {
  return (contentType.split(';')[0] ?? '').trim().toLowerCase();
}

/**
 * What is kept of a `Content-Type` header.
 *
 * @returns null for none, and for one that is no media type
 */
export function parseContentType(header: string | null): string | null {
  const text = header?.trim() ?? '';
  return text.length <= CONTENT_TYPE_LENGTH_MAX && MEDIA_TYPE.test(text) ? text : null;
}

/** What the first bytes of content look like, or null. @param head at most the first 4100 bytes */
export async function sniffType(head: Uint8Array): Promise<string | null> {
  // Loaded with the first upload: a server that has just started needs none of its hundreds of types.
  const { fileTypeFromBuffer } = await import('file-type');
  return (await fileTypeFromBuffer(head))?.mime ?? null;
}

/**
 * The `Content-Type` with which content is served: as it was uploaded, with UTF-8 for text that does not say; `application/octet-stream`
 * when it is not known, or is said to be a picture and is none. Client-Server API v1.19, `GET /_matrix/client/v1/media/download`.
 */
export function servedType(declared: string | null, sniffed: string | null): string {
  if (declared === null) return UNKNOWN_TYPE;
  const type = essence(declared);
  if (RECOGNISABLE_TYPES.has(type) && sniffed?.startsWith('image/') !== true) return UNKNOWN_TYPE;
  const saysCharset = /;\s*charset\s*=/i.test(declared);
  return type.startsWith('text/') && !saysCharset ? `${type}; charset=utf-8` : declared;
}

/** May a browser show it in its window? Everything else is only downloaded. */
export function mayBeInline(contentType: string): boolean {
  return INLINE_TYPES.has(essence(contentType));
}

/** Can a thumbnail be made of content whose first bytes look like this? */
export function canHaveThumbnail(sniffed: string | null): boolean {
  return sniffed !== null && THUMBNAIL_TYPES.has(sniffed);
}

/** Can content whose first bytes look like this be animated? */
export function canBeAnimated(sniffed: string | null): boolean {
  return sniffed !== null && ANIMATED_TYPES.has(sniffed);
}
