import { KEY_VALIDITY_MS_MAX } from '../../matrix/events/key-validity.ts';
import type { KeyDocument, PublishedKey } from './key-document.ts';

/** How many keys of one server are kept: it may not fill our disk by changing them. */
export const KEYS_PER_SERVER_MAX = 200;

/** The keys of one server, by id. */
export type KeysOfServer = ReadonlyMap<string, PublishedKey>;

/** What is known of the keys of one server. */
export interface KnownKeys {
  readonly keys: KeysOfServer;
  /** Until when what it said last counts, milliseconds since the Unix epoch; 0 when it was never asked. */
  readonly documentUntilTs: number;
}

/** What a document changes. */
export interface LearntKeys {
  readonly known: KnownKeys;
  /** Those of `known.keys` that are new or not what they were. */
  readonly changed: readonly PublishedKey[];
  /** True: the document takes the place of the one before it. */
  readonly isNewest: boolean;
}

/** Where a document came from. */
export interface DocumentSource {
  /** True: from its server itself, which says what counts now. False: from a notary, which may have kept it for long. */
  readonly isDirect: boolean;
  /** Milliseconds since the Unix epoch. */
  readonly nowTs: number;
}

function hasSameBytes(left: PublishedKey, right: PublishedKey): boolean {
  return Buffer.compare(left.publicKey, right.publicKey) === 0;
}

/** What becomes of a key that is known; undefined: nothing. */
function updated(
  present: PublishedKey,
  said: PublishedKey,
  isNewest: boolean,
  nowTs: number,
): PublishedKey | undefined {
  if (!hasSameBytes(present, said)) {
    // A key does not change under its id while it is good; a server that was set up anew and took an old id again may be spoken to when it no longer is.
    return isNewest && !said.isOld && present.validUntilTs < nowTs ? said : undefined;
  }
  if (said.isOld)
    return isNewest && (!present.isOld || present.validUntilTs !== said.validUntilTs) ? said : undefined;
  if (present.isOld) return isNewest ? said : undefined;
  return said.validUntilTs > present.validUntilTs ? said : undefined;
}

/**
 * What a document adds to what is known. What its server said last counts: whether a key is still used, and since when it is not. However long a
 * server says that its keys are good, it is asked again after {@link KEY_VALIDITY_MS_MAX}. Server-Server API v1.19, `GET /_matrix/key/v2/server`.
 */
export function learnKeys(known: KnownKeys, document: KeyDocument, source: DocumentSource): LearntKeys {
  const { isDirect, nowTs } = source;
  const latestTs = nowTs + KEY_VALIDITY_MS_MAX;
  const untilTs = Math.min(document.validUntilTs, latestTs);
  const isNewest = isDirect || untilTs >= known.documentUntilTs;
  const keys = new Map(known.keys);
  const changed: PublishedKey[] = [];
  for (const said of document.keys) {
    const key = { ...said, validUntilTs: Math.min(said.validUntilTs, latestTs) };
    const present = keys.get(key.keyId);
    const isRoom = keys.size < KEYS_PER_SERVER_MAX;
    const kept = present === undefined ? (isRoom ? key : undefined) : updated(present, key, isNewest, nowTs);
    if (kept === undefined) continue;
    keys.set(key.keyId, kept);
    changed.push(kept);
  }
  const documentUntilTs = isNewest ? untilTs : known.documentUntilTs;
  return { known: { keys, documentUntilTs }, changed, isNewest };
}
