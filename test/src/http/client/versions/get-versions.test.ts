import { expect } from 'chai';
import { endpoint } from '../../../../../src/http/client/versions/get-versions.ts';
import { loadEndpoints } from '../../../../../src/http/kit/load-endpoints.ts';
import { type TestApp, startTestApp } from '../../kit/test-app.ts';

const ROUTES_UP_TO_1_4 = [
  'GET /_matrix/client/v1/rooms/{roomId}/hierarchy',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
  'GET /_matrix/client/v1/rooms/{roomId}/threads',
];
/** What is told without any other endpoint. */
const FIXED_FLAGS = {
  'io.element.e2ee_forced.public': false,
  'io.element.e2ee_forced.private': false,
  'io.element.e2ee_forced.trusted_private': false,
  'net.zemos.msc4383': true,
};

const TIMESTAMP_OF_1_6 = 'GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event';

describe('GET /_matrix/client/versions', () => {
  let test: TestApp;
  afterEach(() => test.close());

  const versionsWith = async (routes: readonly string[]): Promise<unknown> => {
    const others = routes.map((route) => {
      const [method, path] = route.split(' ') as ['GET', string];
      return { ...endpoint, method, path };
    });
    test = await startTestApp([endpoint, ...others]);
    return (await test.client.get('/_matrix/client/versions')).body;
  };

  it('claims v1.1 alone when nothing of later versions is served', async () => {
    expect(await versionsWith([])).to.deep.include({ versions: ['v1.1'], unstable_features: FIXED_FLAGS });
  });

  it('claims a version when what it added is served', async () => {
    expect(await versionsWith(ROUTES_UP_TO_1_4)).to.deep.include({
      versions: ['v1.1', 'v1.2', 'v1.3', 'v1.4', 'v1.5'],
    });
  });

  it('claims the flag of a proposal when all of it is served', async () => {
    const admin = '/_matrix/client/v1/admin';
    const three = [
      `GET ${admin}/lock/{userId}`,
      `PUT ${admin}/lock/{userId}`,
      `GET ${admin}/suspend/{userId}`,
    ];
    expect(await versionsWith(three)).to.deep.include({ unstable_features: FIXED_FLAGS });
    await test.close();
    expect(await versionsWith([...three, `PUT ${admin}/suspend/{userId}`])).to.deep.include({
      unstable_features: { 'uk.timedout.msc4323': true, ...FIXED_FLAGS },
    });
  });

  it('claims that account data can be deleted when all of it can', async () => {
    const global = 'DELETE /_matrix/client/v3/user/{userId}/account_data/{type}';
    const ofRoom = 'DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}';
    expect(await versionsWith([global])).to.deep.include({ unstable_features: FIXED_FLAGS });
    await test.close();
    expect(await versionsWith([global, ofRoom])).to.deep.include({
      unstable_features: { 'org.matrix.msc3391': true, ...FIXED_FLAGS },
    });
  });

  it('claims cross-signing when all of it is served', async () => {
    const routes = ['device_signing', 'signatures'].map(
      (part) => `POST /_matrix/client/v3/keys/${part}/upload`,
    );
    expect(await versionsWith(routes.slice(0, 1))).to.deep.include({ unstable_features: FIXED_FLAGS });
    await test.close();
    expect(await versionsWith(routes)).to.deep.include({
      unstable_features: { 'org.matrix.e2e_cross_signing': true, ...FIXED_FLAGS },
    });
  });

  it('claims every version for what is really served, but those before v1.1', async () => {
    const all = (await loadEndpoints()).map(({ endpoint: { method, path } }) => `${method} ${path}`);
    const { versions, unstable_features: flags } = (await versionsWith(
      all.filter((route) => route !== 'GET /_matrix/client/versions'),
    )) as { versions: string[]; unstable_features: Record<string, boolean> };
    expect(versions).to.deep.equal(Array.from({ length: 19 }, (_, index) => `v1.${index + 1}`));
    expect(Object.keys(flags)).to.include.members([
      'com.beeper.msc4169',
      'org.matrix.e2e_cross_signing',
      'org.matrix.msc2285.stable',
      'org.matrix.msc3266',
      'org.matrix.msc3440.stable',
      'org.matrix.msc3771',
      'org.matrix.msc3773',
      'org.matrix.msc3916.stable',
      'org.matrix.msc3952_intentional_mentions',
      'org.matrix.msc4222',
      'uk.tcpip.msc4133',
      'uk.tcpip.msc4133.stable',
    ]);
  });

  it('claims the versions before v1.1 only with what their clients take for granted', async () => {
    const routes = [
      'GET /_matrix/client/v3/login/sso/redirect',
      ...['add', 'bind', 'delete', 'unbind', 'email/requestToken', 'msisdn/requestToken'].map(
        (what) => `POST /_matrix/client/v3/account/3pid/${what}`,
      ),
      ...['account/password', 'register'].map((what) => `POST /_matrix/client/v3/${what}/email/requestToken`),
    ];
    const body = await versionsWith(routes);
    expect(body)
      .to.have.property('versions')
      .that.includes('r0.0.1')
      .and.includes('r0.6.1')
      .and.includes('v1.1');
  });

  it('is the same whatever token comes along, and says who serves', async () => {
    test = await startTestApp([endpoint]);
    const client = test.client.withToken('a-token-that-has-expired');
    const answer = await client.get('/_matrix/client/versions');
    expect(answer.status).to.equal(200);
    expect(answer.headers).to.include({ vary: 'Authorization' });
    expect(answer.body).to.have.property('net.zemos.msc4383.server').with.property('name', 'Troupe');
    expect(answer.text).to.equal((await test.client.get('/_matrix/client/versions')).text);
  });

  it('claims no version after a gap', async () => {
    expect(await versionsWith([...ROUTES_UP_TO_1_4.slice(0, 4), TIMESTAMP_OF_1_6])).to.deep.include({
      versions: ['v1.1', 'v1.2', 'v1.3'],
    });
  });
});
