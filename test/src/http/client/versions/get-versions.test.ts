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

  it('claims no version after a gap', async () => {
    expect(await versionsWith([...ROUTES_UP_TO_1_4.slice(0, 4), TIMESTAMP_OF_1_6])).to.deep.include({
      versions: ['v1.1', 'v1.2', 'v1.3'],
    });
  });
});
