import { expect } from 'chai';
import { type AccountApp, outcomeOf, startAccountApp } from '../account-app.ts';

describe('third-party networks', () => {
  let app: AccountApp;
  before(async () => {
    app = await startAccountApp();
  });
  after(() => app.close());

  it('are none', async () => {
    const alice = await app.register('alice', 'correct horse');
    const base = '/_matrix/client/v3/thirdparty';
    expect((await alice.get(`${base}/protocols`)).body).to.deep.equal({});
    for (const path of [
      'protocol/irc',
      'location/irc',
      'location?alias=%23a:example.org',
      'user/irc',
      'user?userid=@a:example.org',
    ])
      expect(outcomeOf(await alice.get(`${base}/${path}`)), path).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await app.client.get(`${base}/protocols`))).to.equal('401 M_MISSING_TOKEN');
  });
});
