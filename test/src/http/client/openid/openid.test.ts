import { expect } from 'chai';
import { findOpenIdUser } from '../../../../../db/accounts/reader.ts';
import { PASSING_TOKENS_PER_USER_MAX } from '../../../../../db/accounts/token-writer.ts';
import { hashAccessToken } from '../../../../../db/accounts/token-hash.ts';
import type { HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const ALICE = '@alice:example.org';
const PATH = `/_matrix/client/v3/user/${ALICE}/openid/request_token`;

describe('OpenID tokens', () => {
  let app: AccountApp;
  let alice: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    alice = await app.register('alice', 'correct horse');
  });

  afterEach(() => app.close());

  const owner = (token: string) =>
    findOpenIdUser(app.world.database.db, hashAccessToken(token), app.world.clock.now());

  it('tell who somebody is, for an hour, and nothing else', async () => {
    const answer = await alice.post(PATH, {});
    const token = textOf(answer, 'access_token');
    expect(fieldsOf(answer)).to.deep.include({
      token_type: 'Bearer',
      matrix_server_name: 'example.org',
      expires_in: 3600,
    });
    expect(await owner(token)).to.equal(ALICE);
    const asAccess = await app.client.withToken(token).get('/_matrix/client/v3/account/whoami');
    expect(outcomeOf(asAccess)).to.equal('401 M_UNKNOWN_TOKEN');
    await app.world.host.restart('accounts');
    await app.world.clock.advance(3_599_999);
    expect(await owner(token)).to.equal(ALICE);
    await app.world.clock.advance(1);
    expect(await owner(token)).to.equal(undefined);
    expect(await owner('made-up')).to.equal(undefined);
  });

  it('are made for oneself', async () => {
    const bob = await app.register('bob', 'correct horse');
    expect(outcomeOf(await bob.post(PATH, {}))).to.equal('403 M_FORBIDDEN');
  });

  it('end with the account', async () => {
    const token = textOf(await alice.post(PATH, {}), 'access_token');
    const auth = { type: 'm.login.password', password: 'correct horse' };
    expect((await alice.post('/_matrix/client/v3/account/deactivate', { auth })).status).to.equal(200);
    expect(await owner(token)).to.equal(undefined);
  });

  it('are bounded: the one that ends first makes room', async () => {
    const tokens: string[] = [];
    for (let count = 0; count <= PASSING_TOKENS_PER_USER_MAX; count += 1) {
      tokens.push(textOf(await alice.post(PATH, {}), 'access_token'));
      await app.world.clock.advance(1);
    }
    expect(await owner(tokens[0] ?? '')).to.equal(undefined);
    expect(await owner(tokens[1] ?? '')).to.equal(ALICE);
    expect(await owner(tokens.at(-1) ?? '')).to.equal(ALICE);
  });
});
