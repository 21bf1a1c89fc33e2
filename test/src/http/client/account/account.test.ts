import { expect } from 'chai';
import type { HttpAnswer, HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const PASSWORD = '/_matrix/client/v3/account/password';
const DEACTIVATE = '/_matrix/client/v3/account/deactivate';
const WHOAMI = '/_matrix/client/v3/account/whoami';
const STAGE = { type: 'm.login.password', password: 'correct horse' };
const CHANGE = { new_password: 'battery staple' };

describe('changing an account', () => {
  let app: AccountApp;
  let alice: HttpClient;
  let other: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    alice = await app.register('alice', 'correct horse');
    other = await app.logIn('alice', 'correct horse', 'OTHER');
  });

  afterEach(() => app.close());

  async function logIn(password: string): Promise<string> {
    const body = { type: 'm.login.password', identifier: { type: 'm.id.user', user: 'alice' }, password };
    return outcomeOf(await app.client.post('/_matrix/client/v3/login', body));
  }

  it('needs the password', async () => {
    const asked = await alice.post(PASSWORD, CHANGE);
    expect(asked.status).to.equal(401);
    expect(fieldsOf(asked)).to.have.all.keys('flows', 'params', 'session', 'completed');
    expect(fieldsOf(asked)['flows']).to.deep.equal([{ stages: ['m.login.password'] }]);
    const session = textOf(asked, 'session');
    const wrong = await alice.post(PASSWORD, { ...CHANGE, auth: { ...STAGE, password: 'wrong', session } });
    expect(outcomeOf(wrong)).to.equal('401 M_FORBIDDEN');
    expect(fieldsOf(wrong)).to.deep.include({ session, completed: [] });
    const done = await alice.post(PASSWORD, { ...CHANGE, auth: { ...STAGE, session } });
    expect(done.body).to.deep.equal({});
    expect(await logIn('correct horse')).to.equal('403 M_FORBIDDEN');
    expect(await logIn('battery staple')).to.equal('200');
  });

  it('logs the other devices out, or not', async () => {
    const keep = { ...CHANGE, logout_devices: false };
    expect((await other.get(WHOAMI)).status).to.equal(200);
    expect((await alice.post(PASSWORD, { ...keep, auth: STAGE })).status).to.equal(200);
    expect((await other.get(WHOAMI)).status).to.equal(200);
    const again = { ...STAGE, password: 'battery staple' };
    expect((await alice.post(PASSWORD, { new_password: 'third', auth: again })).status).to.equal(200);
    expect(outcomeOf(await other.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect((await alice.get(WHOAMI)).status).to.equal(200);
  });

  it('refuses a session for another body, another endpoint or another user', async () => {
    const bob = await app.register('bob', 'hunter two');
    const session = textOf(await alice.post(PASSWORD, CHANGE), 'session');
    const auth = { ...STAGE, session };
    const refused = async (answer: Promise<HttpAnswer>): Promise<void> => {
      const { text, ...rest } = await answer;
      expect(outcomeOf({ text, ...rest })).to.equal('401 M_FORBIDDEN');
      expect(textOf({ text, ...rest }, 'session')).to.not.equal(session);
    };
    await refused(alice.post(PASSWORD, { new_password: 'another', auth }));
    await refused(alice.post(DEACTIVATE, { ...CHANGE, auth }));
    await refused(bob.post(PASSWORD, { ...CHANGE, auth: { ...auth, password: 'hunter two' } }));
    expect(await logIn('correct horse'), 'nothing has changed').to.equal('200');
    expect((await alice.post(PASSWORD, { ...CHANGE, auth })).status).to.equal(200);
  });

  describe('by who has no access token any more', () => {
    const identifier = { type: 'm.id.user', user: 'alice' };

    it('needs a name and its password, which it does not tell apart', async () => {
      const asked = await app.client.post(PASSWORD, CHANGE);
      expect(fieldsOf(asked)['flows']).to.deep.equal([{ stages: ['m.login.password'] }]);
      const outcomeWith = async (auth: object): Promise<string> =>
        outcomeOf(await app.client.post(PASSWORD, { ...CHANGE, auth }));
      expect(await outcomeWith(STAGE), 'nobody is named').to.equal('401 M_MISSING_PARAM');
      const wrong = await app.client.post(PASSWORD, {
        ...CHANGE,
        auth: { ...STAGE, identifier, password: 'wrong' },
      });
      const nobody = { ...STAGE, identifier: { type: 'm.id.user', user: 'nobody' } };
      const unknown = await app.client.post(PASSWORD, { ...CHANGE, auth: nobody });
      expect(outcomeOf(wrong)).to.equal('401 M_FORBIDDEN');
      expect(fieldsOf(unknown)).to.deep.include({ errcode: 'M_FORBIDDEN', error: fieldsOf(wrong)['error'] });
      expect(await logIn('correct horse'), 'nothing has changed').to.equal('200');
    });

    it('changes the password, and logs all devices out, or none', async () => {
      const stay = { ...CHANGE, logout_devices: false, auth: { ...STAGE, identifier } };
      expect((await app.client.post(PASSWORD, stay)).body).to.deep.equal({});
      expect(await logIn('battery staple')).to.equal('200');
      expect((await other.get(WHOAMI)).status).to.equal(200);
      const auth = { ...STAGE, identifier, password: 'battery staple' };
      expect((await app.client.post(PASSWORD, { new_password: 'third', auth })).body).to.deep.equal({});
      for (const device of [alice, other])
        expect(outcomeOf(await device.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
      expect(await logIn('third')).to.equal('200');
    });

    it('deactivates the account that is named, and no other', async () => {
      const bob = await app.register('bob', 'hunter two');
      const session = textOf(await app.client.post(DEACTIVATE, {}), 'session');
      const answer = await app.client.post(DEACTIVATE, { auth: { ...STAGE, identifier, session } });
      expect(answer.body).to.deep.equal({ id_server_unbind_result: 'success' });
      expect(await logIn('correct horse')).to.equal('403 M_USER_DEACTIVATED');
      expect((await bob.get(WHOAMI)).status).to.equal(200);
      const again = await app.client.post(DEACTIVATE, { auth: { ...STAGE, identifier } });
      expect(outcomeOf(again), 'there is no password any more').to.equal('401 M_FORBIDDEN');
    });

    it('is told when the account is locked', async () => {
      const locked = { userId: '@alice:example.org', measure: 'lock', isOn: true } as const;
      await app.world.accounts.ask('accounts.moderate', locked);
      const answer = await app.client.post(PASSWORD, { ...CHANGE, auth: { ...STAGE, identifier } });
      expect(outcomeOf(answer)).to.equal('401 M_USER_LOCKED');
    });
  });

  it('takes the password of the caller only', async () => {
    await app.register('bob', 'hunter two');
    const named = { type: 'm.login.password', password: 'hunter two' };
    const identifier = { type: 'm.id.user', user: 'bob' };
    const asBob = await alice.post(PASSWORD, { ...CHANGE, auth: { ...named, identifier } });
    expect(outcomeOf(asBob)).to.equal('401 M_FORBIDDEN');
    const asOld = await alice.post(PASSWORD, { ...CHANGE, auth: { ...STAGE, user: 'bob' } });
    expect(outcomeOf(asOld)).to.equal('401 M_FORBIDDEN');
    const email = { type: 'm.id.thirdparty', medium: 'email', address: 'a@b' };
    const byMail = await alice.post(PASSWORD, { ...CHANGE, auth: { ...STAGE, identifier: email } });
    expect(outcomeOf(byMail)).to.equal('401 M_FORBIDDEN');
    const asSelf = { ...STAGE, identifier: { type: 'm.id.user', user: '@alice:example.org' } };
    expect((await alice.post(PASSWORD, { ...CHANGE, auth: asSelf })).status).to.equal(200);
  });

  it('deactivates: the tokens end, the password is gone, the name stays taken', async () => {
    const displayname = '/_matrix/client/v3/profile/@alice:example.org/displayname';
    await alice.put(displayname, { displayname: 'Alice' });
    expect((await other.get(WHOAMI)).status).to.equal(200);
    const answer = await alice.post(DEACTIVATE, { erase: true, auth: STAGE });
    expect(answer.body).to.deep.equal({ id_server_unbind_result: 'success' });
    expect(outcomeOf(await alice.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(outcomeOf(await other.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(await logIn('correct horse')).to.equal('403 M_USER_DEACTIVATED');
    expect((await app.client.get(displayname)).body).to.deep.equal({});
    const body = { username: 'alice', password: 'x', auth: { type: 'm.login.dummy' } };
    expect(outcomeOf(await app.client.post('/_matrix/client/v3/register', body))).to.equal(
      '400 M_USER_IN_USE',
    );
  });

  it('knows no third-party ids', async () => {
    expect((await alice.get('/_matrix/client/v3/account/3pid')).body).to.deep.equal({ threepids: [] });
  });
});
