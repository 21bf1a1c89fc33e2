import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';
import type { ReceivedEvent } from '../rooms/protocol.ts';

/** A signing key of another server, as it is needed. */
export interface WantedKey {
  readonly serverName: string;
  /** `ed25519:…` */
  readonly keyId: string;
  /** The key must be valid at this time, milliseconds since the Unix epoch; 0 for any key that was ever theirs. */
  readonly validAtTs: number;
}

/** A signing key of another server. */
export interface FoundKey {
  readonly serverName: string;
  readonly keyId: string;
  /** Unpadded base64. */
  readonly publicKey: string;
  /** Its `valid_until_ts`, or `expired_ts` of one that is not used any more. */
  readonly validUntilTs: number;
}

/** What an event of another server is worth before any room looks at it. */
export type CheckedEvent =
  /** Format and signatures are right. Where the content hash is wrong, `event.pdu` is the redacted event. */
  | { readonly kind: 'valid'; readonly event: ReceivedEvent; readonly roomId: string }
  /** `eventId` is null where there is none to be had. */
  | { readonly kind: 'invalid'; readonly eventId: string | null; readonly reason: string };

/** What a notary is asked of one server. */
export interface WantedDocument {
  readonly serverName: string;
  /** None: all of them. */
  readonly keyIds: readonly string[];
  /** The keys should be good until then at least, milliseconds since the Unix epoch. */
  readonly validUntilTs: number;
}

export type ServerKeysProtocol = {
  /** What this server publishes about its own keys. Server-Server API v1.19, `GET /_matrix/key/v2/server`. */
  'server-keys.read-own': Ask<null, JsonObject>;
  /**
   * What other servers publish about theirs, with our signature beside theirs, as a notary gives it: stored, or fetched now. Servers that were
   * never heard of and do not answer are not in it. Server-Server API v1.19, `POST /_matrix/key/v2/query`.
   */
  'server-keys.read-documents': Ask<
    { readonly wanted: readonly WantedDocument[] },
    { readonly documents: readonly JsonObject[] }
  >;
  /** Makes a key that signs from the next start on, and is published from now on. */
  'server-keys.add-own-key': Ask<null, { readonly kind: 'added'; readonly keyId: string } | Refusal>;
  /**
   * Finds keys: stored, from their server, or from a notary. Those that are not in the answer cannot be had now. `isCalling`: their servers are
   * asking us something, so that they are there, whatever we thought; and whoever says so may be nobody, so that it must not delay others.
   */
  'server-keys.find-keys': Ask<
    { readonly wanted: readonly WantedKey[]; readonly isCalling?: true },
    { readonly found: readonly FoundKey[] }
  >;
  /**
   * Checks events of one room version, 1 to 3 of Server-Server API v1.19, "Checks performed on receipt of a PDU": one outcome each, in order.
   * Signatures and hashes of many are checked on the pool. Refused with M_UNSUPPORTED_ROOM_VERSION.
   */
  'server-keys.check-events': Ask<
    { readonly roomVersion: string; readonly events: readonly JsonObject[] },
    { readonly kind: 'checked'; readonly events: readonly CheckedEvent[] } | Refusal
  >;
};
