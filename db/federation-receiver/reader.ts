import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

export const findAnswerOfTransaction = defineQuery<
  { readonly origin: string; readonly txnId: string },
  { readonly answer: string }
>({
  name: 'federation-receiver.find-answer',
  sql: 'SELECT answer FROM received_transactions WHERE origin = :origin AND txn_id = :txnId',
});

/** What a transaction of another server was answered with, JSON; undefined when it did not come, or long ago. */
export async function findAnswer(db: ReadDb, origin: string, txnId: string): Promise<string | undefined> {
  return (await db.find(findAnswerOfTransaction, { origin, txnId }))?.answer;
}
