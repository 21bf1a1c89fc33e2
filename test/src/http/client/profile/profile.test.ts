import { expect } from 'chai';
import type { HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, outcomeOf, startAccountApp } from '../account-app.ts';

const ALICE = '/_matrix/client/v3/profile/@alice:example.org';

describe('profiles', () => {
  let app: AccountApp;
  let alice: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    alice = await app.register('alice', 'correct horse');
  });

  afterEach(() => app.close());

  it('are empty at first', async () => {
    expect((await app.client.get(ALICE)).body).to.deep.equal({});
    expect((await app.client.get(`${ALICE}/displayname`)).body).to.deep.equal({});
    expect((await app.client.get(`${ALICE}/avatar_url`)).body).to.deep.equal({});
    expect(outcomeOf(await app.client.get(`${ALICE}/m.tz`))).to.equal('404 M_NOT_FOUND');
  });

  it('take a name, an avatar and other fields', async () => {
    expect((await alice.put(`${ALICE}/displayname`, { displayname: 'Alice' })).body).to.deep.equal({});
    await alice.put(`${ALICE}/avatar_url`, { avatar_url: 'mxc://example.org/x' });
    await alice.put(`${ALICE}/org.example.job`, { 'org.example.job': { title: 'actor' } });
    expect((await app.client.get(ALICE)).body).to.deep.equal({
      displayname: 'Alice',
      avatar_url: 'mxc://example.org/x',
      'org.example.job': { title: 'actor' },
    });
    expect((await app.client.get(`${ALICE}/displayname`)).body).to.deep.equal({ displayname: 'Alice' });
    expect(app.world.profileUpdates.at(-1)).to.deep.include({
      displayname: 'Alice',
      avatarUrl: 'mxc://example.org/x',
    });
    expect((await alice.delete(`${ALICE}/displayname`)).body).to.deep.equal({});
    expect((await app.client.get(`${ALICE}/displayname`)).body).to.deep.equal({});
  });

  it('refuse wrong values and names', async () => {
    const put = async (field: string, body: unknown) => outcomeOf(await alice.put(`${ALICE}/${field}`, body));
    expect(await put('displayname', { displayname: 7 })).to.equal('400 M_INVALID_PARAM');
    expect(await put('displayname', {})).to.equal('400 M_MISSING_PARAM');
    expect(await put('job', { job: 'actor' })).to.equal('400 M_INVALID_PARAM');
    const key = `a.${'b'.repeat(254)}`;
    expect(await put(key, { [key]: 1 })).to.equal('400 M_KEY_TOO_LARGE');
    const large = 'x'.repeat(40_000);
    expect(await put('a.b', { 'a.b': large })).to.equal('200');
    expect(await put('a.c', { 'a.c': large })).to.equal('400 M_PROFILE_TOO_LARGE');
  });

  it('are found at the path of the proposal, and are not replaced as a whole', async () => {
    const unstable = '/_matrix/client/unstable/uk.tcpip.msc4133/profile/@alice:example.org';
    await alice.put(`${unstable}/org.example.job`, { 'org.example.job': 'actor' });
    expect((await app.client.get(unstable)).body).to.deep.equal({ 'org.example.job': 'actor' });
    await alice.delete(`${unstable}/org.example.job`);
    expect(outcomeOf(await app.client.get(`${unstable}/org.example.job`))).to.equal('404 M_NOT_FOUND');
    for (const method of ['PUT', 'PATCH']) {
      const whole = await alice.request(method, ALICE, { body: { displayname: 'Alice' } });
      expect(outcomeOf(whole), method).to.equal('405 M_UNRECOGNIZED');
    }
  });

  it('belong to their user', async () => {
    const bob = await app.register('bob', 'hunter two');
    const body = { displayname: 'x' };
    expect(outcomeOf(await bob.put(`${ALICE}/displayname`, body))).to.equal('403 M_FORBIDDEN');
    expect(outcomeOf(await bob.delete(`${ALICE}/displayname`))).to.equal('403 M_FORBIDDEN');
    expect(outcomeOf(await app.client.put(`${ALICE}/displayname`, body))).to.equal('401 M_MISSING_TOKEN');
  });

  it('are not there for who is not', async () => {
    const get = async (userId: string) =>
      outcomeOf(await app.client.get(`/_matrix/client/v3/profile/${encodeURIComponent(userId)}/displayname`));
    expect(await get('@nobody:example.org')).to.equal('404 M_NOT_FOUND');
    expect(await get('@alice:elsewhere.org'), 'nobody answers there').to.equal('502 M_UNKNOWN');
    expect(await get('alice')).to.equal('400 M_INVALID_PARAM');
  });
});
