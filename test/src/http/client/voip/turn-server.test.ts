import { expect } from 'chai';
import { createHmac } from 'node:crypto';
import { hashAccessToken } from '../../../../../db/accounts/token-hash.ts';
import type { ReadDb } from '../../../../../db/kit/read-db.ts';
import type { Config } from '../../../../../src/config/config.ts';
import { endpoint } from '../../../../../src/http/client/voip/get-turn-server.ts';
import type { Json } from '../../../../../src/kit/json.ts';
import { testConfig as loadedConfig } from '../../../../actors/accounts/accounts-world.ts';
import { createFakeClock } from '../../../../support/fake-clock.ts';
import { emptyDb, startTestApp, testConfig } from '../../kit/test-app.ts';

const URIS = ['turn:turn.example.org?transport=udp', 'turns:turn.example.org'];

function dbOf(isGuest: number): ReadDb {
  return {
    ...emptyDb,
    find: (_query, params) =>
      Promise.resolve(
        params['tokenHash'] === hashAccessToken('t')
          ? ({ userId: '@alice:example.org', deviceId: 'D', isAdmin: 0, isGuest } as never)
          : undefined,
      ),
  };
}

describe('GET /_matrix/client/v3/voip/turnServer', () => {
  const clock = createFakeClock();
  const answer = async (voip: Partial<Config['voip']>, isGuest = 0): Promise<Json> => {
    const test = await startTestApp([endpoint], { db: dbOf(isGuest), config: testConfig({ voip }), clock });
    try {
      return (await test.client.get('/_matrix/client/v3/voip/turnServer', { token: 't' })).body;
    } finally {
      await test.close();
    }
  };

  it('gives a name that says when it ends, and the password that proves it', async () => {
    const voip = { turnUris: URIS, turnSharedSecret: 'hush', turnUser: 'not-this', ttlMs: 3_600_000 };
    const username = `${Math.floor(clock.now() / 1000) + 3600}:@alice:example.org`;
    expect(await answer(voip)).to.deep.equal({
      username,
      password: createHmac('sha1', 'hush').update(username).digest('base64'),
      uris: URIS,
      ttl: 3600,
    });
  });

  it('gives the one name and password that are configured', async () => {
    const voip = { turnUris: URIS, turnUser: 'u', turnPassword: 'p' };
    expect(await answer(voip)).to.deep.equal({ username: 'u', password: 'p', uris: URIS, ttl: 86_400 });
  });

  it('gives nothing where nothing is configured, and nothing to guests where that is configured', async () => {
    expect(await answer({})).to.deep.equal({});
    expect(await answer({ turnSharedSecret: 'hush' })).to.deep.equal({});
    expect(await answer({ turnUris: URIS, turnUser: 'u' })).to.deep.equal({});
    const guarded = { turnUris: URIS, turnSharedSecret: 'hush', allowGuests: false };
    expect(await answer(guarded, 1)).to.deep.equal({});
    expect(await answer(guarded)).to.have.property('ttl');
    expect(await answer({ ...guarded, allowGuests: true }, 1)).to.have.property('ttl');
  });

  it('reads its options, and no other addresses than those of TURN servers', () => {
    expect(loadedConfig('data', { TROUPE_VOIP_TURN_URIS: JSON.stringify(URIS) }).voip).to.deep.equal({
      turnUris: URIS,
      turnSharedSecret: '',
      turnUser: '',
      turnPassword: '',
      ttlMs: 86_400_000,
      allowGuests: true,
    });
    for (const wrong of ['["stun:x"]', '"turn:x"', '["turn:"]'])
      expect(() => loadedConfig('data', { TROUPE_VOIP_TURN_URIS: wrong }), wrong).to.throw('turn:');
    expect(() => loadedConfig('data', { TROUPE_WELL_KNOWN_POLICY_SERVER_KEYS: '{ rsa = "x" }' })).to.throw(
      'ed25519',
    );
  });
});
