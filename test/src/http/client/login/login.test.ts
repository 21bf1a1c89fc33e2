import { expect } from 'chai';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const LOGIN = '/_matrix/client/v3/login';
const WHOAMI = '/_matrix/client/v3/account/whoami';

describe('logging in and out', () => {
  let app: AccountApp;

  beforeEach(async () => {
    app = await startAccountApp({ TROUPE_SERVER_PUBLIC_BASE_URL: 'https://matrix.example.org' });
    await app.register('alice', 'correct horse');
  });

  afterEach(() => app.close());

  const logIn = (fields: object): Promise<HttpAnswer> =>
    app.client.post(LOGIN, { type: 'm.login.password', password: 'correct horse', ...fields });
  const as = (user: string): { readonly identifier: object } => ({ identifier: { type: 'm.id.user', user } });

  it('names its flows', async () => {
    const answer = await app.client.get(LOGIN);
    expect(answer.body).to.deep.equal({
      flows: [{ type: 'm.login.password' }, { type: 'm.login.token', get_login_token: true }],
    });
  });

  for (const name of ['alice', '@alice:example.org', 'ALICE', '@Alice:example.org']) {
    it(`knows ${name}`, async () => {
      const answer = await logIn(as(name));
      expect(fieldsOf(answer)).to.deep.include({
        user_id: '@alice:example.org',
        home_server: 'example.org',
        well_known: { 'm.homeserver': { base_url: 'https://matrix.example.org' } },
      });
    });
  }

  it('takes the deprecated field "user"', async () => {
    expect((await logIn({ user: 'alice' })).status).to.equal(200);
  });

  it('tells nobody which names exist', async () => {
    const wrong = { ...as('alice'), password: 'wrong' };
    const answers = await Promise.all([
      logIn(wrong),
      logIn(as('nobody')),
      logIn(as('@alice:elsewhere.org')),
      logIn(as('@@@')),
    ]);
    for (const answer of answers) {
      expect(outcomeOf(answer)).to.equal('403 M_FORBIDDEN');
      expect(answer.body).to.deep.equal(answers[0]?.body);
    }
  });

  it('refuses what it does not know', async () => {
    for (const type of ['m.login.email', 'toString'])
      expect(outcomeOf(await logIn({ ...as('alice'), type })), type).to.equal('400 M_UNKNOWN');
    const phone = { identifier: { type: 'm.id.phone', country: 'GB', phone: '1' } };
    expect(outcomeOf(await logIn(phone))).to.equal('400 M_UNKNOWN');
    expect(outcomeOf(await logIn({}))).to.equal('400 M_MISSING_PARAM');
    expect(outcomeOf(await logIn({ ...as('alice'), password: undefined }))).to.equal('400 M_MISSING_PARAM');
    const device = { device_id: 'x'.repeat(256) };
    expect(outcomeOf(await logIn({ ...as('alice'), ...device }))).to.equal('400 M_INVALID_PARAM');
  });

  it('revokes the token that a device had', async () => {
    const first = await app.logIn('alice', 'correct horse', 'PHONE');
    expect((await first.get(WHOAMI)).status).to.equal(200);
    const second = await app.logIn('alice', 'correct horse', 'PHONE');
    expect(outcomeOf(await first.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(fieldsOf(await second.get(WHOAMI))).to.deep.include({ device_id: 'PHONE' });
  });

  it('refuses a token as soon as its logout is answered', async () => {
    const phone = await app.logIn('alice', 'correct horse', 'PHONE');
    const tablet = await app.logIn('alice', 'correct horse', 'TABLET');
    expect((await phone.get(WHOAMI)).status).to.equal(200);
    expect((await phone.post('/_matrix/client/v3/logout', {})).status).to.equal(200);
    expect(outcomeOf(await phone.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect((await tablet.get(WHOAMI)).status).to.equal(200);
    const devices = await tablet.get('/_matrix/client/v3/devices');
    const ids = fieldsOf(devices)['devices'] as { readonly device_id: string }[];
    expect(ids.map(({ device_id: id }) => id)).to.deep.equal(['FIRST', 'TABLET']);
  });

  it('logs out everywhere', async () => {
    const phone = await app.logIn('alice', 'correct horse', 'PHONE');
    const tablet = await app.logIn('alice', 'correct horse', 'TABLET');
    expect((await tablet.get(WHOAMI)).status).to.equal(200);
    expect((await phone.post('/_matrix/client/v3/logout/all', {})).status).to.equal(200);
    expect(outcomeOf(await phone.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(outcomeOf(await tablet.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(textOf(await logIn(as('alice')), 'user_id')).to.equal('@alice:example.org');
  });
});
