import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { USERS_PER_PAGE_MAX } from '../../../../src/http/control/v1/list-users.ts';
import type { Json, JsonObject } from '../../../../src/kit/json.ts';
import { askControl, type ControlAnswer } from '../../../support/control-world.ts';
import { createHttpClient, type HttpAnswer, type HttpClient } from '../../../support/http-client.ts';
import { textOf } from '../../../support/person.ts';
import { type InProcessProgram, startInProcess } from '../../../support/in-process-program.ts';

const PASSWORD = 'correct horse';
const MODE_BITS = 0o777;

function logIn(http: HttpClient, user: string, password: string): Promise<HttpAnswer> {
  const identifier = { type: 'm.id.user', user };
  return http.post('/_matrix/client/v3/login', { type: 'm.login.password', identifier, password });
}

describe('the control endpoints', () => {
  let server: InProcessProgram;
  let http: HttpClient;
  before(async () => {
    server = await startInProcess();
    http = createHttpClient(server.address);
  });
  after(async () => {
    http?.close();
    await server?.dispose();
  });

  const ask = (method: string, path: string, body?: Json): Promise<ControlAnswer> =>
    askControl(server.folder, method, path, body);
  const create = (name: string, more: JsonObject = {}): Promise<ControlAnswer> =>
    ask('POST', '/users', { name, password: PASSWORD, ...more });
  const loggedIn = async (user: string): Promise<HttpClient> => {
    const { body } = await logIn(http, user, PASSWORD);
    return http.withToken((body as { access_token: string }).access_token);
  };
  const whoami = async (client: HttpClient): Promise<number> =>
    (await client.get('/_matrix/client/v3/account/whoami')).status;

  it('are on a socket that only its user can open, and on no port', async () => {
    const { status, body } = await ask('GET', '/server');
    expect(status).to.equal(200);
    expect(body).to.include({ server_name: 'localhost' });
    const socket = statSync(join(server.folder, 'control.sock'));
    expect([socket.isSocket(), socket.mode & MODE_BITS]).to.deep.equal([true, 0o600]);
    expect(existsSync(join(server.folder, 'control.new'))).to.equal(false);
    const { host, port } = server.program.inspectorAddress;
    for (const address of [server.address, { host, port }]) {
      const client = createHttpClient(address);
      expect((await client.get('/_troupe/control/v1/server')).status).to.equal(404);
      client.close();
    }
  });

  it('make accounts under the rules of registration, which can log in', async () => {
    expect(await create('Carl', { admin: true })).to.deep.equal({
      status: 200,
      body: { user_id: '@carl:localhost' },
    });
    expect(await whoami(await loggedIn('carl'))).to.equal(200);
    for (const [name, errcode] of [
      ['carl', 'M_USER_IN_USE'],
      ['notices', 'M_USER_IN_USE'],
      ['_bridge', 'M_INVALID_USERNAME'],
      ['two words', 'M_INVALID_USERNAME'],
      ['', 'M_INVALID_USERNAME'],
    ] as const)
      expect((await create(name)).body['errcode'], name).to.equal(errcode);
    expect((await create('dora', { password: '' })).body['errcode']).to.equal('M_WEAK_PASSWORD');
    expect((await create('dora', { password: 'x'.repeat(513) })).body['errcode']).to.equal('M_INVALID_PARAM');
  });

  it('list accounts page by page, with their standing and when they were last seen', async () => {
    for (const name of ['list1', 'list2', 'list3']) await create(name);
    const pages: string[][] = [];
    let after = '@list';
    for (;;) {
      const { body } = await ask('GET', `/users?limit=2&after=${encodeURIComponent(after)}`);
      const { users, next } = body as unknown as { users: { user_id: string }[]; next: string | null };
      pages.push(users.map((user) => user.user_id));
      if (next === null) break;
      after = next;
    }
    expect(pages).to.deep.equal([['@list1:localhost', '@list2:localhost'], ['@list3:localhost']]);
    const { body } = await ask('GET', '/users');
    const [first] = (body as unknown as { users: JsonObject[] }).users;
    expect(first).to.include({ name: 'carl', admin: true, guest: false, deactivated: false, locked: false });
    expect(first?.['created_ts']).to.be.closeTo(Date.now(), 60_000);
    expect((await ask('GET', `/users?limit=${USERS_PER_PAGE_MAX + 1}`)).status).to.equal(400);
  });

  it('give another password, and log all devices out unless they are to be kept', async () => {
    await create('erin');
    const kept = await loggedIn('erin');
    const keep = await ask('PUT', '/users/erin/password', { password: PASSWORD, keep_devices: true });
    expect(keep).to.deep.equal({ status: 200, body: { user_id: '@erin:localhost' } });
    expect(await whoami(kept)).to.equal(200);
    const path = `/users/${encodeURIComponent('@erin:localhost')}/password`;
    expect((await ask('PUT', path, { password: 'another' })).status).to.equal(200);
    expect(await whoami(kept)).to.equal(401);
    expect((await logIn(http, 'erin', PASSWORD)).status).to.equal(403);
    expect((await logIn(http, 'erin', 'another')).status).to.equal(200);
    const nobody = await ask('PUT', '/users/nobody/password', { password: PASSWORD });
    expect(nobody.status).to.equal(404);
    expect(nobody.body['error']).to.equal('there is no user "nobody" on localhost');
    expect((await ask('PUT', '/users/erin/password', { password: '' })).body['errcode']).to.equal(
      'M_WEAK_PASSWORD',
    );
  });

  it('end accounts for ever, and erase them later on', async () => {
    await create('finn');
    const finn = await loggedIn('finn');
    expect((await ask('POST', '/users/finn/deactivate', {})).body).to.deep.equal({
      user_id: '@finn:localhost',
    });
    expect(await whoami(finn)).to.equal(401);
    expect((await logIn(http, 'finn', PASSWORD)).status).to.equal(403);
    expect((await ask('GET', '/users/finn')).body).to.include({ deactivated: true, erased: false });
    expect((await ask('POST', '/users/finn/deactivate', { erase: true })).status).to.equal(200);
    expect((await ask('GET', '/users/finn')).body).to.include({ deactivated: true, erased: true });
    expect((await ask('PUT', '/users/finn/password', { password: PASSWORD })).body['errcode']).to.equal(
      'M_USER_DEACTIVATED',
    );
  });

  it('make registration tokens that are good as often and as long as was said', async () => {
    const isValid = async (token: string): Promise<Json | undefined> => {
      const path = '/_matrix/client/v1/register/m.login.registration_token/validity';
      const { body } = await http.get(path, { query: { token } });
      return (body as JsonObject)['valid'];
    };
    const made = await ask('POST', '/registration-tokens', {
      uses_allowed: 2,
      expires_ts: Date.now() + 60_000,
    });
    expect(made.status).to.equal(200);
    expect(await isValid(textOf(made.body, 'token'))).to.equal(true);
    expect(await isValid('another')).to.equal(false);
    const over = await ask('POST', '/registration-tokens', { uses_allowed: 1, expires_ts: 1 });
    expect(over.body['errcode']).to.equal('M_INVALID_PARAM');
    expect(
      (await ask('POST', '/registration-tokens', { uses_allowed: 0, expires_ts: null })).status,
    ).to.equal(400);
  });

  it('are there again after a restart of their actor, and gone with the server', async () => {
    await server.program.supervisor.restart('control');
    expect((await ask('GET', '/server')).status).to.equal(200);
    await server.stop();
    expect(existsSync(join(server.folder, 'control.sock'))).to.equal(false);
  });
});
