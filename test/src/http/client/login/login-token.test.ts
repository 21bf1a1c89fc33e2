import { expect } from 'chai';
import type { HttpAnswer, HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const GET_TOKEN = '/_matrix/client/v1/login/get_token';
const STAGE = { type: 'm.login.password', password: 'correct horse' };

describe('tokens for a login', () => {
  let app: AccountApp;
  let alice: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    alice = await app.register('alice', 'correct horse');
  });

  afterEach(() => app.close());

  const logIn = (token: string): Promise<HttpAnswer> =>
    app.client.post('/_matrix/client/v3/login', { type: 'm.login.token', token });
  const getToken = async (): Promise<string> =>
    textOf(await alice.post(GET_TOKEN, { auth: STAGE }), 'login_token');

  it('are made after the password is given again, and are good for one login', async () => {
    const asked = await alice.post(GET_TOKEN, {});
    expect(fieldsOf(asked)['flows']).to.deep.equal([{ stages: ['m.login.password'] }]);
    const auth = { ...STAGE, session: textOf(asked, 'session') };
    const answer = await alice.post(GET_TOKEN, { auth });
    expect(fieldsOf(answer)['expires_in_ms']).to.equal(120_000);
    expect((await alice.post(GET_TOKEN, { auth })).status, 'asked again for each').to.equal(401);
    const token = textOf(answer, 'login_token');
    expect(fieldsOf(await logIn(token))).to.deep.include({ user_id: '@alice:example.org' });
    expect(outcomeOf(await logIn(token))).to.equal('403 M_FORBIDDEN');
    expect(app.logText()).to.not.include(token);
  });

  it('are good for one of two who use them at once', async () => {
    const token = await getToken();
    const answers = await Promise.all([logIn(token), logIn(token), logIn(token)]);
    expect(answers.map(outcomeOf).toSorted()).to.deep.equal(['200', '403 M_FORBIDDEN', '403 M_FORBIDDEN']);
    const devices = fieldsOf(await alice.get('/_matrix/client/v3/devices'))['devices'];
    expect(devices).to.have.length(2);
  });

  it('end after two minutes, and not with a restart', async () => {
    const [one, two] = [await getToken(), await getToken()];
    await app.world.host.restart('accounts');
    await app.world.clock.advance(119_999);
    expect((await logIn(one)).status).to.equal(200);
    await app.world.clock.advance(1);
    expect(outcomeOf(await logIn(two))).to.equal('403 M_FORBIDDEN');
  });

  it('are no access tokens, and no other tokens are login tokens', async () => {
    const token = await getToken();
    const whoami = await app.client.withToken(token).get('/_matrix/client/v3/account/whoami');
    expect(outcomeOf(whoami)).to.equal('401 M_UNKNOWN_TOKEN');
    const path = '/_matrix/client/v3/user/@alice:example.org/openid/request_token';
    const openId = textOf(await alice.post(path, {}), 'access_token');
    expect(outcomeOf(await logIn(openId))).to.equal('403 M_FORBIDDEN');
    const missing = await app.client.post('/_matrix/client/v3/login', { type: 'm.login.token' });
    expect(outcomeOf(missing)).to.equal('400 M_MISSING_PARAM');
  });

  it('end with the account and with the password that made them', async () => {
    const token = await getToken();
    const change = { new_password: 'battery staple', logout_devices: false, auth: STAGE };
    expect((await alice.post('/_matrix/client/v3/account/password', change)).status).to.equal(200);
    expect(outcomeOf(await logIn(token))).to.equal('403 M_FORBIDDEN');
  });

  it('are told of among the capabilities', async () => {
    const { capabilities } = fieldsOf(await alice.get('/_matrix/client/v3/capabilities'));
    expect(capabilities).to.deep.include({ 'm.get_login_token': { enabled: true } });
    expect(capabilities).to.not.have.property('m.account_moderation');
  });
});
