import { expect } from 'chai';
import { readWaitingMessages } from '../../../db/to-device/reader.ts';
import { readToDeviceRows } from '../../../db/to-device/stream-reader.ts';
import { storeMessages } from '../../../db/to-device/writer.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const BOB = '@bob:example.com';

describe('readers of to-device messages', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
    const messages = ['B1', 'B2', 'B1', 'B1'].map((deviceId, n) => ({
      userId: BOB,
      deviceId,
      sender: '@alice:example.com',
      type: 'm.x',
      content: JSON.stringify({ n }),
    }));
    const transaction = { userId: '@alice:example.com', deviceId: 'A1', txnId: 't', now: 1 };
    const steps = storeMessages(transaction, messages);
    await database.write.write({ owner: 'to-device', advance: { stream: 'to-device', count: 4 }, steps });
  });
  afterEach(() => database.close());

  it('give what waits for one device in (from, to], oldest first, bounded', async () => {
    const read = async (from: number, to: number, limit: number) => {
      const device = { userId: BOB, deviceId: 'B1' };
      const messages = await readWaitingMessages(database.db, device, from, to, limit);
      return messages.map(({ position, content }) => [position, content]);
    };
    expect(await read(0, 4, 10)).to.deep.equal([
      [1, '{"n":0}'],
      [3, '{"n":2}'],
      [4, '{"n":3}'],
    ]);
    expect(await read(1, 3, 10)).to.deep.equal([[3, '{"n":2}']]);
    expect(await read(0, 4, 1)).to.deep.equal([[1, '{"n":0}']]);
  });

  it('3.2 give the stream by pages', async () => {
    const first = await readToDeviceRows(database.db, 0, 4, 3);
    expect([first.rows.map(({ position }) => position), first.to]).to.deep.equal([[1, 2, 3], 3]);
    const rest = await readToDeviceRows(database.db, first.to, 4, 3);
    expect(rest).to.deep.equal({ rows: [{ position: 4, row: { userId: BOB, deviceId: 'B1' } }], to: 4 });
  });
});
