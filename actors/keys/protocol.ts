import type { Claim, HandedOutKey, KeyUsage, NewKey, StoredSignature } from '../../db/keys/reader.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { StreamMark } from '../accounts/protocol.ts';
import type { Ask, Tell } from '../kit/protocol.ts';

/** A cross-signing key whose form has been checked, but not who has signed it. */
export interface UploadedCrossSigningKey {
  readonly usage: KeyUsage;
  /** Unpadded base64. */
  readonly publicKey: string;
  /** Canonical JSON text, signatures included. */
  readonly key: string;
}

/** A change that is committed. */
export interface KeysStored {
  readonly kind: 'stored';
  /** Where its effects stand. */
  readonly marks: readonly StreamMark[];
}

export type KeysProtocol = StreamOwnerProtocol & {
  /**
   * Stores keys of a device that the caller has checked: those of a device carry its own signature. Idempotent. Refused with
   * M_UNKNOWN_TOKEN (the device is gone), M_INVALID_PARAM (other keys for the same device or the same key id, or too many of them).
   */
  'keys.upload': Ask<
    {
      readonly userId: string;
      readonly deviceId: string;
      /** Canonical JSON text; null: none. */
      readonly deviceKeys: string | null;
      readonly oneTimeKeys: readonly NewKey[];
      readonly fallbackKeys: readonly NewKey[];
    },
    (KeysStored & { readonly counts: Readonly<Record<string, number>> }) | Refusal
  >;
  /**
   * Hands out one key of each device: the oldest one-time key, never twice, or the fallback key. Devices that have none are passed over.
   * Keys are answered after their claim is committed.
   */
  'keys.claim': Ask<
    { readonly claims: readonly Claim[] },
    | {
        readonly kind: 'claimed';
        readonly keys: readonly (Claim & HandedOutKey)[];
        readonly marks: readonly StreamMark[];
      }
    | Refusal
  >;
  /**
   * Stores cross-signing keys. Keys that are there already change nothing. Where others would be replaced or joined, the user has to have
   * authorised it: `not-authorized`. Refused with M_MISSING_PARAM, M_INVALID_SIGNATURE, M_FORBIDDEN.
   * Client-Server API v1.19, `POST /_matrix/client/v3/keys/device_signing/upload`.
   */
  'keys.store-cross-signing': Ask<
    {
      readonly userId: string;
      readonly keys: readonly UploadedCrossSigningKey[];
      readonly isAuthorized: boolean;
    },
    KeysStored | { readonly kind: 'not-authorized' } | Refusal
  >;
  /** Stores signatures of one user, which the caller has verified. */
  'keys.add-signatures': Ask<
    { readonly userId: string; readonly signatures: readonly StoredSignature[] },
    KeysStored | Refusal
  >;
  /** Devices are gone, or come anew under these ids: whatever is held of them is deleted. Nobody is told of it: accounts does that. */
  'keys.delete-devices': Ask<
    { readonly userId: string; readonly deviceIds: readonly string[] },
    KeysStored | Refusal
  >;
  /** A user's account has ended for ever: its cross-signing keys go, with what they signed and what was signed of them. */
  'keys.forget-user': Ask<{ readonly userId: string }, { readonly kind: 'forgotten' } | Refusal>;
  /** Of the actor to itself: changes of a user's keys were committed, and others may not have been told. */
  'keys.announce-leftovers': Tell<{ readonly userId: string }>;
};
