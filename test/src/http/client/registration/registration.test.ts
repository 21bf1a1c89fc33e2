import { createHmac } from 'node:crypto';
import { expect } from 'chai';
import { AUTH_SESSION_LIFETIME_MS } from '../../../../../actors/accounts/auth-sessions.ts';
import { NONCE_LIFETIME_MS } from '../../../../../actors/accounts/actor.ts';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const REGISTER = '/_matrix/client/v3/register';
const AVAILABLE = '/_matrix/client/v3/register/available';
const VALIDITY = '/_matrix/client/v1/register/m.login.registration_token/validity';
const SHARED_SECRET = '/_synapse/admin/v1/register';
const WISH = { username: 'alice', password: 'correct horse' };
const DUMMY = { type: 'm.login.dummy' };

describe('registration', () => {
  let app: AccountApp;

  const start = async (environment: Readonly<Record<string, string>> = {}): Promise<void> => {
    app = await startAccountApp(environment);
  };
  const register = (body: unknown, kind = 'user'): Promise<HttpAnswer> =>
    app.client.post(REGISTER, body, { query: { kind } });
  const firstToken = async (): Promise<string> => {
    const answer = await app.world.accounts.ask('accounts.first-token', null);
    if (answer === null || 'kind' in answer) throw new Error('no first token');
    return answer.token;
  };

  afterEach(() => app.close());

  describe('where it is open', () => {
    beforeEach(() => start());

    it('asks for the dummy stage, then registers and logs in', async () => {
      const asked = await register(WISH);
      expect(asked.status).to.equal(401);
      expect(fieldsOf(asked)).to.deep.include({
        flows: [{ stages: ['m.login.dummy'] }],
        params: {},
        completed: [],
      });
      const session = textOf(asked, 'session');
      const done = await register({ ...WISH, auth: { ...DUMMY, session } });
      expect(done.status).to.equal(200);
      expect(fieldsOf(done)).to.deep.include({ user_id: '@alice:example.org' });
      const whoami = await app.client
        .withToken(textOf(done, 'access_token'))
        .get('/_matrix/client/v3/account/whoami');
      expect(whoami.body).to.deep.equal({
        user_id: '@alice:example.org',
        device_id: textOf(done, 'device_id'),
        is_guest: false,
      });
      expect(outcomeOf(await register({ ...WISH, auth: { ...DUMMY, session } }))).to.equal(
        '400 M_USER_IN_USE',
      );
    });

    it('takes the stage with the first request, and keeps the device that is asked for', async () => {
      const done = await register({ ...WISH, device_id: 'PHONE', auth: DUMMY });
      expect(fieldsOf(done)).to.deep.include({ device_id: 'PHONE' });
    });

    it('gives no token with inhibit_login', async () => {
      const done = await register({ ...WISH, inhibit_login: true, auth: DUMMY });
      expect(done.body).to.deep.equal({ user_id: '@alice:example.org', home_server: 'example.org' });
    });

    it('generates a name, and maps upper case to lower case', async () => {
      const generated = await register({ password: 'x', auth: DUMMY });
      expect(textOf(generated, 'user_id')).to.match(/^@[a-z0-9]{12}:example\.org$/);
      const lower = await register({ ...WISH, username: 'Alice', auth: DUMMY });
      expect(textOf(lower, 'user_id')).to.equal('@alice:example.org');
    });

    it('refuses a session of another body, an expired one, and one that is made up', async () => {
      const session = textOf(await register(WISH), 'session');
      const other = await register({ ...WISH, username: 'bob', auth: { ...DUMMY, session } });
      expect(outcomeOf(other)).to.equal('401 M_FORBIDDEN');
      expect(textOf(other, 'session')).to.not.equal(session);
      const madeUp = await register({ ...WISH, auth: { ...DUMMY, session: 'made-up' } });
      expect(outcomeOf(madeUp)).to.equal('401 M_FORBIDDEN');
      await app.world.clock.advance(AUTH_SESSION_LIFETIME_MS);
      const expired = await register({ ...WISH, auth: { ...DUMMY, session } });
      expect(outcomeOf(expired)).to.equal('401 M_FORBIDDEN');
      const again = await register({ ...WISH, auth: { ...DUMMY, session: textOf(expired, 'session') } });
      expect(again.status).to.equal(200);
    });

    it('lets a client learn the flows with an empty body first', async () => {
      const session = textOf(await register({ auth: null }), 'session');
      expect((await register({ ...WISH, auth: { ...DUMMY, session } })).status).to.equal(200);
    });

    it('refuses a stage that is in no flow, and answers with the flows', async () => {
      const answer = await register({ ...WISH, auth: { type: 'm.login.email.identity' } });
      expect(outcomeOf(answer)).to.equal('401 M_UNKNOWN');
      expect(fieldsOf(answer)['flows']).to.deep.equal([{ stages: ['m.login.dummy'] }]);
    });

    it('refuses what cannot be before it asks for anything', async () => {
      expect(outcomeOf(await register({ ...WISH, username: 'a b' }))).to.equal('400 M_INVALID_USERNAME');
      expect(outcomeOf(await register({ ...WISH, password: '' }))).to.equal('400 M_WEAK_PASSWORD');
      expect(outcomeOf(await register({ ...WISH, password: 'x'.repeat(513) }))).to.equal(
        '400 M_INVALID_PARAM',
      );
      expect(outcomeOf(await register({ ...WISH, device_id: 'x'.repeat(256) }))).to.equal(
        '400 M_INVALID_PARAM',
      );
      expect(outcomeOf(await register({ username: 'alice', auth: DUMMY }))).to.equal('400 M_MISSING_PARAM');
      expect(outcomeOf(await register({}, 'guest'))).to.equal('403 M_GUEST_ACCESS_FORBIDDEN');
      await app.register('alice', 'correct horse');
      expect(outcomeOf(await register({ ...WISH, username: 'ALICE' }))).to.equal('400 M_USER_IN_USE');
    });

    it('gives a name to one of two who race for it', async () => {
      const answers = await Promise.all([
        register({ ...WISH, auth: DUMMY }),
        register({ ...WISH, auth: DUMMY }),
      ]);
      expect(answers.map(outcomeOf).toSorted()).to.deep.equal(['200', '400 M_USER_IN_USE']);
    });

    it('says which names can be had', async () => {
      const ask = (username: string) => app.client.get(AVAILABLE, { query: { username } });
      expect((await ask('alice')).body).to.deep.equal({ available: true });
      await app.register('alice', 'correct horse');
      expect(outcomeOf(await ask('Alice'))).to.equal('400 M_USER_IN_USE');
      expect(outcomeOf(await ask('a b'))).to.equal('400 M_INVALID_USERNAME');
    });

    it('offers the token of the first admin as well', async () => {
      const token = await firstToken();
      const asked = await register(WISH);
      expect(fieldsOf(asked)['flows']).to.deep.equal([
        { stages: ['m.login.dummy'] },
        { stages: ['m.login.registration_token'] },
      ]);
      const auth = { type: 'm.login.registration_token', token, session: textOf(asked, 'session') };
      const done = await register({ ...WISH, auth });
      expect(done.status).to.equal(200);
    });

    it('never logs a password', async () => {
      await app.register('alice', 'correct horse');
      const alice = await app.logIn('alice', 'correct horse', 'SECOND');
      const body = {
        new_password: 'battery staple',
        auth: { type: 'm.login.password', password: 'correct horse' },
      };
      expect((await alice.post('/_matrix/client/v3/account/password', body)).status).to.equal(200);
      expect(app.logText())
        .to.include('"request"')
        .and.not.match(/correct horse|battery staple/);
    });
  });

  describe('where it is closed', () => {
    beforeEach(() => start({ TROUPE_REGISTRATION_OPEN: 'false' }));

    it('is refused without a valid token', async () => {
      const answer = await register(WISH);
      expect(outcomeOf(answer)).to.equal('403 M_FORBIDDEN');
      expect(textOf(answer, 'error')).to.match(/closed/);
      const validity = await app.client.get(VALIDITY, { query: { token: 'x' } });
      expect(outcomeOf(validity)).to.equal('403 M_FORBIDDEN');
    });

    it('makes an admin by the first token, once', async () => {
      const token = await firstToken();
      const asked = await register(WISH);
      expect(fieldsOf(asked)['flows']).to.deep.equal([{ stages: ['m.login.registration_token'] }]);
      const session = textOf(asked, 'session');
      const stage = { type: 'm.login.registration_token', session };
      const wrong = await register({ ...WISH, auth: { ...stage, token: 'wrong' } });
      expect(outcomeOf(wrong)).to.equal('401 M_FORBIDDEN');
      expect(fieldsOf(wrong)).to.deep.include({ session, completed: [] });
      expect(outcomeOf(await register({ ...WISH, auth: stage }))).to.equal('401 M_MISSING_PARAM');
      const validity = (given: string) => app.client.get(VALIDITY, { query: { token: given } });
      expect((await validity(token)).body).to.deep.equal({ valid: true });
      expect((await validity('wrong')).body).to.deep.equal({ valid: false });
      expect((await register({ ...WISH, auth: { ...stage, token } })).status).to.equal(200);
      expect(await app.world.accounts.ask('accounts.first-token', null)).to.equal(null);
      expect(outcomeOf(await register({ ...WISH, username: 'bob' }))).to.equal('403 M_FORBIDDEN');
    });
  });

  describe('by shared secret', () => {
    const SECRET = 'shared secret';

    const nonce = async (): Promise<string> => textOf(await app.client.get(SHARED_SECRET), 'nonce');
    const macOf = (parts: readonly string[]): string =>
      createHmac('sha1', SECRET).update(parts.join('\0')).digest('hex');

    it('is off without a secret', async () => {
      await start();
      expect(outcomeOf(await app.client.get(SHARED_SECRET))).to.equal('400 M_UNKNOWN');
      const body = { nonce: 'x', username: 'x', password: 'x', mac: 'x' };
      expect(outcomeOf(await app.client.post(SHARED_SECRET, body))).to.equal('400 M_UNKNOWN');
    });

    it('computes the code that the tools compute', async () => {
      await start({ TROUPE_REGISTRATION_OPEN: 'false', TROUPE_REGISTRATION_SHARED_SECRET: SECRET });
      const first = await nonce();
      const body = { ...WISH, nonce: first, admin: true, displayname: 'Alice', user_type: 'bot' };
      const mac = macOf([first, 'alice', 'correct horse', 'admin', 'bot']);
      const done = await app.client.post(SHARED_SECRET, { ...body, mac });
      expect(done.status).to.equal(200);
      expect(fieldsOf(done)).to.deep.include({ user_id: '@alice:example.org', home_server: 'example.org' });
      const profile = await app.client.get('/_matrix/client/v3/profile/@alice:example.org');
      expect(profile.body).to.deep.equal({ displayname: 'Alice' });
      expect(outcomeOf(await app.client.post(SHARED_SECRET, { ...body, mac }))).to.equal('400 M_UNKNOWN');
    });

    it('refuses a wrong code, a used nonce, and an old one', async () => {
      await start({ TROUPE_REGISTRATION_SHARED_SECRET: SECRET });
      const wrong = { ...WISH, nonce: await nonce(), admin: false };
      const mac = macOf([wrong.nonce, 'alice', 'correct horse', 'admin']);
      expect(outcomeOf(await app.client.post(SHARED_SECRET, { ...wrong, mac }))).to.equal('403 M_FORBIDDEN');
      const right = macOf([wrong.nonce, 'alice', 'correct horse', 'notadmin']);
      expect(outcomeOf(await app.client.post(SHARED_SECRET, { ...wrong, mac: right }))).to.equal(
        '400 M_UNKNOWN',
      );
      const old = await nonce();
      await app.world.clock.advance(NONCE_LIFETIME_MS);
      const late = { ...WISH, nonce: old, mac: macOf([old, 'alice', 'correct horse', 'notadmin']) };
      expect(outcomeOf(await app.client.post(SHARED_SECRET, late))).to.equal('400 M_UNKNOWN');
    });
  });
});
