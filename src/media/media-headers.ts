/**
 * What keeps a browser safe from content that anybody may have uploaded, on every answer with media. Client-Server API v1.19,
 * "Content repository", "Server behaviour".
 */
export const SAFE_HEADERS: Readonly<Record<string, string>> = {
  'Content-Security-Policy':
    "sandbox; default-src 'none'; script-src 'none'; plugin-types application/pdf; style-src 'unsafe-inline'; media-src 'self'; object-src 'self';",
  'Cross-Origin-Resource-Policy': 'cross-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

/** How long a client may keep media without asking, in seconds: it never changes, but it may be taken out of circulation. */
export const MEDIA_MAX_AGE_SECONDS = 86_400;

/** @param isPublic whether what lies between server and client may keep it as well: only what anybody may see */
export function cacheControl(isPublic: boolean): string {
  return `${isPublic ? 'public' : 'private'}, max-age=${MEDIA_MAX_AGE_SECONDS}, immutable`;
}

const PLAIN_NAME = /^[\x20-\x7e]*$/;

/** RFC 8187, `attr-char`: what `encodeURIComponent` leaves and the RFC does not. */
function extendedValue(text: string): string {
  const encoded = encodeURIComponent(text.toWellFormed());
  return encoded.replaceAll(/['()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, String.raw`\$&`)}"`;
}

/**
 * A `Content-Disposition` header with a file name. A name beyond printable ASCII comes twice: for who knows `filename*`, and with
 * underscores for who does not. RFC 6266, RFC 8187.
 *
 * @param fileName null for none
 */
export function contentDisposition(kind: 'inline' | 'attachment', fileName: string | null): string {
  if (fileName === null || fileName === '') return kind;
  if (PLAIN_NAME.test(fileName)) return `${kind}; filename=${quoted(fileName)}`;
  const plain = fileName.replaceAll(/[^\x20-\x7e]/gu, '_');
  return `${kind}; filename=${quoted(plain)}; filename*=utf-8''${extendedValue(fileName)}`;
}

/** The longest file name that is kept of another server's media, in bytes. */
const FILE_NAME_BYTES_MAX = 1_024;

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}

/**
 * The file name in a `Content-Disposition` header. RFC 6266, RFC 8187.
 *
 * @returns null for none, and for one that is too long
 */
export function parseFileName(disposition: string | null): string | null {
  if (disposition === null) return null;
  const [, extended] = /;\s*filename\*\s*=\s*utf-8'[^']*'([^\s;]+)/i.exec(disposition) ?? [];
  const [, quotedName, plain] =
    /;\s*filename\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/i.exec(disposition) ?? [];
  const name =
    (extended === undefined ? undefined : decoded(extended)) ??
    quotedName?.replaceAll(/\\(.)/g, '$1') ??
    plain ??
    '';
  return name === '' || Buffer.byteLength(name) > FILE_NAME_BYTES_MAX ? null : name;
}
