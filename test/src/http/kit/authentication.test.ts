import { expect } from 'chai';
import { Type } from 'typebox';
import { hashAccessToken } from '../../../../db/accounts/token-hash.ts';
import { readAccessToken } from '../../../../db/accounts/queries.ts';
import { defineQuery } from '../../../../db/kit/query.ts';
import { type WriteStep, step } from '../../../../db/kit/write-set.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { defineEndpoint } from '../../../../src/http/kit/endpoint.ts';
import type { HttpAnswer } from '../../../support/http-client.ts';
import { type TestDatabase, createTestDatabase } from '../../../support/database.ts';
import { type TestApp, startTestApp, testConfig } from './test-app.ts';

const open = { method: 'GET', spec: 'test', rateLimit: null, reply: Type.Unknown(), needs: [] } as const;

const forUsers = defineEndpoint({
  ...open,
  path: '/_matrix/user',
  auth: 'user',
  handle: ({ caller }) => Promise.resolve({ caller }),
});
const forAdmins = defineEndpoint({
  ...open,
  path: '/_matrix/admin',
  auth: 'admin',
  handle: ({ caller }) => Promise.resolve({ caller }),
});
const forAnybody = defineEndpoint({
  ...open,
  path: '/_matrix/optional',
  auth: 'optional',
  handle: ({ caller }) => Promise.resolve({ caller }),
});
const forNobody = defineEndpoint({
  ...open,
  path: '/_matrix/none',
  auth: 'none',
  handle: ({ caller }) => Promise.resolve({ caller }),
});
const limited = defineEndpoint({
  ...open,
  path: '/_matrix/limited',
  auth: 'user',
  rateLimit: 'reading',
  handle: ({ caller }) => Promise.resolve({ caller }),
});

const insertAccount = defineQuery<{
  readonly userId: string;
  readonly isAdmin: number;
  readonly deactivatedTs: number | null;
}>({
  name: 'test.insert-account',
  sql: 'INSERT INTO accounts (user_id, is_admin, created_ts, deactivated_ts) VALUES (:userId, :isAdmin, 1, :deactivatedTs)',
});
const insertToken = defineQuery<{ readonly tokenHash: string; readonly userId: string }>({
  name: 'test.insert-token',
  sql: "INSERT INTO access_tokens (token_hash, user_id, device_id, created_ts) VALUES (:tokenHash, :userId, 'DEVICE', 1)",
});
const removeToken = defineQuery<{ readonly tokenHash: string }>({
  name: 'test.remove-token',
  sql: 'DELETE FROM access_tokens WHERE token_hash = :tokenHash',
});
const makeAdmin = defineQuery<{ readonly userId: string }>({
  name: 'test.make-admin',
  sql: 'UPDATE accounts SET is_admin = 1 WHERE user_id = :userId',
});
const QUERIES = [insertAccount, insertToken, removeToken, makeAdmin];

const TOKEN = 'syt_alice';

describe('authentication', () => {
  let database: TestDatabase;
  let test: TestApp;
  /** Counts the look-ups of tokens in the database. */
  let reads: number;

  const write = async (...steps: readonly WriteStep[]): Promise<void> => {
    expect(await database.write.write({ owner: 'accounts', steps })).to.include({ kind: 'committed' });
  };
  const addAccount = (
    userId: string,
    token: string,
    more: { isAdmin?: number; deactivatedTs?: number } = {},
  ) =>
    write(
      step(insertAccount, { userId, isAdmin: more.isAdmin ?? 0, deactivatedTs: more.deactivatedTs ?? null }),
      step(insertToken, { tokenHash: hashAccessToken(token), userId }),
    );
  const errorOf = ({ status, body }: HttpAnswer): unknown => {
    const { errcode, soft_logout: softLogout } = body as { errcode?: string; soft_logout?: boolean };
    return softLogout === undefined ? [status, errcode] : [status, errcode, softLogout];
  };

  beforeEach(async () => {
    database = await createTestDatabase({ queries: QUERIES });
    reads = 0;
    const db: ReadDb = {
      ...database.db,
      find(query, params) {
        if (query.name === readAccessToken.name) reads += 1;
        return database.db.find(query, params);
      },
    };
    const config = testConfig({ rateLimits: { reading: { perSecond: 0.001, burst: 2 } } });
    test = await startTestApp([forUsers, forAdmins, forAnybody, forNobody, limited], { db, config });
    await addAccount('@alice:example.org', TOKEN);
  });
  afterEach(async () => {
    await test.close();
    database.close();
  });

  it('takes the token from the header in any case of its scheme, and from the query', async () => {
    const caller = {
      userId: '@alice:example.org',
      deviceId: 'DEVICE',
      isAdmin: false,
      isGuest: false,
      isSuspended: false,
      tokenHash: hashAccessToken(TOKEN),
    };
    for (const scheme of ['Bearer', 'bearer', 'BEARER']) {
      const answer = await test.client.get('/_matrix/user', {
        headers: { Authorization: `${scheme} ${TOKEN}` },
      });
      expect(answer.body, scheme).to.deep.equal({ caller });
    }
    expect((await test.client.get('/_matrix/user', { query: { access_token: TOKEN } })).body).to.deep.equal({
      caller,
    });
    expect(test.accesses()[0]).to.include({ user: '@alice:example.org' });
  });

  it('believes the header rather than the query', async () => {
    const answer = await test.client.get('/_matrix/user', { token: 'wrong', query: { access_token: TOKEN } });
    expect(errorOf(answer)).to.deep.equal([401, 'M_UNKNOWN_TOKEN', false]);
  });

  it('answers 401 M_MISSING_TOKEN without a token', async () => {
    for (const headers of [
      {},
      { Authorization: 'Basic eDp5' },
      { Authorization: 'Bearer' },
      { Authorization: 'Bearer ' },
    ])
      expect(errorOf(await test.client.get('/_matrix/user', { headers }))).to.deep.equal([
        401,
        'M_MISSING_TOKEN',
      ]);
    expect(errorOf(await test.client.get('/_matrix/user?access_token='))).to.deep.equal([
      401,
      'M_MISSING_TOKEN',
    ]);
  });

  it('answers 401 M_UNKNOWN_TOKEN to a token that is not known or of a deactivated account', async () => {
    await addAccount('@gone:example.org', 'syt_gone', { deactivatedTs: 5 });
    for (const token of ['nonsense', 'syt_gone'])
      expect(errorOf(await test.client.get('/_matrix/user', { token }))).to.deep.equal([
        401,
        'M_UNKNOWN_TOKEN',
        false,
      ]);
  });

  it('answers 403 M_FORBIDDEN to who is not an administrator', async () => {
    await addAccount('@root:example.org', 'syt_root', { isAdmin: 1 });
    expect(errorOf(await test.client.get('/_matrix/admin', { token: TOKEN }))).to.deep.equal([
      403,
      'M_FORBIDDEN',
    ]);
    expect((await test.client.get('/_matrix/admin', { token: 'syt_root' })).status).to.equal(200);
    expect(errorOf(await test.client.get('/_matrix/admin'))).to.deep.equal([401, 'M_MISSING_TOKEN']);
  });

  it('lets nobody in where a token is optional, and a wrong token not', async () => {
    expect((await test.client.get('/_matrix/optional')).body).to.deep.equal({ caller: null });
    expect((await test.client.get('/_matrix/optional', { token: TOKEN })).body).to.have.nested.property(
      'caller.userId',
    );
    expect((await test.client.get('/_matrix/optional', { token: 'x' })).status).to.equal(401);
    expect((await test.client.get('/_matrix/none', { token: 'x' })).body).to.deep.equal({ caller: null });
  });

  it('remembers a token until a fact says otherwise', async () => {
    const ask = () => test.client.get('/_matrix/user', { token: TOKEN });
    for (let count = 0; count < 3; count += 1) await ask();
    expect(reads).to.equal(1);
    const tokenHash = hashAccessToken(TOKEN);
    await write(step(makeAdmin, { userId: '@alice:example.org' }));
    test.caches.applyFacts([{ fact: 'account', userId: '@alice:example.org' }]);
    expect((await ask()).body).to.have.nested.property('caller.isAdmin', true);
    await write(step(removeToken, { tokenHash }));
    expect((await ask()).status).to.equal(200);
    test.caches.applyFacts([{ fact: 'access-token', tokenHash }]);
    expect((await ask()).status).to.equal(401);
    expect(reads).to.equal(3);
  });

  it('never remembers that a token is unknown', async () => {
    const ask = () => test.client.get('/_matrix/user', { token: 'syt_bob' });
    expect((await ask()).status).to.equal(401);
    await addAccount('@bob:example.org', 'syt_bob');
    expect((await ask()).status).to.equal(200);
    expect(test.figures.get('cache.access-tokens.size')).to.equal(1);
  });

  it('limits by user where it knows who is calling', async () => {
    await addAccount('@bob:example.org', 'syt_bob');
    const statuses = [];
    for (const token of [TOKEN, TOKEN, TOKEN, 'syt_bob'])
      statuses.push((await test.client.get('/_matrix/limited', { token })).status);
    expect(statuses).to.deep.equal([200, 200, 429, 200]);
    expect(test.figures.get('http.rate-limited.reading.user')).to.equal(1);
  });
});
