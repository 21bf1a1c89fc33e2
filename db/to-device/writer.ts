import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** One message for one device. */
export interface NewMessage {
  readonly userId: string;
  readonly deviceId: string;
  readonly sender: string;
  readonly type: string;
  /** JSON text. */
  readonly content: string;
}

type MessageParams = {
  readonly userId: string;
  readonly deviceId: string;
  readonly sender: string;
  readonly type: string;
  readonly content: string;
  readonly position: number;
};

/** Queues one message. */
export const insertMessage = defineQuery<MessageParams>({
  name: 'to-device.insert-message',
  sql: `
    INSERT INTO to_device_messages (stream_id, user_id, device_id, sender, type, content)
    VALUES (:position, :userId, :deviceId, :sender, :type, :content)`,
});

type TransactionParams = {
  readonly userId: string;
  readonly deviceId: string;
  readonly txnId: string;
  readonly now: number;
};

/** Remembers a transaction; changes nothing when it is known. */
export const insertTransaction = defineQuery<TransactionParams>({
  name: 'to-device.insert-transaction',
  sql: `
    INSERT OR IGNORE INTO to_device_transactions (user_id, device_id, txn_id, created_ts)
    VALUES (:userId, :deviceId, :txnId, :now)`,
});

/** Forgets a device's transactions from before `before`. */
export const deleteOldTransactions = defineQuery<{
  readonly userId: string;
  readonly deviceId: string;
  readonly before: number;
}>({
  name: 'to-device.delete-old-transactions',
  sql: 'DELETE FROM to_device_transactions WHERE user_id = :userId AND device_id = :deviceId AND created_ts < :before',
});

/** The refusal of a transaction that was stored before. */
export const DUPLICATE_TRANSACTION = 'duplicate-transaction';
/** How long a transaction id is remembered. */
export const TRANSACTION_KEPT_MS = 24 * 60 * 60 * 1_000;

/**
 * The steps that queue messages, one position each, unless the transaction is known: then the set is refused with
 * {@link DUPLICATE_TRANSACTION}.
 *
 * @param transaction of the sending device; `now` in milliseconds since the epoch
 */
export function storeMessages(transaction: TransactionParams, messages: readonly NewMessage[]): WriteStep[] {
  const { userId, deviceId, now } = transaction;
  return [
    step(deleteOldTransactions, { userId, deviceId, before: now - TRANSACTION_KEPT_MS }),
    step(insertTransaction, transaction, { expectChanges: 1, refusal: DUPLICATE_TRANSACTION }),
    ...messages.map((message, index) => step(insertMessage, { ...message }, { positionOffset: index })),
  ];
}

type Deletion = { readonly userId: string; readonly deviceId: string; readonly upTo: number };

/** Deletes what a device has received. */
export const deleteMessages = defineQuery<Deletion, { readonly position: number }>({
  name: 'to-device.delete-messages',
  sql: `
    DELETE FROM to_device_messages
     WHERE user_id = :userId AND device_id = :deviceId AND stream_id <= :upTo
    RETURNING stream_id AS position`,
});

/** Forgets what a device has sent: a later one of its id starts anew. */
export const deleteTransactions = defineQuery<{ readonly userId: string; readonly deviceId: string }>({
  name: 'to-device.delete-transactions',
  sql: 'DELETE FROM to_device_transactions WHERE user_id = :userId AND device_id = :deviceId',
});

/** Deletes all but the newest messages of a device that does not fetch them. */
export const pruneInbox = defineQuery<
  { readonly userId: string; readonly deviceId: string; readonly kept: number },
  { readonly position: number }
>({
  name: 'to-device.prune-inbox',
  sql: `
    DELETE FROM to_device_messages
     WHERE user_id = :userId AND device_id = :deviceId
       AND stream_id <= (SELECT stream_id FROM to_device_messages
                          WHERE user_id = :userId AND device_id = :deviceId
                          ORDER BY stream_id DESC LIMIT 1 OFFSET :kept)
    RETURNING stream_id AS position`,
});

/** The step that leaves a device the newest messages alone; its returned rows are the deleted ones. */
export function keepNewest(
  device: { readonly userId: string; readonly deviceId: string },
  kept: number,
): WriteStep {
  return step(pruneInbox, { ...device, kept }, { returns: true });
}

/** The steps for a device that is gone: its messages, as the returned rows of the first one, and what it has sent. */
export function deleteDevice(userId: string, deviceId: string): WriteStep[] {
  return [
    ...deleteUpTo({ userId, deviceId, upTo: Number.MAX_SAFE_INTEGER }),
    step(deleteTransactions, { userId, deviceId }),
  ];
}

/** The step that deletes a device's messages up to a position; its returned rows are the deleted ones. */
export function deleteUpTo(deletion: Deletion): WriteStep[] {
  return [step(deleteMessages, deletion, { returns: true })];
}
