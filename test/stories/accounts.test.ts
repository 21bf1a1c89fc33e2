import { expect } from 'chai';
import type { MatrixClient } from 'matrix-js-sdk';
import type { JsonObject } from '../../src/kit/json.ts';
import { createHttpClient, type HttpAnswer, type HttpClient, pathOf } from '../support/http-client.ts';
import { type InProcessProgram, startInProcess } from '../support/in-process-program.ts';
import { eventually, okBody, type Person, personOf, register, textOf } from '../support/person.ts';
import { anonymousClient, clientOf, logIn } from '../support/sdk-client.ts';

const CLIENT = '/_matrix/client/v3';
const PATIENCE_MS = 60_000;
const PASSWORD = 'open sesame 42';
const STAGE = { type: 'm.login.password', password: PASSWORD };
/** Long enough that only what the test does can end it. */
const POLL_MS = 50_000;

function outcomeOf({ status, body }: HttpAnswer): string {
  const { errcode } = body as JsonObject;
  return typeof errcode === 'string' ? `${status} ${errcode}` : String(status);
}

describe('accounts, from their first token to their end', function () {
  this.timeout(PATIENCE_MS);
  let server: InProcessProgram;
  let http: HttpClient;
  let root: Person;

  async function start(folder?: string): Promise<void> {
    server = await startInProcess({
      gateways: 2,
      ...(folder === undefined ? {} : { folder }),
      environment: {
        TROUPE_ACCOUNTS_ACCESS_TOKEN_LIFETIME: '2',
        TROUPE_REGISTRATION_ALLOW_GUESTS: 'true',
      },
    });
    http = createHttpClient(server.address);
  }

  before(async () => {
    await start();
    const auth = { type: 'm.login.registration_token', token: server.program.firstToken };
    const body = okBody(
      await http.post(`${CLIENT}/register`, { username: 'root', password: PASSWORD, auth }),
      'register root',
    );
    root = personOf(http, textOf(body, 'user_id'), textOf(body, 'access_token'));
  });
  after(async () => {
    http?.close();
    await server?.dispose();
  });

  const moderate = (measure: 'lock' | 'suspend', who: Person, isOn: boolean): Promise<HttpAnswer> =>
    root.http.put(pathOf`/_matrix/client/v1/admin/${measure}/${who.userId}`, {
      [measure === 'lock' ? 'locked' : 'suspended']: isOn,
    });
  /** A sync on a connection of its own that waits, with what it will have answered. */
  async function park(who: Person): Promise<{ readonly answer: Promise<HttpAnswer>; close(): void }> {
    const { next_batch: since } = await who.sync();
    const own = createHttpClient(server.address, who.token);
    const parkedBefore = parkedPolls();
    const query = { since, timeout: POLL_MS, set_presence: 'offline' };
    const answer = own.get(`${CLIENT}/sync`, { query });
    await eventually('the sync to wait', () => parkedPolls() > parkedBefore);
    return { answer, close: () => own.close() };
  }
  function parkedPolls(): number {
    return ['gateway-1', 'gateway-2']
      .map((thread) => server.program.supervisor.figures(thread).gauges.get('notifier.parked') ?? 0)
      .reduce((sum, count) => sum + count, 0);
  }

  it('refreshes when its access token has ended, and after a restart of the server', async () => {
    await register(http, 'ann');
    const baseUrl = (): string => `http://${server.address.host}:${server.address.port}`;
    const anonymous = (): MatrixClient => anonymousClient(baseUrl());
    const login = await anonymous().loginRequest({
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'ann' },
      password: PASSWORD,
      refresh_token: true,
    });
    const session = { userId: login.user_id, deviceId: login.device_id };
    const client = clientOf(baseUrl(), { ...session, accessToken: login.access_token });
    const whoami = async (): Promise<string> => (await client.whoami()).device_id ?? '';
    expect(await whoami()).to.equal(login.device_id);
    const ended = await eventually('the token to end', async () =>
      whoami().then(
        () => null,
        (error: unknown) => error,
      ),
    );
    expect(ended).to.deep.nested.include({ errcode: 'M_UNKNOWN_TOKEN', 'data.soft_logout': true });
    const fresh = await client.refreshToken(login.refresh_token ?? '');
    client.setAccessToken(fresh.access_token);
    expect(await whoami(), 'the same device').to.equal(login.device_id);

    const { folder } = server;
    await server.stop();
    http.close();
    await start(folder);
    root = personOf(http, root.userId, root.token);
    expect((await root.http.get(`${CLIENT}/account/whoami`)).status).to.equal(200);
    const usedUp: unknown = await anonymous()
      .refreshToken(login.refresh_token ?? '')
      .catch((error: unknown) => error);
    expect(usedUp).to.deep.nested.include({ errcode: 'M_UNKNOWN_TOKEN', 'data.soft_logout': true });
    const later = await anonymous().refreshToken(fresh.refresh_token ?? '');
    const again = clientOf(baseUrl(), { ...session, accessToken: later.access_token });
    expect((await again.whoami()).device_id).to.equal(login.device_id);
  });

  describe('whoever waits', () => {
    it('is shut out at once when the account is locked, and comes back with the same token', async () => {
      const bea = await register(http, 'bea');
      const other = await register(http, 'bystander');
      const [parked, bystander] = [await park(bea), await park(other)];
      expect((await moderate('lock', bea, true)).status).to.equal(200);
      const answer = await parked.answer;
      expect(outcomeOf(answer)).to.equal('401 M_USER_LOCKED');
      expect((answer.body as JsonObject)['soft_logout']).to.equal(true);
      parked.close();
      expect((await moderate('lock', bea, false)).status).to.equal(200);
      expect((await bea.sync()).next_batch).to.be.a('string');
      await other.createRoom();
      expect((await bystander.answer).status, 'waited on').to.equal(200);
      bystander.close();
    });

    it('is shut out at once when the device is logged out', async () => {
      const cid = await register(http, 'cid');
      const parked = await park(cid);
      expect((await cid.http.post(`${CLIENT}/logout`, {})).status).to.equal(200);
      expect(outcomeOf(await parked.answer)).to.equal('401 M_UNKNOWN_TOKEN');
      parked.close();
    });
  });

  it('suspended: takes back what was said, and nobody else’s, and leaves', async () => {
    const [dan, eve] = [await register(http, 'dan'), await register(http, 'eve')];
    const roomId = await dan.createRoom({ preset: 'public_chat' });
    await eve.join(roomId);
    const [own, others] = [await dan.send(roomId, 'one', 'mine'), await eve.send(roomId, 'one', 'hers')];
    expect((await moderate('suspend', dan, true)).status).to.equal(200);
    expect(outcomeOf(await dan.trySend(roomId, 'two', 'more'))).to.equal('403 M_USER_SUSPENDED');
    const redact = (eventId: string) =>
      dan.http.put(`${CLIENT}${pathOf`/rooms/${roomId}/redact/${eventId}/${eventId}`}`, {});
    expect(outcomeOf(await redact(others))).to.equal('403 M_USER_SUSPENDED');
    expect((await redact(own)).status).to.equal(200);
    const seen = await eve.http.get(pathOf`/_matrix/client/v3/rooms/${roomId}/event/${own}`);
    expect((seen.body as JsonObject)['content']).to.deep.equal({});
    await dan.leave(roomId);
  });

  it('reported: rooms, events and users come to the administrators', async () => {
    const [fay, gil] = [await register(http, 'fay'), await register(http, 'gil')];
    const roomId = await fay.createRoom({ preset: 'public_chat' });
    const eventId = await fay.send(roomId, 'one', 'bad');
    const report = (path: string, body: JsonObject) => gil.http.post(`${CLIENT}${path}`, body);
    const event = pathOf`/rooms/${roomId}/report/${eventId}`;
    expect(outcomeOf(await report(event, { reason: 'x' })), 'not in the room').to.equal('404 M_NOT_FOUND');
    await gil.join(roomId);
    expect((await report(event, { reason: 'spam', score: -100 })).status).to.equal(200);
    const unknown = pathOf`/rooms/${roomId}/report/${'$none'}`;
    expect(outcomeOf(await report(unknown, {}))).to.equal('404 M_NOT_FOUND');
    expect((await report(pathOf`/rooms/${roomId}/report`, { reason: 'all of it' })).status).to.equal(200);
    expect((await report(pathOf`/users/${fay.userId}/report`, { reason: 'her' })).status).to.equal(200);
    const list = okBody(await root.http.get('/_troupe/inspector/v1/reports'), 'reports');
    const reports = list['reports'] as unknown as readonly JsonObject[];
    expect(reports.map(({ kind, reason }) => [kind, reason])).to.deep.equal([
      ['user', 'her'],
      ['room', 'all of it'],
      ['event', 'spam'],
    ]);
    expect(reports[2]).to.deep.include({ reporter: gil.userId, roomId, eventId, score: -100, userId: null });
    expect((await gil.http.get('/_troupe/inspector/v1/reports')).status).to.equal(403);
  });

  it('guests join where the room lets them, by whichever way', async () => {
    const hal = await register(http, 'hal');
    const shut = await hal.createRoom({ preset: 'public_chat' });
    const type = 'm.room.guest_access';
    const content = { guest_access: 'can_join' };
    const open = await hal.createRoom({
      preset: 'public_chat',
      initial_state: [{ type, state_key: '', content }],
    });
    const body = okBody(await http.post(`${CLIENT}/register`, {}, { query: { kind: 'guest' } }), 'guest');
    const guest = personOf(http, textOf(body, 'user_id'), textOf(body, 'access_token'));
    const join = (roomId: string) => guest.http.post(pathOf`/_matrix/client/v3/rooms/${roomId}/join`, {});
    expect(outcomeOf(await join(shut))).to.equal('403 M_GUEST_ACCESS_FORBIDDEN');
    const member = pathOf`/_matrix/client/v3/rooms/${shut}/state/m.room.member/${guest.userId}`;
    const byState = await guest.http.put(member, { membership: 'join' });
    expect(outcomeOf(byState)).to.equal('403 M_GUEST_ACCESS_FORBIDDEN');
    expect((await join(open)).status).to.equal(200);
    await guest.send(open, 'one', 'hello');
    expect(await guest.readAll(open)).to.deep.equal(['hello']);
    await guest.leave(open);
  });

  it('deactivated: out of every room and invite, and logged out while waiting', async () => {
    const [ida, joe] = [await register(http, 'ida'), await register(http, 'joe')];
    const rooms = await Promise.all([0, 1, 2].map(() => joe.createRoom({ preset: 'public_chat' })));
    for (const roomId of rooms.slice(0, 2)) await ida.join(roomId);
    await joe.invite(rooms[2] ?? '', ida.userId);
    const data = pathOf`/_matrix/client/v3/user/${ida.userId}/account_data/${'m.x'}`;
    expect((await ida.http.put(data, { a: 1 })).status).to.equal(200);
    const eventId = await ida.send(rooms[0] ?? '', 'one', 'my secret');
    const parked = await park(ida);
    const gone = await ida.http.post(`${CLIENT}/account/deactivate`, { auth: STAGE, erase: true });
    expect(gone.body).to.deep.equal({ id_server_unbind_result: 'success' });
    expect(outcomeOf(await parked.answer)).to.equal('401 M_UNKNOWN_TOKEN');
    parked.close();
    const membership = async (roomId: string): Promise<unknown> => {
      const path = pathOf`/_matrix/client/v3/rooms/${roomId}/state/m.room.member/${ida.userId}`;
      return ((await joe.http.get(path)).body as JsonObject)['membership'];
    };
    for (const roomId of rooms)
      await eventually(`${roomId} to be left`, async () => (await membership(roomId)) === 'leave');
    const later = await register(http, 'kim');
    await later.join(rooms[0] ?? '');
    const read = async (who: Person): Promise<unknown> => {
      const path = pathOf`/_matrix/client/v3/rooms/${rooms[0] ?? ''}/event/${eventId}`;
      return ((await who.http.get(path)).body as JsonObject)['content'];
    };
    expect(await read(later), 'came later').to.deep.equal({});
    expect(await read(joe), 'was there').to.deep.equal({ msgtype: 'm.text', body: 'my secret' });
    const { text } = await later.http.get(pathOf`/_matrix/client/v3/rooms/${rooms[0] ?? ''}/messages`, {
      query: { dir: 'b', limit: 50 },
    });
    expect(text).to.include(eventId).and.not.include('my secret');
    const baseUrl = `http://${server.address.host}:${server.address.port}`;
    const failure: unknown = await logIn(baseUrl, 'ida', PASSWORD).catch((error: unknown) => error);
    expect(failure).to.deep.include({ errcode: 'M_USER_DEACTIVATED' });
  });
});
