import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A stored signing key of another server. Times are milliseconds since the Unix epoch. */
export interface StoredKey {
  readonly keyId: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  /** Of an old key: when it stopped being used. */
  readonly validUntilTs: number;
  /** 1: its server does not use it any more. */
  readonly isOld: 0 | 1;
}

/** What a server said of its keys last. */
export interface StoredDocument {
  /** JSON, with its server's signatures. */
  readonly document: string;
  readonly validUntilTs: number;
  readonly fetchedTs: number;
}

export const keysOfServer = defineQuery<{ readonly serverName: string }, StoredKey>({
  name: 'server-keys.read-keys',
  sql: `
    SELECT key_id AS keyId, public_key AS publicKey, valid_until_ts AS validUntilTs, is_old AS isOld
      FROM server_keys WHERE server_name = :serverName`,
});

export const documentOfServer = defineQuery<{ readonly serverName: string }, StoredDocument>({
  name: 'server-keys.read-document',
  sql: `
    SELECT document, valid_until_ts AS validUntilTs, fetched_ts AS fetchedTs
      FROM server_key_documents WHERE server_name = :serverName`,
});

/** All keys of a server that are stored: a bounded number. */
export function readServerKeys(db: ReadDb, serverName: string): Promise<StoredKey[]> {
  return db.all(keysOfServer, { serverName });
}

/** What a server said of its keys last; undefined when it was never asked. */
export function findKeyDocument(db: ReadDb, serverName: string): Promise<StoredDocument | undefined> {
  return db.find(documentOfServer, { serverName });
}
