import { expect } from 'chai';
import { type MatrixClient, SyncState } from 'matrix-js-sdk';
import { MEMBERS_GIVEN_MAX } from '../../src/federation/memberships/join-answer.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import type { HttpClient } from '../support/http-client.ts';
import { clientOfUrl, eventually, register } from '../support/person.ts';
import { clientOf, eventually as eventuallyIn, textsOf } from '../support/sdk-client.ts';
import { clientPath, get, type Guest, joinVia, post, stateOf } from '../support/synapse/meeting.ts';
import { openTlsGate, type TlsGate } from '../support/tls-gate.ts';
import { type Cluster, startTroupeCluster } from '../support/troupe-cluster.ts';
import type { TroupeProcess } from '../support/troupe-process.ts';
import { memberOf, messageOf, watch } from '../support/watcher.ts';

const STORY_TIMEOUT_MS = 60_000;
/** Member events beside those who are really there. */
const BANNED = 3 * MEMBERS_GIVEN_MAX;
/** Requests under way at once. */
const AT_ONCE = 10;
const WHOLE_STATE = /^\/_matrix\/federation\/v1\/state(_ids)?\//;

describe('a room that is joined without its members', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let cluster: Cluster<TroupeProcess>;
  let gate: TlsGate;
  let clients: HttpClient[];
  let ann: Guest;
  let amy: Guest;
  let bob: Guest;
  let sdk: MatrixClient;
  let roomId: string;

  const member = (index: number) => {
    const one = cluster.members[index];
    if (one === undefined) throw new Error(`there is no server ${index}`);
    return one;
  };
  const guestOn = async (index: number, name: string): Promise<Guest> => {
    const { serverName } = member(index);
    const http = clients[index];
    if (http === undefined) throw new Error(`there is no client ${index}`);
    const person = await register(http, name);
    return { ...person, ...watch(person), serverName };
  };
  const partialRooms = async (): Promise<readonly JsonObject[]> => {
    const inspector = clientOfUrl(member(1).server.inspectorUrl);
    const answer = await inspector.get('/_troupe/inspector/v1/partial-rooms');
    inspector.close();
    return (answer.body as { rooms: readonly JsonObject[] }).rooms;
  };
  const startSdk = async (url: string): Promise<void> => {
    sdk = clientOf(url, { userId: bob.userId, accessToken: bob.token, deviceId: 'sdk' });
    await sdk.startClient({ initialSyncLimit: 20, lazyLoadMembers: true });
    await eventuallyIn(sdk, 'the first sync', () => sdk.getSyncState() === SyncState.Syncing);
  };
  const said = (text: string): Promise<boolean> =>
    eventuallyIn(sdk, `"${text}"`, () => {
      const room = sdk.getRoom(roomId);
      return room !== null && textsOf(room).includes(text);
    });

  before(async () => {
    gate = await openTlsGate();
    cluster = await startTroupeCluster();
    clients = cluster.members.map(({ server }) => clientOfUrl(server.url));
    gate.leadTo(Number(new URL(member(0).server.federationUrl ?? '').port));
    member(0).door.leadTo(gate.port);
    [ann, amy, bob] = await Promise.all([guestOn(0, 'ann'), guestOn(0, 'amy'), guestOn(1, 'bob')]);
    roomId = await ann.createRoom({ preset: 'public_chat', name: 'Market' });
    await joinVia(amy, roomId);
    const banned = Array.from({ length: BANNED }, (_, number) => `@banned${number}:nowhere.example`);
    while (banned.length > 0)
      await Promise.all(
        banned
          .splice(0, AT_ONCE)
          .map((user) => post(ann, clientPath`/rooms/${roomId}/ban`, { user_id: user })),
      );
  });
  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const { serverName, server } of cluster.members)
      process.stderr.write(`${serverName}:\n${server.output()}\n`);
  });
  after(async () => {
    sdk?.stopClient();
    for (const client of clients ?? []) client.close();
    await cluster?.dispose();
    await gate?.close();
  });

  it('is there at once for a client that loads members lazily, which talks and is talked to', async () => {
    gate.hold(WHOLE_STATE);
    await startSdk(member(1).server.url);
    await joinVia(bob, roomId, ann.serverName);
    const room = await eventuallyIn(sdk, 'the room', () => sdk.getRoom(roomId));
    expect(room.name).to.equal('Market');
    await eventually('the question for the rest', () => gate.held > 0);
    expect(await partialRooms()).to.have.nested.property('[0].roomId', roomId);
    await sdk.sendTextMessage(roomId, 'here I am');
    await ann.until('his message', (seen) => messageOf(seen, roomId, 'here I am'));
    await ann.send(roomId, 'one', 'welcome');
    await said('welcome');
    // She was not known there before she spoke.
    await amy.send(roomId, 'two', 'hello, stranger');
    await said('hello, stranger');
    expect(sdk.getRoom(roomId)?.getMember(amy.userId)?.membership).to.equal('join');
    expect((await bob.sync()).rooms?.join).to.equal(undefined);
  });

  it('is gone on with by a server that was killed meanwhile, and still there for its client', async () => {
    await sdk.sendTextMessage(roomId, 'before the crash');
    await ann.until('the message', (seen) => messageOf(seen, roomId, 'before the crash'));
    sdk.stopClient();
    const before = gate.held;
    await member(1).server.kill();
    await member(1).restart();
    clients[1]?.close();
    clients[1] = clientOfUrl(member(1).server.url);
    const again = bob.over(clients[1]);
    bob = { ...again, ...watch(again), serverName: bob.serverName };
    await eventually('the question for the rest', () => gate.held > before);
    expect(await partialRooms()).to.have.nested.property('[0].roomId', roomId);
    await ann.send(roomId, 'three', 'back again?');
    await startSdk(member(1).server.url);
    await said('back again?');
    await sdk.sendTextMessage(roomId, 'yes');
    await ann.until('his answer', (seen) => messageOf(seen, roomId, 'yes'));
  });

  it('is whole when the rest has come: for everybody, and as the other server has it', async () => {
    const members = get(bob, clientPath`/rooms/${roomId}/members`);
    gate.release();
    const { chunk } = (await members) as { chunk: readonly { content: { membership: string } }[] };
    expect(chunk.filter(({ content }) => content.membership === 'ban')).to.have.length(BANNED);
    expect(chunk.filter(({ content }) => content.membership === 'join')).to.have.length(3);
    const room = sdk.getRoom(roomId);
    await eventuallyIn(sdk, 'who is there', () => room?.getJoinedMemberCount() === 3);
    const joined = (await bob.sync()).rooms?.join?.[roomId];
    expect(joined?.state?.events.some(({ state_key: key }) => key === amy.userId)).to.equal(true);
    await eventually('the same state on both', async () => {
      const [left, right] = await Promise.all([stateOf(ann, roomId), stateOf(bob, roomId)]);
      return left.size > BANNED && JSON.stringify([...left]) === JSON.stringify([...right]);
    });
    expect(await partialRooms()).to.deep.equal([]);
    await post(ann, clientPath`/rooms/${roomId}/kick`, { user_id: amy.userId });
    await bob.until(
      'her leave',
      (seen) => memberOf(seen, roomId, amy.userId)?.content['membership'] === 'leave',
    );
    const texts = await bob.readAll(roomId);
    for (const text of ['here I am', 'welcome', 'hello, stranger', 'before the crash', 'back again?', 'yes'])
      expect(texts.filter((one) => one === text)).to.deep.equal([text]);
  });
});
