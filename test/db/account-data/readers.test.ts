import { expect } from 'chai';
import { findAccountData, findFilter, readAccountDataChanges } from '../../../db/account-data/reader.ts';
import { readAccountDataRows } from '../../../db/account-data/stream-reader.ts';
import { storeAccountData } from '../../../db/account-data/writer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const ALICE = '@alice:example.com';

describe('readers of account data', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  const set = (type: string, roomId: string, userId = ALICE) =>
    database.write.write({
      owner: 'account-data',
      advance: { stream: 'account-data', count: 1 },
      steps: storeAccountData({ userId, roomId, type, content: '{}' }),
    });

  it('give what changed of one user in a range, global without a room', async () => {
    await set('m.a', '');
    await set('m.a', '!r');
    await set('m.a', '', '@bob:example.com');
    await set('m.a', '');
    const changes = await readAccountDataChanges(database.db, ALICE, 0, 4);
    expect(changes.map(({ roomId, position }) => [roomId, position])).to.deep.equal([
      ['!r', 2],
      [null, 4],
    ]);
    expect(await readAccountDataChanges(database.db, ALICE, 2, 3)).to.deep.equal([]);
    expect(await findAccountData(database.db, ALICE, null, 'm.none')).to.equal(undefined);
    expect(await findFilter(database.db, ALICE, 1)).to.equal(undefined);
  });

  it('3.2 give the stream by pages', async () => {
    for (const type of ['m.a', 'm.b', 'm.c']) await set(type, '!r');
    const first = await readAccountDataRows(database.db, 0, 3, 2);
    expect([first.rows.length, first.to]).to.deep.equal([2, 2]);
    expect((await readAccountDataRows(database.db, 2, 3, 2)).rows).to.deep.equal([
      { position: 3, row: { userId: ALICE, roomId: '!r', type: 'm.c' } },
    ]);
  });
});
