import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** Names a client's transaction. `path` is the endpoint's path without the transaction id. */
export type TransactionKey = {
  readonly userId: string;
  readonly deviceId: string;
  readonly path: string;
  readonly txnId: string;
};

/** The event that a transaction has made; `position` is on the events stream. */
export interface TransactionEvent {
  readonly eventId: string;
  readonly position: number;
}

export const findEventOfTransaction = defineQuery<TransactionKey, TransactionEvent>({
  name: 'rooms.find-event-of-transaction',
  sql: `
    SELECT e.event_id AS eventId, e.event_nid AS position
      FROM user_ids u
      JOIN event_transactions t
        ON t.user_nid = u.user_nid AND t.device_id = :deviceId AND t.path = :path AND t.txn_id = :txnId
      JOIN events e ON e.event_nid = t.event_nid
     WHERE u.user_id = :userId`,
});

export const readNamesOfTransactions = defineQuery<
  Pick<TransactionKey, 'userId' | 'deviceId'> & { readonly limit: number },
  Pick<TransactionKey, 'path' | 'txnId'>
>({
  name: 'rooms.read-transaction-names',
  sql: `
    SELECT t.path, t.txn_id AS txnId
      FROM user_ids u
      JOIN event_transactions t ON t.user_nid = u.user_nid AND t.device_id = :deviceId
     WHERE u.user_id = :userId LIMIT :limit`,
});

/** The event of a transaction; undefined for one that is new. */
export function findTransactionEvent(
  db: ReadDb,
  transaction: TransactionKey,
): Promise<TransactionEvent | undefined> {
  return db.find(findEventOfTransaction, transaction);
}

/** The stored transactions of a device, in no order, at most `limit`. */
export function readTransactionNames(
  db: ReadDb,
  userId: string,
  deviceId: string,
  limit: number,
): Promise<readonly Pick<TransactionKey, 'path' | 'txnId'>[]> {
  return db.all(readNamesOfTransactions, { userId, deviceId, limit });
}
