import { expect } from 'chai';
import { crossSigning, cryptoDevice } from '../../../support/crypto-device.ts';
import { createHttpClient, type HttpClient, pathOf } from '../../../support/http-client.ts';
import type { InProcessProgram } from '../../../support/in-process-program.ts';
import { type Cluster, startInProcessCluster } from '../../../support/troupe-cluster.ts';
import type { Answer } from '../../sync/sync-world.ts';

const CLIENT = '/_matrix/client/v3';

/** Somebody on one of the servers. */
interface Somebody {
  readonly http: HttpClient;
  readonly userId: string;
  readonly deviceId: string;
  /** Expects 200 and gives the body. */
  call(method: string, path: string, body?: unknown, query?: Record<string, string>): Promise<Answer>;
  /** Status and errcode. */
  refused(method: string, path: string, query?: Record<string, string>): Promise<string>;
}

async function register(server: InProcessProgram, username: string): Promise<Somebody> {
  const anonymous = createHttpClient(server.address);
  const body = { username, password: 'open sesame 42', device_id: 'PHONE', auth: { type: 'm.login.dummy' } };
  const { body: made } = await anonymous.post(`${CLIENT}/register`, body);
  const { access_token: token, user_id: userId } = made as { access_token: string; user_id: string };
  const http = anonymous.withToken(token);
  return {
    http,
    userId,
    deviceId: 'PHONE',
    async call(method, path, sent, query = {}) {
      const answer = await http.request(method, path, { body: sent, query });
      if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
      return answer.body;
    },
    async refused(method, path, query = {}) {
      const { status, body: refusal } = await http.request(method, path, { query });
      return `${status} ${(refusal as { errcode?: string } | null)?.errcode ?? ''}`;
    },
  };
}

/** Alice is at home on one server, Bob on another; they speak by TLS on loopback addresses. */
describe('queries between two servers', () => {
  let cluster: Cluster<InProcessProgram>;
  let alice: Somebody;
  let bob: Somebody;
  let here: string;

  before(async function () {
    this.timeout(60_000);
    cluster = await startInProcessCluster();
    const [first, second] = cluster.members;
    if (first === undefined || second === undefined) throw new Error('there are no two servers');
    here = first.serverName;
    [alice, bob] = await Promise.all([register(first.server, 'alice'), register(second.server, 'bob')]);
  });
  after(async () => {
    alice?.http.close();
    bob?.http.close();
    await cluster?.dispose();
  });

  it('profiles', async () => {
    await alice.call('PUT', pathOf`/_matrix/client/v3/profile/${alice.userId}/displayname`, {
      displayname: 'Alice Liddell',
    });
    const path = pathOf`/_matrix/client/v3/profile/${alice.userId}`;
    expect(await bob.call('GET', path)).to.deep.equal({ displayname: 'Alice Liddell' });
    expect(await bob.call('GET', `${path}/displayname`)).to.deep.equal({ displayname: 'Alice Liddell' });
    expect(await bob.refused('GET', `${path}/org.example.field`)).to.equal('404 M_NOT_FOUND');
    const nobody = pathOf`/_matrix/client/v3/profile/${`@nobody:${here}`}`;
    expect(await bob.refused('GET', nobody)).to.equal('404 M_NOT_FOUND');
  });

  it('aliases, the public directory, summaries and spaces', async () => {
    const make = async (body: object): Promise<string> =>
      (await alice.call('POST', `${CLIENT}/createRoom`, body)).room_id;
    const open = await make({ preset: 'public_chat', name: 'Open', visibility: 'public' });
    const closed = await make({ preset: 'private_chat', name: 'Closed' });
    const space = await make({
      preset: 'public_chat',
      name: 'Space',
      room_alias_name: 'space',
      creation_content: { type: 'm.space' },
    });
    for (const [index, roomId] of [open, closed].entries())
      await alice.call('PUT', pathOf`/_matrix/client/v3/rooms/${space}/state/m.space.child/${roomId}`, {
        via: [here],
        order: String(index),
      });
    const alias = `#space:${here}`;
    const found = await bob.call('GET', pathOf`/_matrix/client/v3/directory/room/${alias}`);
    expect(found).to.deep.equal({ room_id: space, servers: [here] });
    const missing = pathOf`/_matrix/client/v3/directory/room/${`#missing:${here}`}`;
    expect(await bob.refused('GET', missing)).to.equal('404 M_NOT_FOUND');

    const listed = await bob.call('GET', `${CLIENT}/publicRooms`, undefined, { server: here });
    expect(listed.chunk.map((room: Answer) => room.name)).to.deep.equal(['Open']);
    const filter = { filter: { generic_search_term: 'spa' } };
    const searched = await bob.call('POST', `${CLIENT}/publicRooms`, filter, { server: here });
    expect(searched.chunk).to.deep.equal([]);
    expect(searched.total_room_count_estimate).to.equal(1);

    const summaryPath = pathOf`/_matrix/client/v1/room_summary/${alias}`;
    const summary = await bob.call('GET', summaryPath);
    expect(summary).to.deep.include({
      room_id: space,
      name: 'Space',
      room_type: 'm.space',
      membership: 'leave',
    });
    const hidden = pathOf`/_matrix/client/v1/room_summary/${closed}`;
    expect(await bob.refused('GET', hidden, { via: here })).to.equal('404 M_NOT_FOUND');

    // Bob's server is in none of these rooms: a space of his own leads there.
    const own = (
      await bob.call('POST', `${CLIENT}/createRoom`, {
        preset: 'public_chat',
        name: 'Own',
        creation_content: { type: 'm.space' },
      })
    ).room_id;
    await bob.call('PUT', pathOf`/_matrix/client/v3/rooms/${own}/state/m.space.child/${space}`, {
      via: [here],
    });
    const tree = await bob.call('GET', pathOf`/_matrix/client/v1/rooms/${own}/hierarchy`);
    expect(tree.rooms.map((room: Answer) => room.name)).to.deep.equal(['Own', 'Space', 'Open']);
    expect(tree.rooms[1].children_state).to.have.length(2);
  });

  it('media, streamed from there once and kept here', async () => {
    const bytes = Buffer.alloc(300_000, 'across\r\n--');
    const uploaded = await alice.http.request('POST', '/_matrix/media/v3/upload', {
      rawBody: bytes,
      headers: { 'Content-Type': 'application/pdf' },
      query: { filename: 'tale ü.pdf' },
    });
    const uri = new URL((uploaded.body as { content_uri: string }).content_uri);
    const path = pathOf`/_matrix/client/v1/media/download/${here}/${uri.pathname.slice(1)}`;
    expect(await bob.refused('GET', path, { allow_remote: 'false' })).to.equal('404 M_NOT_FOUND');
    const [one, other] = await Promise.all([bob.http.get(path), bob.http.get(path)]);
    for (const answer of [one, other]) {
      expect(answer.status).to.equal(200);
      expect(answer.text).to.equal(bytes.toString());
      expect(answer.headers['content-type']).to.equal('application/pdf');
      expect(answer.headers['content-disposition']).to.include("utf-8''tale%20%C3%BC.pdf");
    }
    cluster.part();
    expect((await bob.http.get(path)).text).to.have.length(bytes.length);
    cluster.reunite();
    const missing = pathOf`/_matrix/client/v1/media/download/${here}/missing`;
    expect(await bob.refused('GET', missing)).to.equal('404 M_NOT_FOUND');
  });

  it('keys of devices: asked for, claimed once each, and signed across servers', async () => {
    const phone = cryptoDevice(alice.userId, alice.deviceId);
    const signing = crossSigning(alice.userId);
    await alice.call('POST', `${CLIENT}/keys/upload`, {
      device_keys: phone.keys,
      one_time_keys: phone.oneTimeKeys(20),
    });
    await alice.call('POST', `${CLIENT}/keys/device_signing/upload`, signing.body);
    const asked = { device_keys: { [alice.userId]: [], [bob.userId]: [], '@x:127.0.0.1:1': [] } };
    const found = await bob.call('POST', `${CLIENT}/keys/query`, asked);
    expect(found.device_keys[alice.userId][alice.deviceId].keys).to.deep.equal(phone.keys['keys']);
    expect(found.device_keys[bob.userId]).to.deep.equal({});
    expect(found.master_keys[alice.userId].keys).to.deep.equal(signing.body.master_key['keys']);
    expect(found.self_signing_keys).to.have.keys(alice.userId);
    expect(found.user_signing_keys).to.deep.equal({});
    expect(found.failures).to.have.keys('127.0.0.1:1');

    const claim = {
      one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519', OTHER: 'x' } },
    };
    const claims = await Promise.all(
      Array.from({ length: 20 }, () => bob.call('POST', `${CLIENT}/keys/claim`, claim)),
    );
    const given = claims.map((one) => Object.keys(one.one_time_keys[alice.userId][alice.deviceId])[0]);
    expect(new Set(given).size, 'each key once').to.equal(20);
    expect(await bob.call('POST', `${CLIENT}/keys/claim`, claim)).to.deep.equal({
      one_time_keys: {},
      failures: {},
    });

    const bobSigning = crossSigning(bob.userId);
    await bob.call('POST', `${CLIENT}/keys/device_signing/upload`, bobSigning.body);
    const signed = bobSigning.userSign(signing.body.master_key);
    const body = { [alice.userId]: { [signing.masterKey]: signed } };
    const answer = await bob.call('POST', `${CLIENT}/keys/signatures/upload`, body);
    expect(answer.failures).to.deep.equal({});
    const again = await bob.call('POST', `${CLIENT}/keys/query`, asked);
    expect(again.master_keys[alice.userId].signatures).to.have.property(bob.userId);
  });

  it('devices that change, once they share a room, without being asked for again', async () => {
    const made = await alice.call('POST', `${CLIENT}/createRoom`, { preset: 'public_chat' });
    const roomId: string = made.room_id;
    await bob.call('POST', pathOf`/_matrix/client/v3/join/${roomId}`, {}, { via: here });
    // The time of what happened before Bob came is known where it happened.
    const first = await bob.call(
      'GET',
      pathOf`/_matrix/client/v1/rooms/${roomId}/timestamp_to_event`,
      undefined,
      {
        ts: '0',
        dir: 'f',
      },
    );
    const there = await alice.call(
      'GET',
      pathOf`/_matrix/client/v1/rooms/${roomId}/timestamp_to_event`,
      undefined,
      {
        ts: '0',
        dir: 'f',
      },
    );
    expect(first).to.deep.equal(there);

    await bob.call('POST', `${CLIENT}/keys/query`, { device_keys: { [alice.userId]: [] } });
    const { next_batch: since } = await bob.call('GET', `${CLIENT}/sync`);
    const login = await alice.call('POST', `${CLIENT}/login`, {
      type: 'm.login.password',
      identifier: { type: 'm.id.user', user: 'alice' },
      password: 'open sesame 42',
      device_id: 'DESK',
    });
    const desk = cryptoDevice(alice.userId, 'DESK');
    await alice.http.withToken(login.access_token).post(`${CLIENT}/keys/upload`, { device_keys: desk.keys });
    let token: string = since;
    const changed = new Set<string>();
    while (!changed.has(alice.userId)) {
      const news = await bob.call('GET', `${CLIENT}/sync`, undefined, { since: token, timeout: '10000' });
      token = news.next_batch;
      for (const userId of news.device_lists?.changed ?? []) changed.add(userId);
    }
    // What Alice's server has told is enough: it is not there to be asked.
    cluster.part();
    const query = { device_keys: { [alice.userId]: ['DESK'] } };
    const known = await bob.call('POST', `${CLIENT}/keys/query`, query);
    cluster.reunite();
    expect(known.device_keys[alice.userId].DESK.keys).to.deep.equal(desk.keys['keys']);
    expect(known.failures).to.deep.equal({});
  });
});
