import { expect } from 'chai';
import { findAccount } from '../../../../../db/accounts/reader.ts';
import type { HttpAnswer } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const REGISTER = '/_matrix/client/v3/register';
const WHOAMI = '/_matrix/client/v3/account/whoami';
const DUMMY = { type: 'm.login.dummy' };

describe('guests', () => {
  let app: AccountApp;

  afterEach(() => app.close());

  const registerGuest = (body: object = {}): Promise<HttpAnswer> =>
    app.client.post(REGISTER, body, { query: { kind: 'guest' } });

  it('are refused unless the configuration says otherwise', async () => {
    app = await startAccountApp();
    expect(outcomeOf(await registerGuest())).to.equal('403 M_GUEST_ACCESS_FORBIDDEN');
    const odd = await app.client.post(REGISTER, {}, { query: { kind: 'robot' } });
    expect(outcomeOf(odd)).to.equal('400 M_INVALID_PARAM');
  });

  describe('where they are allowed', () => {
    beforeEach(async () => {
      app = await startAccountApp({
        TROUPE_REGISTRATION_ALLOW_GUESTS: 'true',
        TROUPE_REGISTRATION_OPEN: 'true',
      });
    });

    it('get a name and a device of the server, whatever they ask for', async () => {
      const body = {
        username: 'root',
        password: 'x',
        device_id: 'MINE',
        initial_device_display_name: 'Guest',
      };
      const answer = await registerGuest({ ...body, inhibit_login: true, refresh_token: true });
      expect(textOf(answer, 'user_id')).to.match(/^@[a-z0-9]{12}:example\.org$/);
      expect(textOf(answer, 'device_id')).to.not.equal('MINE');
      expect(fieldsOf(answer)).to.not.have.property('refresh_token');
      const guest = app.client.withToken(textOf(answer, 'access_token'));
      expect(fieldsOf(await guest.get(WHOAMI))).to.deep.include({ is_guest: true });
      const { devices } = fieldsOf(await guest.get('/_matrix/client/v3/devices'));
      expect(devices).to.deep.equal([{ device_id: textOf(answer, 'device_id'), display_name: 'Guest' }]);
    });

    it('may do little', async () => {
      const answer = await registerGuest();
      const guest = app.client.withToken(textOf(answer, 'access_token'));
      const profile = `/_matrix/client/v3/profile/${textOf(answer, 'user_id')}`;
      expect((await guest.put(`${profile}/displayname`, { displayname: 'Guest' })).status).to.equal(200);
      const forbidden = '403 M_GUEST_ACCESS_FORBIDDEN';
      const avatar = { avatar_url: 'mxc://example.org/x' };
      expect(outcomeOf(await guest.put(`${profile}/avatar_url`, avatar))).to.equal(forbidden);
      const body = { new_password: 'x' };
      expect(outcomeOf(await guest.post('/_matrix/client/v3/account/password', body))).to.equal(forbidden);
      expect(outcomeOf(await guest.get('/_matrix/client/v3/capabilities'))).to.equal(forbidden);
      expect((await guest.post('/_matrix/client/v3/logout', {})).status).to.equal(200);
      expect(outcomeOf(await guest.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    });

    it('become ordinary users of the same name, with the token and the password', async () => {
      const answer = await registerGuest();
      const token = textOf(answer, 'access_token');
      const userId = textOf(answer, 'user_id');
      const username = userId.slice(1, userId.indexOf(':'));
      const wish = { username, password: 'correct horse', guest_access_token: token, auth: DUMMY };
      for (const wrong of [{ username: 'other' }, { guest_access_token: 'made-up' }])
        expect(outcomeOf(await app.client.post(REGISTER, { ...wish, ...wrong }))).to.equal('403 M_FORBIDDEN');
      const without = { ...wish, guest_access_token: undefined };
      expect(outcomeOf(await app.client.post(REGISTER, without))).to.equal('400 M_USER_IN_USE');
      const done = await app.client.post(REGISTER, wish);
      expect(textOf(done, 'user_id')).to.equal(userId);
      expect(outcomeOf(await app.client.withToken(token).get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
      const user = app.client.withToken(textOf(done, 'access_token'));
      expect(fieldsOf(await user.get(WHOAMI))).to.deep.include({ user_id: userId, is_guest: false });
      await app.logIn(username, 'correct horse', 'SECOND');
      expect(outcomeOf(await app.client.post(REGISTER, wish)), 'once').to.equal('403 M_FORBIDDEN');
      expect((await findAccount(app.world.database.db, userId))?.isGuest).to.equal(false);
    });

    it('are upgraded once when two try at the same time', async () => {
      const answer = await registerGuest();
      const userId = textOf(answer, 'user_id');
      const username = userId.slice(1, userId.indexOf(':'));
      const token = textOf(answer, 'access_token');
      const wish = { username, password: 'correct horse', guest_access_token: token, auth: DUMMY };
      const answers = await Promise.all([app.client.post(REGISTER, wish), app.client.post(REGISTER, wish)]);
      expect(answers.map(({ status }) => status)).to.have.members([200, 403]);
    });

    it('cannot be upgraded by an ordinary user’s token', async () => {
      const alice = await app.register('alice', 'correct horse');
      expect((await alice.get(WHOAMI)).status).to.equal(200);
      const login = { type: 'm.login.password', user: 'alice', password: 'correct horse' };
      const token = textOf(await app.client.post('/_matrix/client/v3/login', login), 'access_token');
      const wish = { username: 'alice', password: 'taken over', guest_access_token: token, auth: DUMMY };
      expect(outcomeOf(await app.client.post(REGISTER, wish))).to.equal('403 M_FORBIDDEN');
    });
  });
});
