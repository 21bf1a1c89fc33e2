import { expect } from 'chai';
import { endpoint as health } from '../../../../src/http/monitoring/get-health.ts';
import { endpoint as version } from '../../../../src/http/server/version/get-version.ts';
import { endpoint as wellKnownClient } from '../../../../src/http/well-known/matrix/get-client.ts';
import { endpoint as wellKnownPolicyServer } from '../../../../src/http/well-known/matrix/get-policy-server.ts';
import { endpoint as wellKnownServer } from '../../../../src/http/well-known/matrix/get-server.ts';
import { endpoint as wellKnownSupport } from '../../../../src/http/well-known/matrix/get-support.ts';
import { type TestApp, startTestApp, testConfig } from '../kit/test-app.ts';

const ALL = [health, version, wellKnownClient, wellKnownServer, wellKnownSupport, wellKnownPolicyServer];
const POLICY_SERVER = '/.well-known/matrix/policy_server';
const SUPPORT = '/.well-known/matrix/support';

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

  it('tell clients what else the configuration says, and never another address', async () => {
    const client = { 'm.identity_server': { base_url: 'https://id' }, 'm.homeserver': { base_url: 'x' } };
    const server = { publicBaseUrl: 'https://matrix.example.org' };
    test = await startTestApp(ALL, { config: testConfig({ server, wellKnown: { client } }) });
    expect((await test.client.get('/.well-known/matrix/client')).body).to.deep.equal({
      'm.identity_server': { base_url: 'https://id' },
      'm.homeserver': { base_url: 'https://matrix.example.org' },
    });
  });

  it('tell the keys of a policy server', async () => {
    const policyServerKeys = { ed25519: '6yhHGKhCiXTSEN2ksjV7kX_N6rBQZ3Xb-M7LlC6NS-s' };
    test = await startTestApp(ALL, { config: testConfig({ wellKnown: { policyServerKeys } }) });
    expect((await test.client.get(POLICY_SERVER)).body).to.deep.equal({ public_keys: policyServerKeys });
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

  for (const [adminContact, supportPage, body] of [
    ['mailto:a@example.org', '', { contacts: [{ role: 'm.role.admin', email_address: 'a@example.org' }] }],
    ['@a:example.org', '', { contacts: [{ role: 'm.role.admin', matrix_id: '@a:example.org' }] }],
    ['https://example.org/help', '', { support_page: 'https://example.org/help' }],
    ['', 'https://example.org/help', { support_page: 'https://example.org/help' }],
    [
      'a@example.org',
      'https://example.org/help',
      {
        contacts: [{ role: 'm.role.admin', email_address: 'a@example.org' }],
        support_page: 'https://example.org/help',
      },
    ],
    ['ask the porter', '', null],
  ] as const)
    it(`say whom to turn to: "${adminContact}" and "${supportPage}"`, async () => {
      test = await startTestApp(ALL, { config: testConfig({ server: { adminContact, supportPage } }) });
      const answer = await test.client.get(SUPPORT);
      if (body === null) expect(answer.status).to.equal(404);
      else expect(answer.body).to.deep.equal(body);
    });

  it('answer 404 M_NOT_FOUND when nothing is configured', async () => {
    await serve('');
    for (const path of ['/.well-known/matrix/client', '/.well-known/matrix/server', SUPPORT, POLICY_SERVER]) {
      const answer = await test.client.get(path);
      expect([answer.status, (answer.body as { errcode?: string }).errcode]).to.deep.equal([
        404,
        'M_NOT_FOUND',
      ]);
    }
  });
});
