import { expect } from 'chai';
import { USES_FLUSH_INTERVAL_MS } from '../../../../../actors/accounts/device-uses.ts';
import type { HttpClient } from '../../../../support/http-client.ts';
import { type AccountApp, fieldsOf, outcomeOf, startAccountApp, textOf } from '../account-app.ts';

const DEVICES = '/_matrix/client/v3/devices';
const WHOAMI = '/_matrix/client/v3/account/whoami';
const STAGE = { type: 'm.login.password', password: 'correct horse' };

describe('devices', () => {
  let app: AccountApp;
  let alice: HttpClient;

  beforeEach(async () => {
    app = await startAccountApp();
    alice = await app.register('alice', 'correct horse');
  });

  afterEach(() => app.close());

  it('are listed, and read one by one', async () => {
    const second = await app.logIn('alice', 'correct horse', 'SECOND');
    const headers = { 'x-forwarded-for': '2001:db8::1' };
    expect((await second.get(WHOAMI, { headers })).status).to.equal(200);
    await app.world.host.idle();
    const ts = app.world.clock.now();
    await app.world.clock.advance(USES_FLUSH_INTERVAL_MS);
    await app.world.host.idle();
    const device = { device_id: 'SECOND', last_seen_ip: '2001:db8::1', last_seen_ts: ts };
    const list = await alice.get(DEVICES);
    expect(list.body).to.deep.equal({ devices: [{ device_id: 'FIRST' }, device] });
    expect((await alice.get(`${DEVICES}/SECOND`)).body).to.deep.equal(device);
    expect(outcomeOf(await alice.get(`${DEVICES}/THIRD`))).to.equal('404 M_NOT_FOUND');
  });

  it('get names', async () => {
    expect((await alice.put(`${DEVICES}/FIRST`, { display_name: 'phone' })).body).to.deep.equal({});
    expect(fieldsOf(await alice.get(`${DEVICES}/FIRST`))).to.deep.include({ display_name: 'phone' });
    expect((await alice.put(`${DEVICES}/FIRST`, {})).status).to.equal(200);
    expect(fieldsOf(await alice.get(`${DEVICES}/FIRST`))).to.deep.include({ display_name: 'phone' });
    const long = { display_name: 'x'.repeat(513) };
    expect(outcomeOf(await alice.put(`${DEVICES}/FIRST`, long))).to.equal('400 M_INVALID_PARAM');
    expect(outcomeOf(await alice.put(`${DEVICES}/X`, { display_name: 'x' }))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await alice.put(`${DEVICES}/X`, {}))).to.equal('404 M_NOT_FOUND');
  });

  it('belong to their user', async () => {
    const bob = await app.register('bob', 'correct horse');
    await app.logIn('alice', 'correct horse', 'SECOND');
    expect(outcomeOf(await bob.get(`${DEVICES}/SECOND`))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await bob.put(`${DEVICES}/SECOND`, { display_name: 'x' }))).to.equal('404 M_NOT_FOUND');
    const gone = await bob.request('DELETE', `${DEVICES}/SECOND`, { body: { auth: STAGE } });
    expect(gone.status).to.equal(200);
    expect((await alice.get(`${DEVICES}/SECOND`)).status).to.equal(200);
  });

  it('are deleted with the password, and their tokens with them', async () => {
    const second = await app.logIn('alice', 'correct horse', 'SECOND');
    expect((await second.get(WHOAMI)).status).to.equal(200);
    const remove = (deviceId: string, body: unknown) =>
      alice.request('DELETE', `${DEVICES}/${deviceId}`, { body });
    const session = textOf(await remove('SECOND', {}), 'session');
    const auth = { ...STAGE, session };
    expect(outcomeOf(await remove('FIRST', { auth })), 'another device').to.equal('401 M_FORBIDDEN');
    expect((await remove('SECOND', { auth })).status).to.equal(200);
    expect(outcomeOf(await second.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect((await remove('SECOND', { auth: STAGE })).status, 'again').to.equal(200);
    expect((await alice.get(WHOAMI)).status).to.equal(200);
  });

  it('are deleted together', async () => {
    const second = await app.logIn('alice', 'correct horse', 'SECOND');
    const third = await app.logIn('alice', 'correct horse', 'THIRD');
    const path = '/_matrix/client/v3/delete_devices';
    const wanted = { devices: ['SECOND', 'THIRD', 'UNKNOWN'] };
    const session = textOf(await alice.post(path, wanted), 'session');
    const more = { devices: [...wanted.devices, 'FIRST'], auth: { ...STAGE, session } };
    expect(outcomeOf(await alice.post(path, more)), 'one more device').to.equal('401 M_FORBIDDEN');
    expect((await alice.post(path, { ...wanted, auth: { ...STAGE, session } })).status).to.equal(200);
    expect(outcomeOf(await second.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    expect(outcomeOf(await third.get(WHOAMI))).to.equal('401 M_UNKNOWN_TOKEN');
    const list = await alice.get(DEVICES);
    expect(list.body).to.deep.equal({ devices: [{ device_id: 'FIRST' }] });
    expect(outcomeOf(await alice.post(path, {}))).to.equal('400 M_MISSING_PARAM');
  });
});
