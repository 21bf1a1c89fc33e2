import { expect } from 'chai';
import { findAnswer } from '../../../db/federation-receiver/reader.ts';
import {
  ANSWER_KEPT_MS,
  ANSWERS_PER_ORIGIN_MAX,
  storeAnswer,
} from '../../../db/federation-receiver/writer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

describe('answers to transactions', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  const store = async (origin: string, txnId: string, now: number): Promise<void> => {
    const steps = storeAnswer(origin, txnId, `{"${txnId}":{}}`, now);
    const outcome = await database.write.write({ owner: 'federation-receiver', steps });
    expect(outcome.kind).to.equal('committed');
  };
  const find = (origin: string, txnId: string) => findAnswer(database.db, origin, txnId);

  it('are kept for each server, the last ones of each', async () => {
    await store('b.example', 't0', 0);
    for (let index = 0; index <= ANSWERS_PER_ORIGIN_MAX; index += 1)
      await store('a.example', `t${index}`, index);
    expect(await find('a.example', 't0')).to.equal(undefined);
    expect(await find('a.example', 't1')).to.equal('{"t1":{}}');
    expect(await find('b.example', 't0')).to.equal('{"t0":{}}');
    expect(await find('b.example', 't1')).to.equal(undefined);
  });

  it('are forgotten with time, also those of servers that are gone', async () => {
    await store('gone.example', 't0', 0);
    await store('a.example', 't0', ANSWER_KEPT_MS);
    expect(await find('gone.example', 't0')).to.be.a('string');
    await store('a.example', 't1', ANSWER_KEPT_MS + 1);
    expect(await find('gone.example', 't0')).to.equal(undefined);
  });
});
