import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** A key to be stored. */
export interface KeyToStore {
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly validUntilTs: number;
  readonly isOld: boolean;
}

type KeyParams = {
  readonly serverName: string;
  readonly keyId: string;
  readonly publicKey: Uint8Array;
  readonly validUntilTs: number;
  readonly isOld: number;
};

/** Stores a key: what its owner says of it now. */
export const upsertKey = defineQuery<KeyParams>({
  name: 'server-keys.upsert-key',
  sql: `
    INSERT INTO server_keys (server_name, key_id, public_key, valid_until_ts, is_old)
    VALUES (:serverName, :keyId, :publicKey, :validUntilTs, :isOld)
    ON CONFLICT (server_name, key_id) DO UPDATE
       SET public_key = excluded.public_key, valid_until_ts = excluded.valid_until_ts, is_old = excluded.is_old`,
});

export const upsertDocument = defineQuery<{
  readonly serverName: string;
  readonly document: string;
  readonly validUntilTs: number;
  readonly now: number;
}>({
  name: 'server-keys.upsert-document',
  sql: `
    INSERT INTO server_key_documents (server_name, document, valid_until_ts, fetched_ts)
    VALUES (:serverName, :document, :validUntilTs, :now)
    ON CONFLICT (server_name) DO UPDATE
       SET document = excluded.document, valid_until_ts = excluded.valid_until_ts, fetched_ts = excluded.fetched_ts`,
});

/** The steps that store keys of a server. How many those are is bounded by who says what is new. */
export function storeKeys(serverName: string, keys: readonly KeyToStore[]): WriteStep[] {
  return keys.map(({ isOld, keyId, publicKey, validUntilTs }) =>
    step(upsertKey, { serverName, keyId, publicKey, validUntilTs, isOld: isOld ? 1 : 0 }),
  );
}

/** The step that stores what a server says of its keys, in place of what it said before. */
export function storeDocument(
  serverName: string,
  document: { readonly text: string; readonly validUntilTs: number; readonly now: number },
): WriteStep {
  const { text, validUntilTs, now } = document;
  return step(upsertDocument, { serverName, document: text, validUntilTs, now });
}
