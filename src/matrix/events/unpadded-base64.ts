const STANDARD = /^[A-Za-z0-9+/]*={0,2}$/;
const URL_SAFE = /^[A-Za-z0-9_-]*={0,2}$/;

/** Writes bytes as unpadded standard base64. Appendices v1.19, "Unpadded Base64". */
export function encodeBase64(bytes: Uint8Array): string {
  return trimPadding(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'));
}

/** Writes bytes as unpadded URL-safe base64. */
export function encodeUrlSafeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** Cuts the padding off a base64 text. */
export function trimPadding(base64: string): string {
  let end = base64.length;
  while (end > 0 && base64[end - 1] === '=') end -= 1;
  return base64.slice(0, end);
}

/**
 * Reads standard base64, padded or not. Trailing bits that are not zero are ignored: keys and signatures with them are in use.
 *
 * @returns undefined for a text of another alphabet or an impossible length
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  return decode(text, STANDARD, 'base64');
}

/** Reads URL-safe base64, padded or not; otherwise as {@link decodeBase64}. */
export function decodeUrlSafeBase64(text: string): Uint8Array | undefined {
  return decode(text, URL_SAFE, 'base64url');
}

function decode(text: string, alphabet: RegExp, encoding: 'base64' | 'base64url'): Uint8Array | undefined {
  if (!alphabet.test(text) || trimPadding(text).length % 4 === 1) return undefined;
  return Buffer.from(text, encoding);
}
