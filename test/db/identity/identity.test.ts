import { expect } from 'chai';
import { loadIdentity, WrongServerName } from '../../../db/identity/identity.ts';
import { FolderInUse, lockFolder } from '../../../db/kit/folder-lock.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

describe('server identity', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase();
  });
  afterEach(() => database.close());

  const load = (serverName: string, seed: number) =>
    loadIdentity(database.db, database.write, { serverName, clock: systemClock, random: seededRandom(seed) });

  it('makes a signing key once and finds it again', async () => {
    const first = await load('example.org', 1);
    const second = await load('example.org', 2);
    expect(first.keyId).to.match(/^ed25519:a_[A-Za-z0-9]{6}$/);
    expect(second.keyId).to.equal(first.keyId);
    expect(Buffer.from(second.seed)).to.deep.equal(Buffer.from(first.seed));
  });

  it('refuses a database that belongs to another name', async () => {
    await load('example.org', 1);
    const error = await load('example.com', 1).catch((caught: unknown) => caught);
    expect(error).to.be.instanceOf(WrongServerName);
    expect(String(error)).to.include('example.org').and.include('example.com');
  });

  it('locks the data folder against a second server', () => {
    const lock = lockFolder(database.folder);
    expect(() => lockFolder(database.folder)).to.throw(FolderInUse);
    lock.release();
    lockFolder(database.folder).release();
  });
});
