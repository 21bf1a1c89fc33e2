declare const brand: unique symbol;

/** A text that has passed the parser of its kind; at run time it is the plain text. */
export type Brand<Kind extends string> = string & { readonly [brand]: Kind };

/** The longest user id, room id, room alias or event id, sigil and domain included, in bytes of UTF-8. */
export const IDENTIFIER_BYTES_MAX = 255;

/**
 * True when a text has at most `sizeBytesMax` bytes of UTF-8. A text is never longer in bytes than three times its UTF-16 units,
 * so that short ones (nearly all) are not measured.
 */
export function fitsInBytes(text: string, sizeBytesMax: number): boolean {
  if (text.length > sizeBytesMax) return false;
  return text.length * 3 <= sizeBytesMax || Buffer.byteLength(text) <= sizeBytesMax;
}
