import type { Refusal } from '../../src/matrix/refusal.ts';
import type { MediaBlob } from '../../src/media/media-blob.ts';
import type { ThumbnailFile, ThumbnailRequest } from '../../src/media/thumbnail.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** Owner of the rows about media and of URL previews. The files are written by whoever receives them, before the owner is told. */
export type MediaProtocol = {
  /** Gives content that is on disk a new name on this server. `uploader` is null for pictures of URL previews. */
  'media.store': Ask<
    { readonly uploader: string | null; readonly blob: MediaBlob },
    { readonly kind: 'stored'; readonly mediaId: string } | Refusal
  >;
  /** Keeps content of another server that is on disk, until others need its room. What is there already stays. */
  'media.store-remote': Ask<
    { readonly origin: string; readonly mediaId: string; readonly blob: MediaBlob },
    { readonly kind: 'stored' } | Refusal
  >;
  /**
   * Reserves a name for content that is to come. Refused with M_LIMIT_EXCEEDED when the user has too many of them. `expiresTs` is in
   * milliseconds since the epoch.
   */
  'media.reserve': Ask<
    { readonly userId: string },
    { readonly kind: 'reserved'; readonly mediaId: string; readonly expiresTs: number } | Refusal
  >;
  /**
   * Gives a reserved name its content. Refused with M_NOT_FOUND for a name that was not reserved or whose time has passed, M_FORBIDDEN for
   * another's, M_CANNOT_OVERWRITE_MEDIA for one that has content.
   */
  'media.fill': Ask<
    { readonly userId: string; readonly mediaId: string; readonly blob: MediaBlob },
    { readonly kind: 'stored' } | Refusal
  >;
  /**
   * Waits until a reserved name has its content, for at most `timeoutMs`; `not-yet` at once when too many wait. `waiter` is any name for who
   * waits that nobody else has.
   */
  'media.await-content': Ask<
    { readonly mediaId: string; readonly waiter: string; readonly timeoutMs: number },
    { readonly kind: 'uploaded' } | { readonly kind: 'not-yet' }
  >;
  /** Who waits has gone away: the answer is `not-yet`. */
  'media.stop-awaiting': Tell<{ readonly mediaId: string; readonly waiter: string }>;
  /**
   * Makes a thumbnail, or finds it made. Refused with M_UNKNOWN (400) for what is no picture, M_TOO_LARGE for too many pixels,
   * M_LIMIT_EXCEEDED when too many wait.
   */
  'media.make-thumbnail': Ask<ThumbnailRequest, ThumbnailFile | Refusal>;
  /** Media was asked for. What is noted is the hour, about. */
  'media.note-use': Tell<{ readonly origin: string; readonly mediaId: string }>;
  /** Takes media out of circulation (`by` an administrator), or gives it back (null). Refused with M_NOT_FOUND. */
  'media.set-quarantine': Ask<
    { readonly origin: string; readonly mediaId: string; readonly by: string | null },
    { readonly kind: 'set' } | Refusal
  >;
  /** Keeps the answer of a URL preview (JSON text) for `lifetimeMs`. */
  'media.store-preview': Ask<
    {
      readonly url: string;
      readonly language: string;
      readonly answer: string;
      readonly lifetimeMs: number;
    },
    { readonly kind: 'stored' } | Refusal
  >;
};
