import { expect } from 'chai';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import { outcomeOf } from '../account-app.ts';

const TRANSPORTS = '/_matrix/client/unstable/org.matrix.msc4143/rtc/transports';
const WELL_KNOWN = '/.well-known/matrix/client';
const USER_INFO = '/_matrix/federation/v1/openid/userinfo';

describe('calls', () => {
  let world: SyncWorld;
  let alice: Person;

  async function open(urls: string): Promise<void> {
    world = await openSyncWorld({
      TROUPE_RTC_LIVEKIT_SERVICE_URLS: urls,
      TROUPE_SERVER_PUBLIC_BASE_URL: 'https://matrix.example.org',
    });
    alice = await world.person('alice');
  }
  afterEach(() => world.stop());

  it('are carried by what the configuration says, which clients find in both places', async () => {
    await open('["https://one.example", "https://two.example"]');
    const transports = ['https://one.example', 'https://two.example'].map((url) => ({
      type: 'livekit',
      livekit_service_url: url,
    }));
    expect((await alice.http.get(TRANSPORTS)).body).to.deep.equal({ rtc_transports: transports });
    const uncheckedBecause = 'MSC4143 is not part of the specification yet';
    const stable = await alice.http.get('/_matrix/client/v1/rtc/transports', { uncheckedBecause });
    expect(stable.body).to.deep.equal({ rtc_transports: transports });
    expect((await alice.http.get(WELL_KNOWN)).body).to.deep.include({
      'org.matrix.msc4143.rtc_foci': transports,
    });
    expect(outcomeOf(await alice.http.withToken(null).get(TRANSPORTS))).to.equal('401 M_MISSING_TOKEN');
  });

  it('are carried by nothing of ours otherwise; who takes part is told to whom they have given a token', async () => {
    await open('[]');
    expect((await alice.http.get(TRANSPORTS)).body).to.deep.equal({ rtc_transports: [] });
    expect((await alice.http.get(WELL_KNOWN)).body).to.not.have.property('org.matrix.msc4143.rtc_foci');
    const made: Answer = await alice.post(`/user/${alice.userId}/openid/request_token`);
    const nobody = alice.http.withToken(null);
    const userInfo = (query: Readonly<Record<string, string>>) => nobody.get(USER_INFO, { query });
    const known = await userInfo({ access_token: made.access_token });
    expect(known.body).to.deep.equal({ sub: alice.userId });
    expect(outcomeOf(await userInfo({ access_token: 'made-up' }))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(outcomeOf(await userInfo({}))).to.equal('401 M_MISSING_TOKEN');
  });
});
