import { expect } from 'chai';
import type { HttpAnswer, HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const ALICE = '@alice:example.org';
const ROOT = '@root:example.org';
const WHOAMI = '/_matrix/client/v3/account/whoami';
const DISPLAYNAME = `/_matrix/client/v3/profile/${ALICE}/displayname`;

describe('moderating accounts', () => {
  let app: AccountApp;
  let alice: HttpClient;
  let root: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    const first = await app.world.accounts.ask('accounts.first-token', null);
    const token = first !== null && 'token' in first ? first.token : '';
    const auth = { type: 'm.login.registration_token', token };
    const body = { username: 'root', password: 'correct horse', device_id: 'ROOT', auth };
    const registered = await app.client.post('/_matrix/client/v3/register', body);
    root = app.client.withToken(textOf(registered, 'access_token'));
    alice = await app.register('alice', 'correct horse');
  });

  afterEach(() => app.close());

  const put = (
    measure: 'lock' | 'suspend',
    isOn: boolean,
    userId = ALICE,
    client = root,
  ): Promise<HttpAnswer> =>
    client.put(`/_matrix/client/v1/admin/${measure}/${userId}`, {
      [measure === 'lock' ? 'locked' : 'suspended']: isOn,
    });
  const get = (measure: 'lock' | 'suspend', userId = ALICE, client = root): Promise<HttpAnswer> =>
    client.get(`/_matrix/client/v1/admin/${measure}/${userId}`);

  for (const measure of ['lock', 'suspend'] as const) {
    describe(measure, () => {
      it('is set, read and ended by administrators', async () => {
        const field = measure === 'lock' ? 'locked' : 'suspended';
        expect((await get(measure)).body).to.deep.equal({ [field]: false });
        expect((await put(measure, true)).body).to.deep.equal({ [field]: true });
        expect((await put(measure, true)).body, 'twice').to.deep.equal({ [field]: true });
        expect((await get(measure)).body).to.deep.equal({ [field]: true });
        await app.world.host.restart('accounts');
        expect((await put(measure, false)).body).to.deep.equal({ [field]: false });
        expect((await get(measure)).body).to.deep.equal({ [field]: false });
        expect((await alice.put(DISPLAYNAME, { displayname: 'Alice' })).status).to.equal(200);
      });

      it('is not for others, and tells them of nobody', async () => {
        for (const userId of [ALICE, '@nobody:example.org', '@bob:elsewhere.org']) {
          expect(outcomeOf(await put(measure, true, userId, alice))).to.equal('403 M_FORBIDDEN');
          expect(outcomeOf(await get(measure, userId, alice))).to.equal('403 M_FORBIDDEN');
        }
      });

      it('is not done to oneself, nor to another administrator', async () => {
        const second = await app.world.accounts.ask('accounts.register', {
          userId: '@second:example.org',
          passwordHash: null,
          isAdmin: true,
          displayname: null,
          registrationToken: null,
          device: null,
        });
        expect(second.kind).to.equal('registered');
        expect(outcomeOf(await put(measure, true, ROOT))).to.equal('403 M_FORBIDDEN');
        expect(outcomeOf(await put(measure, true, '@second:example.org'))).to.equal('403 M_FORBIDDEN');
        expect(outcomeOf(await get(measure, '@second:example.org'))).to.equal('403 M_FORBIDDEN');
        expect((await get(measure, ROOT)).status).to.equal(200);
      });

      it('needs a user of this server who is there', async () => {
        expect(outcomeOf(await put(measure, true, '@bob:elsewhere.org'))).to.equal('400 M_INVALID_PARAM');
        expect(outcomeOf(await get(measure, 'bob'))).to.equal('400 M_INVALID_PARAM');
        expect(outcomeOf(await put(measure, true, '@nobody:example.org'))).to.equal('404 M_NOT_FOUND');
        const auth = { type: 'm.login.password', password: 'correct horse' };
        await alice.post('/_matrix/client/v3/account/deactivate', { auth });
        expect(outcomeOf(await put(measure, true))).to.equal('404 M_NOT_FOUND');
        expect(outcomeOf(await get(measure))).to.equal('404 M_NOT_FOUND');
      });
    });
  }

  it('locks out, softly, from everything but logging out', async () => {
    const login = { type: 'm.login.password', user: 'alice', password: 'correct horse', refresh_token: true };
    const refreshable = await app.client.post('/_matrix/client/v3/login', login);
    expect((await alice.get(WHOAMI)).status).to.equal(200);
    await put('lock', true);
    const shutOut = await alice.get(WHOAMI);
    expect(outcomeOf(shutOut)).to.equal('401 M_USER_LOCKED');
    expect(fieldsOf(shutOut)['soft_logout']).to.equal(true);
    const refresh = { refresh_token: textOf(refreshable, 'refresh_token') };
    expect(outcomeOf(await app.client.post('/_matrix/client/v3/refresh', refresh))).to.equal(
      '401 M_USER_LOCKED',
    );
    const again = await app.client.post('/_matrix/client/v3/login', login);
    expect(outcomeOf(again)).to.equal('401 M_USER_LOCKED');
    const wrong = await app.client.post('/_matrix/client/v3/login', { ...login, password: 'x' });
    expect(outcomeOf(wrong), 'told to nobody else').to.equal('403 M_FORBIDDEN');
    await put('lock', false);
    expect((await alice.get(WHOAMI)).status, 'the token was not ended').to.equal(200);
    expect((await app.client.post('/_matrix/client/v3/refresh', refresh)).status).to.equal(200);
    await put('lock', true);
    expect((await alice.post('/_matrix/client/v3/logout', {})).status).to.equal(200);
    await put('lock', false);
    expect(outcomeOf(await alice.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
  });

  it('suspends: reading, logging in and leaving go on', async () => {
    await put('suspend', true);
    expect((await alice.get(WHOAMI)).status).to.equal(200);
    const set = await alice.put(DISPLAYNAME, { displayname: 'Alice' });
    expect(outcomeOf(set)).to.equal('403 M_USER_SUSPENDED');
    const second = await app.logIn('alice', 'correct horse', 'SECOND');
    expect((await second.get('/_matrix/client/v3/devices')).status).to.equal(200);
    expect((await second.post('/_matrix/client/v3/logout', {})).status).to.equal(200);
    const auth = { type: 'm.login.password', password: 'correct horse' };
    expect((await alice.post('/_matrix/client/v3/account/deactivate', { auth })).status).to.equal(200);
  });

  it('is told of among the capabilities of administrators', async () => {
    const of = async (client: HttpClient) =>
      (fieldsOf(await client.get('/_matrix/client/v3/capabilities'))['capabilities'] as object) ?? {};
    expect(await of(root)).to.deep.include({ 'm.account_moderation': { suspend: true, lock: true } });
    expect(await of(alice)).to.not.have.property('m.account_moderation');
  });

  it('shows who was where, to the user and to administrators', async () => {
    const path = `/_matrix/client/v3/admin/whois/${ALICE}`;
    await alice.get(WHOAMI, { headers: { 'x-forwarded-for': '2001:db8::1', 'user-agent': 'probe' } });
    await app.world.host.idle();
    await app.world.clock.advance(60_000);
    await app.world.host.idle();
    const own = await alice.get(path);
    expect(fieldsOf(own)['user_id']).to.equal(ALICE);
    const { FIRST } = fieldsOf(own)['devices'] as Record<string, { sessions: { connections: object[] }[] }>;
    expect(FIRST?.sessions[0]?.connections[0]).to.deep.include({ ip: '2001:db8::1', user_agent: 'probe' });
    expect((await root.get(path)).body).to.deep.equal(own.body);
    expect(outcomeOf(await alice.get(`/_matrix/client/v3/admin/whois/${ROOT}`))).to.equal('403 M_FORBIDDEN');
    expect(outcomeOf(await root.get('/_matrix/client/v3/admin/whois/@x:example.org'))).to.equal(
      '404 M_NOT_FOUND',
    );
  });
});
