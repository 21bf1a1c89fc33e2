import { expect } from 'chai';
import { hashAccessToken } from '../../../../../db/accounts/token-hash.ts';
import type { ReadDb } from '../../../../../db/kit/read-db.ts';
import { endpoint } from '../../../../../src/http/client/capabilities/get-capabilities.ts';
import { ROOM_VERSIONS } from '../../../../../src/matrix/rooms/room-versions.ts';
import { type TestApp, emptyDb, startTestApp, testConfig } from '../../kit/test-app.ts';

const TOKEN = 'syt_alice';

/** A database that knows one token. */
const db: ReadDb = {
  ...emptyDb,
  find: (_query, params) =>
    Promise.resolve(
      params['tokenHash'] === hashAccessToken(TOKEN)
        ? ({ userId: '@alice:example.org', deviceId: 'D', isAdmin: 0, isGuest: 0 } as never)
        : undefined,
    ),
};

interface Capabilities {
  readonly capabilities: Readonly<Record<string, unknown>>;
}

describe('GET /_matrix/client/v3/capabilities', () => {
  let test: TestApp;
  afterEach(() => test.close());

  it('8.6 tells the room versions and switches off what is not served', async () => {
    test = await startTestApp([endpoint], { db, config: testConfig({ rooms: { defaultVersion: '11' } }) });
    const { body } = await test.client.get('/_matrix/client/v3/capabilities', { token: TOKEN });
    const { capabilities } = body as unknown as Capabilities;
    expect(capabilities['m.room_versions']).to.deep.nested.include({
      default: '11',
      'available.12': 'stable',
      'available.1': 'stable',
    });
    for (const name of [
      'm.change_password',
      'm.set_displayname',
      'm.set_avatar_url',
      'm.3pid_changes',
      'm.get_login_token',
    ])
      expect(capabilities[name], name).to.deep.equal({ enabled: false });
  });

  it('8.6 tells the configured default version and just the known ones', async () => {
    for (const { id } of ROOM_VERSIONS) {
      test = await startTestApp([endpoint], { db, config: testConfig({ rooms: { defaultVersion: id } }) });
      const { body } = await test.client.get('/_matrix/client/v3/capabilities', { token: TOKEN });
      expect((body as unknown as Capabilities).capabilities['m.room_versions']).to.deep.equal({
        default: id,
        available: {
          ...Object.fromEntries(ROOM_VERSIONS.map((version) => [version.id, 'stable'])),
          'org.matrix.msc3757.10': 'unstable',
          'org.matrix.msc3757.11': 'unstable',
        },
      });
      if (id !== ROOM_VERSIONS.at(-1)?.id) await test.close();
    }
  });

  it('switches on what is served', async () => {
    const password = {
      ...endpoint,
      method: 'POST',
      path: '/_matrix/client/v3/account/password',
      aliases: [],
    } as const;
    test = await startTestApp([endpoint, password], { db });
    const { body } = await test.client.get('/_matrix/client/v3/capabilities', { token: TOKEN });
    expect((body as unknown as Capabilities).capabilities['m.change_password']).to.deep.equal({
      enabled: true,
    });
  });

  it('tells whether URL previews are made (MSC4452)', async () => {
    for (const urlPreviews of [true, false]) {
      test = await startTestApp([endpoint], { db, config: testConfig({ media: { urlPreviews } }) });
      const { body } = await test.client.get('/_matrix/client/v3/capabilities', { token: TOKEN });
      expect((body as unknown as Capabilities).capabilities['io.element.msc4452.preview_url']).to.deep.equal({
        enabled: urlPreviews,
      });
      if (urlPreviews) await test.close();
    }
  });

  it('needs an access token', async () => {
    test = await startTestApp([endpoint], { db });
    expect((await test.client.get('/_matrix/client/v3/capabilities')).status).to.equal(401);
  });
});
