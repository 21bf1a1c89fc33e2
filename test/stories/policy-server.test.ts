import { expect } from 'chai';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { hashAndSignEvent } from '../../src/matrix/events/event-signatures.ts';
import { eventIdOf } from '../../src/matrix/events/event-id.ts';
import { referenceText } from '../../src/matrix/events/hashes.ts';
import type { Pdu, ProtoPdu } from '../../src/matrix/events/pdu.ts';
import { POLICY_KEY_ID } from '../../src/matrix/events/policy-signature.ts';
import { encodeBase64 } from '../../src/matrix/events/unpadded-base64.ts';
import { getRoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { makeServerKey, signText, verifyKeyOf } from '../../src/matrix/signing.ts';
import { type FederationPeer, openFederationPeer } from '../support/federation-peer.ts';
import { createHttpClient, pathOf } from '../support/http-client.ts';
import type { InProcessProgram } from '../support/in-process-program.ts';
import { eventually, okBody, type Person, register } from '../support/person.ts';
import { type Cluster, startInProcessCluster } from '../support/troupe-cluster.ts';

const STORY_TIMEOUT_MS = 30_000;
const PATIENCE_MS = 10_000;
const CLIENT = '/_matrix/client/v3';
const VERSION = getRoomVersion('11');
const KEY = makeServerKey(new Uint8Array(32).fill(77), 'policy_server');

describe('two servers in a room with a policy server', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let cluster: Cluster<InProcessProgram>;
  let peer: FederationPeer;
  let ann: Person;
  let ben: Person;
  let bea: Person;
  let roomId: string;
  let names: readonly string[];

  before(async () => {
    peer = await openFederationPeer();
    cluster = await startInProcessCluster();
    names = cluster.members.map(({ serverName }) => serverName);
    const [one, other] = cluster.members.map(({ server }) => createHttpClient(server.address));
    if (one === undefined || other === undefined) throw new Error('two servers were asked for');
    [ann, ben, bea] = [
      await register(one, 'ann'),
      await register(other, 'ben'),
      await register(other, 'bea'),
    ];
    peer.on('POST', '/_matrix/policy/v1/sign', ({ body }) => {
      const pdu = body as JsonObject;
      const { body: text } = pdu['content'] as { readonly body?: string };
      if (text?.includes('spam') === true)
        return { status: 400, json: { errcode: 'M_FORBIDDEN', error: 'No spam in here.' } };
      const signature = signText(referenceText(VERSION, pdu as unknown as Pdu) ?? '', KEY);
      return { json: { [peer.serverName]: { [POLICY_KEY_ID]: signature } } };
    });
  });
  after(async () => {
    for (const person of [ann, ben]) person?.http.close();
    await peer?.close();
    await cluster?.dispose();
  });

  /** The policy server takes its seat, as any server does. */
  const seatPeer = async (): Promise<void> => {
    const target = { serverName: names[0] ?? '' };
    const userId = `@policy:${peer.serverName}`;
    const path = `/_matrix/federation/v1/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(userId)}`;
    const { body } = await peer.ask(target, 'GET', path, { query: { ver: ['11'] } });
    const event = isJsonObject(body) ? body['event'] : undefined;
    if (!isJsonObject(event)) throw new Error(`no template: ${JSON.stringify(body)}`);
    const proto = { ...event, origin_server_ts: Date.now() } as unknown as ProtoPdu;
    const pdu = hashAndSignEvent(VERSION, proto, { serverName: peer.serverName, key: peer.key });
    const id = encodeURIComponent(eventIdOf(VERSION, pdu) ?? '');
    const send = `/_matrix/federation/v2/send_join/${encodeURIComponent(roomId)}/${id}`;
    const sent = await peer.ask(target, 'PUT', send, { body: pdu });
    expect(sent.status, JSON.stringify(sent.body)).to.equal(200);
  };
  const setPolicy = async (content: JsonObject): Promise<void> => {
    const path = `${CLIENT}${pathOf`/rooms/${roomId}/state/m.room.policy`}/`;
    okBody(await ann.http.put(path, content), 'policy');
  };
  const stateOf = async (person: Person): Promise<string> => {
    const answer = await person.http.get(`${CLIENT}${pathOf`/rooms/${roomId}/state`}`);
    const events = answer.body as unknown as readonly { readonly event_id: string }[];
    return JSON.stringify(events.map(({ event_id: id }) => id).toSorted());
  };
  const agree = (): Promise<unknown> =>
    eventually(
      'the same state on both',
      async () => (await stateOf(ann)) === (await stateOf(ben)),
      PATIENCE_MS,
    );
  const hears = (person: Person, text: string): Promise<unknown> =>
    eventually(
      `"${text}"`,
      async () => ((await person.readAll(roomId)).includes(text) ? true : undefined),
      PATIENCE_MS,
    );
  const asked = (): number => peer.requests.filter(({ path }) => path === '/_matrix/policy/v1/sign').length;

  it('they talk through it, and what it refuses is nowhere', async () => {
    roomId = await ann.createRoom({ preset: 'public_chat', room_version: '11' });
    const join = await ben.http.post(
      `${CLIENT}/join/${encodeURIComponent(roomId)}`,
      {},
      { query: { via: names } },
    );
    okBody(join, 'join');
    await seatPeer();
    expect(asked()).to.equal(0);
    await setPolicy({
      via: peer.serverName,
      public_keys: { ed25519: encodeBase64(verifyKeyOf(KEY).publicKey) },
    });
    await agree();
    await ann.send(roomId, 'one', 'good morning');
    await hears(ben, 'good morning');
    const refused = await ben.trySend(roomId, 'two', 'buy spam');
    expect(refused.status).to.equal(400);
    expect(refused.body).to.include({ errcode: 'M_FORBIDDEN', error: 'No spam in here.' });
    await ben.send(roomId, 'three', 'good evening');
    await hears(ann, 'good evening');
    // Each was asked about once, by who sent it: the other server saw the signature.
    expect(asked()).to.equal(3);
    for (const person of [ann, ben]) expect(await person.readAll(roomId)).to.not.include('buy spam');
    await agree();
  });

  it('it sees an invite before the server of who is invited does', async () => {
    await ann.invite(roomId, bea.userId);
    const signed = peer.requests.filter(({ path }) => path === '/_matrix/policy/v1/sign');
    const { content, state_key: target } = (signed.at(-1)?.body ?? {}) as JsonObject;
    expect([content, target]).to.deep.equal([{ membership: 'invite' }, bea.userId]);
    await bea.join(roomId);
    await agree();
  });

  it('while it is down nothing is sent, and the room goes on without it', async () => {
    await peer.goDown();
    expect((await ann.trySend(roomId, 'four', 'hello?')).status).to.equal(502);
    await setPolicy({});
    await ann.send(roomId, 'five', 'on our own');
    await hears(ben, 'on our own');
    await ben.send(roomId, 'six', 'at last');
    await hears(ann, 'at last');
    await agree();
  });
});
