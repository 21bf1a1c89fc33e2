import { expect } from 'chai';
import { endpoint as health } from '../../../../src/http/server/health/get-health.ts';
import { endpoint as version } from '../../../../src/http/server/version/get-version.ts';
import { endpoint as wellKnownClient } from '../../../../src/http/well-known/matrix/get-client.ts';
import { endpoint as wellKnownServer } from '../../../../src/http/well-known/matrix/get-server.ts';
import { type TestApp, startTestApp, testConfig } from '../kit/test-app.ts';

const ALL = [health, version, wellKnownClient, wellKnownServer];

describe('server-level endpoints', () => {
  let test: TestApp;
  const serve = async (publicBaseUrl: string): Promise<void> => {
    test = await startTestApp(ALL, { config: testConfig({ server: { publicBaseUrl } }) });
  };
  afterEach(() => test.close());

  it('say that the gateway answers, and which implementation it is', async () => {
    await serve('');
    expect((await test.client.get('/health')).body).to.deep.equal({ status: 'ok' });
    const answer = await test.client.get('/_matrix/federation/v1/version');
    expect(answer.body).to.have.nested.property('server.name', 'Troupe');
    expect(answer.body)
      .to.have.nested.property('server.version')
      .that.matches(/^\d+\.\d+\.\d+$/);
  });

  it('say where clients and servers reach it when that is configured', async () => {
    await serve('https://matrix.example.org');
    expect((await test.client.get('/.well-known/matrix/client')).body).to.deep.equal({
      'm.homeserver': { base_url: 'https://matrix.example.org' },
    });
    expect((await test.client.get('/.well-known/matrix/server')).body).to.deep.equal({
      'm.server': 'matrix.example.org:443',
    });
  });

  it('keep the port, and send no server to plain HTTP', async () => {
    await serve('https://[2001:db8::1]:8448/');
    expect((await test.client.get('/.well-known/matrix/server')).body).to.deep.equal({
      'm.server': '[2001:db8::1]:8448',
    });
    await test.close();
    await serve('http://localhost:8008');
    expect((await test.client.get('/.well-known/matrix/server')).status).to.equal(404);
    expect((await test.client.get('/.well-known/matrix/client')).status).to.equal(200);
  });

  it('answer 404 M_NOT_FOUND when nothing is configured', async () => {
    await serve('');
    for (const path of ['/.well-known/matrix/client', '/.well-known/matrix/server']) {
      const answer = await test.client.get(path);
      expect([answer.status, (answer.body as { errcode?: string }).errcode]).to.deep.equal([
        404,
        'M_NOT_FOUND',
      ]);
    }
  });
});
