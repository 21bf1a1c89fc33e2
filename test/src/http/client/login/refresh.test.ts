import { expect } from 'chai';
import { defineQuery } from '../../../../../db/kit/query.ts';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const WHOAMI = '/_matrix/client/v3/account/whoami';
const LIFETIME_S = 60;
const LIFETIME_MS = LIFETIME_S * 1000;

interface Pair {
  readonly access: string;
  readonly refresh: string;
}

const allTexts = defineQuery<Record<string, never>, { readonly texts: string }>({
  name: 'test.texts-of-tokens',
  sql: `SELECT group_concat(token_hash || coalesce(refresh_hash, '')) AS texts FROM access_tokens
        UNION ALL SELECT group_concat(token_hash || coalesce(replaces_hash, '')) FROM refresh_tokens`,
});
const rowCounts = defineQuery<Record<string, never>, { readonly access: number; readonly refresh: number }>({
  name: 'test.count-tokens',
  sql: 'SELECT (SELECT count(*) FROM access_tokens) AS access, (SELECT count(*) FROM refresh_tokens) AS refresh',
});

describe('refreshing access tokens', () => {
  let app: AccountApp;

  beforeEach(async () => {
    app = await startAccountApp({ TROUPE_ACCOUNTS_ACCESS_TOKEN_LIFETIME: String(LIFETIME_S) });
  });

  afterEach(() => app.close());

  const pairOf = (answer: HttpAnswer): Pair => ({
    access: textOf(answer, 'access_token'),
    refresh: textOf(answer, 'refresh_token'),
  });
  async function register(): Promise<Pair> {
    const auth = { type: 'm.login.dummy' };
    const body = {
      username: 'alice',
      password: 'correct horse',
      device_id: 'PHONE',
      refresh_token: true,
      auth,
    };
    const answer = await app.client.post('/_matrix/client/v3/register', body);
    expect(fieldsOf(answer)['expires_in_ms']).to.equal(LIFETIME_MS);
    return pairOf(answer);
  }
  const refresh = (token: string): Promise<HttpAnswer> =>
    app.client.post('/_matrix/client/v3/refresh', { refresh_token: token });
  const whoami = (token: string): Promise<HttpAnswer> => app.client.withToken(token).get(WHOAMI);
  const softness = (answer: HttpAnswer): unknown => [outcomeOf(answer), fieldsOf(answer)['soft_logout']];
  const settle = () => app.world.host.idle();

  it('is for clients that ask for it: other tokens do not end', async () => {
    const plain = await app.register('bob', 'correct horse');
    await app.world.clock.advance(1000 * LIFETIME_MS);
    expect((await plain.get(WHOAMI)).status).to.equal(200);
    const login = { type: 'm.login.password', user: 'bob', password: 'correct horse' };
    const path = '/_matrix/client/v3/login';
    expect(fieldsOf(await app.client.post(path, login))).to.not.have.any.keys(
      'refresh_token',
      'expires_in_ms',
    );
    expect(fieldsOf(await app.client.post(path, { ...login, refresh_token: true }))).to.deep.include({
      expires_in_ms: LIFETIME_MS,
    });
  });

  it('goes on after a soft logout, on the same device', async () => {
    const first = await register();
    await app.world.clock.advance(LIFETIME_MS - 1);
    expect((await whoami(first.access)).status).to.equal(200);
    await app.world.clock.advance(1);
    expect(softness(await whoami(first.access))).to.deep.equal(['401 M_UNKNOWN_TOKEN', true]);
    const second = pairOf(await refresh(first.refresh));
    expect(fieldsOf(await whoami(second.access))).to.deep.include({ device_id: 'PHONE' });
    expect(second.refresh).to.not.equal(first.refresh);
    expect(softness(await whoami(first.access)), 'still a soft one').to.deep.equal([
      '401 M_UNKNOWN_TOKEN',
      true,
    ]);
  });

  it('keeps the old refresh token until the new access token is used', async () => {
    const first = await register();
    const lost = pairOf(await refresh(first.refresh));
    const second = pairOf(await refresh(first.refresh));
    expect(softness(await whoami(lost.access)), 'its place is taken').to.deep.equal([
      '401 M_UNKNOWN_TOKEN',
      false,
    ]);
    expect((await whoami(second.access)).status).to.equal(200);
    await settle();
    expect(softness(await refresh(first.refresh))).to.deep.equal(['401 M_UNKNOWN_TOKEN', true]);
    expect((await refresh(lost.refresh)).status).to.equal(401);
    expect((await refresh(second.refresh)).status, 'the old one is used up, this one is not').to.equal(200);
    expect((await whoami(first.access)).status, 'ends by itself').to.equal(401);
  });

  it('keeps the old refresh token until the new refresh token is used', async () => {
    const first = await register();
    const second = pairOf(await refresh(first.refresh));
    const third = pairOf(await refresh(second.refresh));
    expect(softness(await refresh(first.refresh))).to.deep.equal(['401 M_UNKNOWN_TOKEN', true]);
    expect((await whoami(third.access)).status).to.equal(200);
  });

  it('lets access tokens in flight end by themselves', async () => {
    const first = await register();
    const second = pairOf(await refresh(first.refresh));
    expect((await whoami(second.access)).status).to.equal(200);
    expect((await whoami(first.access)).status).to.equal(200);
  });

  it('gives two that refresh at once one line of tokens that works', async () => {
    const first = await register();
    const answers = await Promise.all([refresh(first.refresh), refresh(first.refresh)]);
    expect(answers.map(({ status }) => status)).to.deep.equal([200, 200]);
    const uses = await Promise.all(answers.map((answer) => whoami(textOf(answer, 'access_token'))));
    expect(uses.map(({ status }) => status)).to.have.members([200, 401]);
    await settle();
    const again = await Promise.all(answers.map((answer) => refresh(textOf(answer, 'refresh_token'))));
    expect(again.map(({ status }) => status)).to.have.members([200, 401]);
    expect((await refresh(first.refresh)).status).to.equal(401);
  });

  it('works over a restart of the owner', async () => {
    const first = await register();
    await app.world.host.restart('accounts');
    const second = pairOf(await refresh(first.refresh));
    await app.world.host.restart('accounts');
    expect((await whoami(second.access)).status).to.equal(200);
    await settle();
    await app.world.host.restart('accounts');
    expect((await refresh(first.refresh)).status).to.equal(401);
    expect((await refresh(second.refresh)).status).to.equal(200);
  });

  it('ends with the device, and with a new login on it', async () => {
    const first = await register();
    expect((await app.client.withToken(first.access).post('/_matrix/client/v3/logout', {})).status).to.equal(
      200,
    );
    expect(softness(await refresh(first.refresh))).to.deep.equal(['401 M_UNKNOWN_TOKEN', false]);
    const login = { type: 'm.login.password', user: 'alice', password: 'correct horse', device_id: 'PHONE' };
    const path = '/_matrix/client/v3/login';
    const second = pairOf(await app.client.post(path, { ...login, refresh_token: true }));
    expect((await app.client.post(path, login)).status).to.equal(200);
    expect((await refresh(second.refresh)).status).to.equal(401);
  });

  it('ends for the devices that a new password logs out', async () => {
    const first = await register();
    const other = await app.logIn('alice', 'correct horse', 'OTHER');
    const auth = { type: 'm.login.password', password: 'correct horse' };
    const body = { new_password: 'battery staple', auth };
    expect((await other.post('/_matrix/client/v3/account/password', body)).status).to.equal(200);
    expect((await refresh(first.refresh)).status).to.equal(401);
  });

  it('stores hashes only, and few rows however often', async () => {
    let pair = await register();
    const given = [pair];
    for (let round = 0; round < 6; round += 1) {
      pair = pairOf(await refresh(pair.refresh));
      given.push(pair);
      if (round % 2 === 0) expect((await whoami(pair.access)).status).to.equal(200);
      await settle();
    }
    const { access, refresh: refreshes } = await app.world.database.db.get(rowCounts, {});
    expect(access).to.be.at.most(2);
    expect(refreshes).to.be.at.most(3);
    const texts = (await app.world.database.db.all(allTexts, {})).map((row) => row.texts).join('');
    for (const { access: token, refresh: other } of given) {
      expect(texts).to.not.include(token);
      expect(texts).to.not.include(other);
      expect(app.logText()).to.not.include(token);
      expect(app.logText()).to.not.include(other);
    }
  });

  it('knows no made-up tokens, nor access tokens', async () => {
    const { access } = await register();
    expect(softness(await refresh('made-up'))).to.deep.equal(['401 M_UNKNOWN_TOKEN', false]);
    expect(softness(await refresh(access))).to.deep.equal(['401 M_UNKNOWN_TOKEN', false]);
    expect(outcomeOf(await app.client.post('/_matrix/client/v3/refresh', {}))).to.equal(
      '400 M_MISSING_PARAM',
    );
  });
});
