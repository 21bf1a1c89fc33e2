import { expect } from 'chai';
import type { HttpClient } from '../../../support/http-client.ts';
import { type AccountApp, outcomeOf, startAccountApp, textOf } from '../client/account-app.ts';

const ADMIN = '/_synapse/admin/v1';

describe('what clients ask of the administration', () => {
  let app: AccountApp;
  let alice: HttpClient;
  let root: HttpClient;

  before(async () => {
    app = await startAccountApp();
    const first = await app.world.accounts.ask('accounts.first-token', null);
    const token = first !== null && 'token' in first ? first.token : '';
    const auth = { type: 'm.login.registration_token', token };
    const body = { username: 'root', password: 'correct horse', auth };
    const registered = await app.client.post('/_matrix/client/v3/register', body);
    root = app.client.withToken(textOf(registered, 'access_token'));
    alice = await app.register('alice', 'correct horse');
  });

  after(() => app.close());

  it('tells anybody which server it is, in one text', async () => {
    const answer = await app.client.get(`${ADMIN}/server_version`);
    expect(textOf(answer, 'server_version')).to.match(/^Troupe \d+\.\d+\.\d+$/);
  });

  it('tells administrators who else is one', async () => {
    const isAdmin = async (userId: string): Promise<unknown> =>
      (await root.get(`${ADMIN}/users/${userId}/admin`)).body;
    expect(await isAdmin('@root:example.org')).to.deep.equal({ admin: true });
    expect(await isAdmin('@alice:example.org')).to.deep.equal({ admin: false });
    const outcome = async (userId: string): Promise<string> =>
      outcomeOf(await root.get(`${ADMIN}/users/${userId}/admin`));
    expect(await outcome('@nobody:example.org')).to.equal('404 M_NOT_FOUND');
    expect(await outcome('@root:elsewhere.org')).to.equal('400 M_INVALID_PARAM');
  });

  it('tells others that they are none, readable for scripts on any page', async () => {
    const path = `${ADMIN}/users/@alice:example.org/admin`;
    const preflight = await app.client.request('OPTIONS', path);
    expect(preflight.status).to.equal(204);
    expect(preflight.headers).to.include({ 'access-control-allow-origin': '*' });
    const answer = await alice.get(path);
    expect(outcomeOf(answer)).to.equal('403 M_FORBIDDEN');
    expect(answer.headers).to.include({ 'access-control-allow-origin': '*' });
    expect(outcomeOf(await alice.get(`${ADMIN}/whois/@alice:example.org`))).to.equal('404 M_UNRECOGNIZED');
  });
});
