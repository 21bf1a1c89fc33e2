import { expect } from 'chai';
import { endpoint } from '../../../../../src/http/client/versions/get-versions.ts';
import { type TestApp, startTestApp } from '../../kit/test-app.ts';

const ROUTES_UP_TO_1_4 = [
  'GET /_matrix/client/v1/rooms/{roomId}/hierarchy',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}',
  'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
  'GET /_matrix/client/v1/rooms/{roomId}/threads',
];
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
    expect(await versionsWith([])).to.deep.equal({ versions: ['v1.1'], unstable_features: {} });
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
    expect(await versionsWith(three)).to.deep.include({ unstable_features: {} });
    await test.close();
    expect(await versionsWith([...three, `PUT ${admin}/suspend/{userId}`])).to.deep.include({
      unstable_features: { 'uk.timedout.msc4323': true },
    });
  });

  it('claims that account data can be deleted when all of it can', async () => {
    const global = 'DELETE /_matrix/client/v3/user/{userId}/account_data/{type}';
    const ofRoom = 'DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}';
    expect(await versionsWith([global])).to.deep.include({ unstable_features: {} });
    await test.close();
    expect(await versionsWith([global, ofRoom])).to.deep.include({
      unstable_features: { 'org.matrix.msc3391': true },
    });
  });

  it('claims cross-signing when all of it is served', async () => {
    const routes = ['device_signing', 'signatures'].map(
      (part) => `POST /_matrix/client/v3/keys/${part}/upload`,
    );
    expect(await versionsWith(routes.slice(0, 1))).to.deep.include({ unstable_features: {} });
    await test.close();
    expect(await versionsWith(routes)).to.deep.include({
      unstable_features: { 'org.matrix.e2e_cross_signing': true },
    });
  });

  it('claims no version after a gap', async () => {
    expect(await versionsWith([...ROUTES_UP_TO_1_4.slice(0, 4), TIMESTAMP_OF_1_6])).to.deep.include({
      versions: ['v1.1', 'v1.2', 'v1.3'],
    });
  });
});
