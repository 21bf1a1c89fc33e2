import { expect } from 'chai';
import {
  countDevices,
  findAccessToken,
  findAccount,
  findDeviceIds,
  findFirstToken,
  findRegistrationToken,
  hasAnyAccount,
  hasValidRegistrationToken,
  readDevices,
  readProfile,
} from '../../../db/accounts/reader.ts';
import { hashAccessToken } from '../../../db/accounts/token-hash.ts';
import {
  createAccount,
  createFirstToken,
  deleteOtherDevicesOf,
  insertRegistrationToken,
  logInDevice,
  noteUses,
  setProfileField,
} from '../../../db/accounts/writer.ts';
import { deactivateAccount } from '../../../db/accounts/standing-writer.ts';
import { step, type WriteOutcome, type WriteStep } from '../../../db/kit/write-set.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';

const ALICE = '@alice:example.org';
const NOW = 1_000;

describe('db/accounts', () => {
  let database: TestDatabase;

  beforeEach(async () => {
    database = await createTestDatabase();
  });

  afterEach(() => database.close());

  function write(...steps: readonly WriteStep[]): Promise<WriteOutcome> {
    return database.write.write({ owner: 'accounts', steps });
  }

  function account(overrides: Partial<Parameters<typeof createAccount>[0]> = {}): readonly WriteStep[] {
    const plain = { userId: ALICE, passwordHash: 'hash', isAdmin: false, registrationToken: null, now: NOW };
    return createAccount({ ...plain, ...overrides });
  }

  function login(deviceId: string, tokenHash: string): readonly WriteStep[] {
    return logInDevice({ userId: ALICE, deviceId, displayName: 'phone', tokenHash, now: NOW });
  }

  it('stores tokens by their hash only, and finds their owner', async () => {
    const tokenHash = hashAccessToken('secret');
    expect(tokenHash).to.match(/^[0-9a-f]{64}$/);
    await write(...account(), ...login('D', tokenHash));
    expect(await findAccessToken(database.db, tokenHash)).to.deep.equal({
      userId: ALICE,
      deviceId: 'D',
      isAdmin: false,
      isGuest: false,
      isLocked: false,
      isSuspended: false,
      expiresTs: null,
      isUnused: false,
    });
    expect(await findAccessToken(database.db, hashAccessToken('other'))).to.equal(undefined);
  });

  it('refuses a name that is taken and writes nothing of the set', async () => {
    await write(...account());
    const outcome = await write(...account({ passwordHash: 'other' }), ...login('D', 'h'));
    expect(outcome).to.deep.include({ kind: 'refused', refusal: 'name-is-taken' });
    expect((await findAccount(database.db, ALICE))?.passwordHash).to.equal('hash');
    expect(await findDeviceIds(database.db, ALICE)).to.deep.equal([]);
  });

  it('revokes the old token of a device that logs in again, and keeps its name', async () => {
    await write(...account(), ...login('D', 'old'));
    const again = logInDevice({ userId: ALICE, deviceId: 'D', displayName: 'new', tokenHash: 'h', now: 2 });
    const outcome = await write(...again);
    expect(outcome).to.deep.include({ kind: 'committed' });
    expect(outcome.kind === 'committed' && outcome.returned[1]).to.deep.equal([{ tokenHash: 'old' }]);
    expect(await findAccessToken(database.db, 'old')).to.equal(undefined);
    const [device] = await readDevices(database.db, ALICE);
    expect(device).to.deep.include({ deviceId: 'D', displayName: 'phone', createdTs: NOW });
    expect(await countDevices(database.db, ALICE)).to.equal(1);
  });

  it('lets nobody log in to an account that does not exist or is deactivated', async () => {
    const refused = { kind: 'refused', refusal: 'no-such-account' };
    expect(await write(...login('D', 'h'))).to.deep.include(refused);
    await write(...account(), ...login('D', 'h'), ...deactivateAccount(ALICE, false, 5));
    expect(await write(...login('E', 'i'))).to.deep.include(refused);
    expect(await findAccessToken(database.db, 'h'), 'the token of a deactivated account').to.equal(undefined);
    expect(await findAccount(database.db, ALICE)).to.deep.include({ passwordHash: null, deactivatedTs: 5 });
  });

  it('deletes all devices but one', async () => {
    await write(...account(), ...login('A', 'a'), ...login('B', 'b'), ...login('C', 'c'));
    const outcome = await write(...deleteOtherDevicesOf(ALICE, 'B'));
    const revoked = outcome.kind === 'committed' ? outcome.returned[0] : [];
    expect(revoked).to.have.deep.members([{ tokenHash: 'a' }, { tokenHash: 'c' }]);
    expect(await findDeviceIds(database.db, ALICE)).to.deep.equal(['B']);
  });

  it('notes the last use of a device, and passes over one that is gone', async () => {
    const use = { userId: ALICE, deviceId: 'D', ts: 9, ip: '::1', userAgent: 'x' };
    await write(...account(), ...login('D', 'h'), ...noteUses([use, { ...use, deviceId: 'gone' }]));
    expect(await readDevices(database.db, ALICE)).to.have.length(1);
    expect((await readDevices(database.db, ALICE))[0]).to.deep.include({ lastSeenTs: 9, lastSeenIp: '::1' });
  });

  it('makes an admin of who comes with the first token, and drops it', async () => {
    expect(await hasAnyAccount(database.db)).to.equal(false);
    await write(...createFirstToken('t', NOW));
    expect(await findFirstToken(database.db)).to.equal('t');
    expect(await hasValidRegistrationToken(database.db, NOW)).to.equal(true);
    await write(...account({ userId: '@user:example.org' }));
    expect(await findFirstToken(database.db), 'a user is no admin').to.equal('t');
    await write(...account({ registrationToken: 't' }));
    expect((await findAccount(database.db, ALICE))?.isAdmin).to.equal(true);
    expect(await findRegistrationToken(database.db, 't')).to.equal(undefined);
    expect(await hasAnyAccount(database.db)).to.equal(true);
    const second = await write(...account({ userId: '@b:example.org', registrationToken: 't' }));
    expect(second).to.deep.include({ kind: 'refused', refusal: 'token-is-invalid' });
  });

  it('gives back the use of a token when the name is taken', async () => {
    await write(...account(), ...createFirstToken('t', NOW));
    const outcome = await write(...account({ registrationToken: 't' }));
    expect(outcome).to.deep.include({ kind: 'refused', refusal: 'name-is-taken' });
    expect(await hasValidRegistrationToken(database.db, NOW)).to.equal(true);
  });

  it('takes a token as often as it allows, and until it expires', async () => {
    const token = { usesAllowed: 1, expiresTs: null, grantsAdmin: 0, isFirst: 0, now: NOW };
    await write(
      step(insertRegistrationToken, { ...token, token: 'once' }),
      step(insertRegistrationToken, { ...token, token: 'short', usesAllowed: null, expiresTs: NOW + 1 }),
    );
    const use = async (userId: string, registrationToken: string, now = NOW): Promise<string> =>
      (await write(...account({ userId, registrationToken, now }))).kind;
    expect(await use('@a:example.org', 'once')).to.equal('committed');
    expect(await use('@b:example.org', 'once')).to.equal('refused');
    expect(await use('@c:example.org', 'short')).to.equal('committed');
    expect(await use('@d:example.org', 'short')).to.equal('committed');
    expect(await hasValidRegistrationToken(database.db, NOW)).to.equal(true);
    expect(await use('@e:example.org', 'short', NOW + 1)).to.equal('refused');
    expect(await hasValidRegistrationToken(database.db, NOW + 1)).to.equal(false);
    expect((await findAccount(database.db, '@a:example.org'))?.isAdmin).to.equal(false);
  });

  it('keeps a profile by field', async () => {
    await write(
      ...account(),
      ...setProfileField(ALICE, 'displayname', '"Alice"'),
      ...setProfileField(ALICE, 'avatar_url', '"mxc://x/y"'),
    );
    const profile = { displayname: 'Alice', avatarUrl: 'mxc://x/y' };
    expect(await readProfile(database.db, ALICE)).to.deep.equal(profile);
    await write(...setProfileField(ALICE, 'displayname', null));
    expect(await readProfile(database.db, ALICE)).to.deep.equal({ ...profile, displayname: null });
    const nobody = await write(...setProfileField('@nobody:example.org', 'displayname', '"x"'));
    expect(nobody).to.deep.include({ kind: 'refused', refusal: 'no-such-account' });
  });
});
