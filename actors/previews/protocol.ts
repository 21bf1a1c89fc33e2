import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';

/** Opens pages that people have posted. Pages that are asked for at the same moment are opened once. */
export type PreviewsProtocol = {
  /**
   * What a page says of itself, as JSON text of an object of OpenGraph values. A page that cannot be read or says nothing gives an empty object.
   * Refused with M_INVALID_PARAM for what is no http(s) URL, M_FORBIDDEN for an address out of bounds, M_LIMIT_EXCEEDED when too many wait.
   *
   * `language` is the `Accept-Language` of whoever asks; empty for none.
   */
  'previews.find': Ask<
    { readonly url: string; readonly language: string },
    { readonly kind: 'preview'; readonly answer: string } | Refusal
  >;
};
