import { expect } from 'chai';
import { readPushRules } from '../../../db/push-rules/reader.ts';
import { readPushRuleRows } from '../../../db/push-rules/stream-reader.ts';
import { findPushRulesPosition } from '../../../db/push-rules/sync-reader.ts';
import { storeActions, storeEnabled } from '../../../db/push-rules/writer.ts';
import type { WriteStep } from '../../../db/kit/write-set.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const ALICE = '@alice:example.com';
const RULE = { userId: ALICE, kind: 'override', ruleId: '.m.rule.master' };

describe('readers of push rules', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  const write = (steps: readonly WriteStep[]) =>
    database.write.write({ owner: 'push-rules', advance: { stream: 'push-rules', count: 1 }, steps });

  it('give one row per rule, where a user last changed them, and the stream by its last change', async () => {
    expect(await findPushRulesPosition(database.db, ALICE)).to.equal(0);
    await write(storeActions(RULE, '[]'));
    await write(storeEnabled({ ...RULE, ruleId: '.m.rule.a' }, false));
    await write(storeEnabled(RULE, true));
    const rules = await readPushRules(database.db, ALICE);
    expect(rules.map(({ ruleId, enabled, actions }) => [ruleId, enabled, actions])).to.deep.equal([
      ['.m.rule.a', 0, null],
      ['.m.rule.master', 1, '[]'],
    ]);
    expect(await findPushRulesPosition(database.db, ALICE)).to.equal(3);
    const page = await readPushRuleRows(database.db, 0, 3, 10);
    expect(page.rows.map(({ position }) => position)).to.deep.equal([2, 3]);
  });
});
