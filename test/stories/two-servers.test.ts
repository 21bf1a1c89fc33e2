import { expect } from 'chai';
import type { JsonObject } from '../../src/kit/json.ts';
import { cryptoDevice } from '../support/crypto-device.ts';
import { type FederationPeer, openFederationPeer } from '../support/federation-peer.ts';
import { type HttpClient, pathOf } from '../support/http-client.ts';
import { clientOfUrl, eventually, register, textOf } from '../support/person.ts';
import { clientPath, get, type Guest, joinVia, post, put, stateOf } from '../support/synapse/meeting.ts';
import { type Cluster, startTroupeCluster } from '../support/troupe-cluster.ts';
import type { TroupeProcess } from '../support/troupe-process.ts';
import { memberOf, messageOf, watch } from '../support/watcher.ts';

/** One grey pixel. */
const PICTURE = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
  'base64',
);
const STORY_TIMEOUT_MS = 30_000;
const START_TIMEOUT_MS = 60_000;

describe('two servers', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let cluster: Cluster<TroupeProcess>;
  let peer: FederationPeer;
  let names: readonly string[];
  let clients: HttpClient[];
  let ann: Guest;
  let bob: Guest;
  let roomId: string;

  const guestOn = async (index: number, name: string): Promise<Guest> => {
    const http = clients[index];
    const serverName = names[index];
    if (http === undefined || serverName === undefined) throw new Error(`there is no server ${index}`);
    const person = await register(http, name);
    return { ...person, ...watch(person), serverName };
  };
  /** Both have the same state of a room, sooner or later. */
  const agree = async (room: string): Promise<void> => {
    await eventually('the same state on both', async () => {
      const [left, right] = await Promise.all([stateOf(ann, room), stateOf(bob, room)]);
      return JSON.stringify([...left]) === JSON.stringify([...right]);
    });
  };

  /** An administrator does not wait for the back-off. */
  const retry = async (server: TroupeProcess, destination: string): Promise<void> => {
    const inspector = clientOfUrl(server.inspectorUrl);
    const path = pathOf`/_troupe/inspector/v1/destinations/${destination}/retry`;
    await inspector.post(path, undefined);
    inspector.close();
  };

  before(async function () {
    this.timeout(START_TIMEOUT_MS);
    peer = await openFederationPeer();
    cluster = await startTroupeCluster();
    names = cluster.members.map(({ serverName }) => serverName);
    clients = cluster.members.map(({ server }) => clientOfUrl(server.url));
    ann = await guestOn(0, 'ann');
    bob = await guestOn(1, 'bob');
  });
  afterEach(function () {
    if (this.currentTest?.state !== 'failed') return;
    for (const { serverName, server } of cluster.members)
      process.stderr.write(`${serverName}:\n${server.output()}\n`);
  });
  after(async () => {
    for (const client of clients ?? []) client.close();
    await peer?.close();
    await cluster?.dispose();
  });

  it('each says with TLS what it is, and which keys are its own', async () => {
    const isSigned = false;
    for (const serverName of names) {
      const version = await peer.ask({ serverName }, 'GET', '/_matrix/federation/v1/version', { isSigned });
      expect(version.body).to.have.nested.property('server.name', 'Troupe');
      const keys = await peer.ask({ serverName }, 'GET', '/_matrix/key/v2/server', { isSigned });
      expect(keys.body).to.include({ server_name: serverName });
    }
  });

  it('each asks the other for its keys, as a notary', async () => {
    const [one = '', other = ''] = names;
    const path = `/_matrix/key/v2/query/${encodeURIComponent(other)}`;
    const answer = await peer.ask({ serverName: one }, 'GET', path, { isSigned: false });
    expect(answer.body).to.have.nested.property('server_keys[0].server_name', other);
    const [document] = (answer.body as { server_keys: { signatures: object }[] }).server_keys;
    expect(Object.keys(document?.signatures ?? {})).to.have.members([one, other]);
  });

  it('profiles of the other server', async () => {
    await put(bob, clientPath`/profile/${bob.userId}/displayname`, { displayname: 'Bob' });
    expect(await get(ann, clientPath`/profile/${bob.userId}`)).to.include({ displayname: 'Bob' });
    const nobody = await ann.http.get(clientPath`/profile/${`@nobody:${bob.serverName}`}`);
    expect([nobody.status, (nobody.body as JsonObject)['errcode']]).to.deep.equal([404, 'M_NOT_FOUND']);
  });

  it('ann makes a room, bob joins it by its alias, and they talk', async () => {
    roomId = await ann.createRoom({ preset: 'public_chat', room_alias_name: 'stage', name: 'Stage' });
    await ann.send(roomId, 'early', 'is anybody there?');
    expect(await joinVia(bob, `#stage:${ann.serverName}`)).to.equal(roomId);
    await ann.until('his join', (seen) => memberOf(seen, roomId, bob.userId));
    await bob.send(roomId, 'hello', 'I am');
    await ann.until('his message', (seen) => messageOf(seen, roomId, 'I am'));
    await ann.send(roomId, 'answer', 'welcome');
    await bob.until('her message', (seen) => messageOf(seen, roomId, 'welcome'));
    await agree(roomId);
  });

  it('bob sees what was said before he came', async () => {
    const page = await get(bob, clientPath`/rooms/${roomId}/messages`, { dir: 'b', limit: '50' });
    const bodies = (page['chunk'] as readonly { content: { body?: string } }[]).map(
      ({ content }) => content.body,
    );
    expect(bodies).to.include('is anybody there?');
  });

  it('typing, receipts and presence', async () => {
    const answer = await ann.send(roomId, 'read', 'read me');
    await bob.until('the message', (seen) => messageOf(seen, roomId, 'read me'));
    await bob.receipt(roomId, answer);
    await ann.until('his receipt', (seen) => {
      const receipts = seen.ephemeral(roomId, 'm.receipt')?.[answer] as JsonObject | undefined;
      return (receipts?.['m.read'] as JsonObject | undefined)?.[bob.userId] !== undefined;
    });
    await bob.type(roomId, true);
    const isTyping = (users: unknown): boolean =>
      Array.isArray(users) && (users as unknown[]).includes(bob.userId);
    await ann.until('his typing', (seen) => isTyping(seen.ephemeral(roomId, 'm.typing')?.['user_ids']));
    await bob.type(roomId, false);
    await ann.until('its end', (seen) => !isTyping(seen.ephemeral(roomId, 'm.typing')?.['user_ids']));
    await put(bob, clientPath`/presence/${bob.userId}/status`, { presence: 'online', status_msg: 'here' });
    await ann.until('his presence', (seen) => seen.presence.get(bob.userId)?.['status_msg'] === 'here');
  });

  it('invitations: one is accepted, one is rejected, one is taken back', async () => {
    const rooms: string[] = [];
    for (const name of ['accepted', 'rejected', 'taken back']) {
      const room = await ann.createRoom({ preset: 'private_chat', name, invite: [bob.userId] });
      const invite = await bob.until(`the invitation, ${name}`, (seen) => seen.invite(room));
      expect(invite.find(({ type }) => type === 'm.room.name')?.content['name']).to.equal(name);
      rooms.push(room);
    }
    const [accepted = '', rejected = '', takenBack = ''] = rooms;
    await joinVia(bob, accepted, ann.serverName);
    await ann.until(
      'his join',
      (seen) => memberOf(seen, accepted, bob.userId)?.content['membership'] === 'join',
    );
    await bob.leave(rejected);
    await ann.until(
      'his rejection',
      (seen) => memberOf(seen, rejected, bob.userId)?.content['membership'] === 'leave',
    );
    await post(ann, clientPath`/rooms/${takenBack}/kick`, { user_id: bob.userId });
    await bob.until('the end of the invitation', (seen) => seen.membership(takenBack) === 'leave');
    await agree(accepted);
  });

  it('a knock is answered by an invitation', async () => {
    const room = await ann.createRoom({
      preset: 'public_chat',
      initial_state: [{ type: 'm.room.join_rules', state_key: '', content: { join_rule: 'knock' } }],
    });
    const query = { via: [ann.serverName], server_name: [ann.serverName] };
    const answer = await bob.http.post(clientPath`/knock/${room}`, { reason: 'please' }, { query });
    expect(answer.status, answer.text).to.equal(200);
    await ann.until(
      'his knock',
      (seen) => memberOf(seen, room, bob.userId)?.content['membership'] === 'knock',
    );
    await ann.invite(room, bob.userId);
    await bob.until('the invitation', (seen) => seen.invite(room));
    await joinVia(bob, room, ann.serverName);
    await agree(room);
  });

  it('a restricted room lets in who is in the other room', async () => {
    const room = await ann.createRoom({
      preset: 'public_chat',
      initial_state: [
        {
          type: 'm.room.join_rules',
          state_key: '',
          content: { join_rule: 'restricted', allow: [{ type: 'm.room_membership', room_id: roomId }] },
        },
      ],
    });
    await joinVia(bob, room, ann.serverName);
    await ann.until('his join', (seen) => memberOf(seen, room, bob.userId));
    const stranger = await guestOn(1, 'stranger');
    const query = { via: [ann.serverName], server_name: [ann.serverName] };
    const refused = await stranger.http.post(clientPath`/join/${room}`, {}, { query });
    expect([refused.status, (refused.body as JsonObject)['errcode']]).to.deep.equal([403, 'M_FORBIDDEN']);
    await agree(room);
  });

  it('messages to devices, once each', async () => {
    const content = { messages: { [bob.userId]: { '*': { secret: 'yes' } } } };
    await put(ann, clientPath`/sendToDevice/org.example.secret/once`, content);
    await put(ann, clientPath`/sendToDevice/org.example.secret/once`, content);
    await bob.until('the message', (seen) => seen.toDevice.find(({ type }) => type === 'org.example.secret'));
    await put(ann, clientPath`/sendToDevice/org.example.second/twice`, content);
    const messages = await bob.until(
      'the second',
      (seen) => seen.toDevice.some(({ type }) => type === 'org.example.second') && seen.toDevice,
    );
    expect(messages.filter(({ type }) => type === 'org.example.secret')).to.have.length(1);
    expect(messages.every(({ sender }) => sender === ann.userId)).to.equal(true);
  });

  it('keys of devices: asked for, claimed once each, and asked for again when they change', async () => {
    const upload = async (deviceId: string, keys: JsonObject): Promise<void> =>
      void (await post(bob, clientPath`/keys/upload`, { ...keys, device_id: deviceId }));
    const deviceId = textOf(await get(bob, clientPath`/account/whoami`), 'device_id');
    const device = cryptoDevice(bob.userId, deviceId);
    await upload(deviceId, { device_keys: device.keys, one_time_keys: device.oneTimeKeys(2) });
    await ann.until('that his devices changed', (seen) => seen.changed.has(bob.userId));
    const query = { device_keys: { [bob.userId]: [] } };
    const found = await eventually('his keys', async () => {
      const answer = await post(ann, clientPath`/keys/query`, query);
      const devices = (answer['device_keys'] as JsonObject)[bob.userId] as JsonObject | undefined;
      return devices?.[deviceId] as JsonObject | undefined;
    });
    expect(found['keys']).to.deep.equal(device.keys['keys']);
    expect(found['signatures']).to.deep.equal(device.keys['signatures']);
    const claim = { one_time_keys: { [bob.userId]: { [deviceId]: 'signed_curve25519' } } };
    const claimed = await Promise.all([1, 2, 3].map(() => post(ann, clientPath`/keys/claim`, claim)));
    const keyIds = claimed.flatMap((answer) => {
      const ofUser = (answer['one_time_keys'] as JsonObject)[bob.userId] as JsonObject | undefined;
      return Object.keys((ofUser?.[deviceId] ?? {}) as JsonObject);
    });
    expect(keyIds).to.have.members(Object.keys(device.oneTimeKeys(2)));
  });

  it('media of the other server, and thumbnails of it', async () => {
    const uploaded = await bob.http.post('/_matrix/media/v3/upload', undefined, {
      rawBody: PICTURE,
      headers: { 'Content-Type': 'image/png' },
    });
    const uri = new URL(textOf(uploaded.body as JsonObject, 'content_uri'));
    const media = `${uri.host}${uri.pathname}`;
    const answer = await ann.http.get(`/_matrix/client/v1/media/download/${media}`);
    expect([answer.status, answer.headers['content-type']], answer.text).to.deep.equal([200, 'image/png']);
    const thumbnail = await ann.http.get(`/_matrix/client/v1/media/thumbnail/${media}`, {
      query: { width: 32, height: 32, method: 'scale' },
    });
    expect(thumbnail.status, thumbnail.text).to.equal(200);
    const missing = await ann.http.get(`/_matrix/client/v1/media/download/${uri.host}/nothing`);
    expect(missing.status, missing.text).to.equal(404);
  });

  it('the public rooms of the other server, and what is in its spaces', async () => {
    const space = await ann.createRoom({
      preset: 'public_chat',
      visibility: 'public',
      name: 'The house',
      creation_content: { type: 'm.space' },
      initial_state: [{ type: 'm.space.child', state_key: roomId, content: { via: [ann.serverName] } }],
    });
    const query = { server: ann.serverName };
    const rooms = await get(bob, clientPath`/publicRooms`, query);
    expect((rooms['chunk'] as readonly JsonObject[]).map(({ name }) => name)).to.include('The house');
    await joinVia(bob, space, ann.serverName);
    const hierarchy = await get(bob, `/_matrix/client/v1/rooms/${encodeURIComponent(space)}/hierarchy`);
    const ids = (hierarchy['rooms'] as readonly JsonObject[]).map(({ room_id: id }) => id);
    expect(ids).to.have.members([space, roomId]);
  });

  it('what was said while the other was dead is there when it lives again', async () => {
    const [, second] = cluster.members;
    await second?.server.kill();
    for (const number of [1, 2, 3]) await ann.send(roomId, `alone-${number}`, `alone ${number}`);
    await second?.restart();
    const http = clientOfUrl(second?.server.url ?? '');
    clients.push(http);
    const again = bob.over(http);
    bob = { ...again, ...watch(again), serverName: bob.serverName };
    // Whoever is heard from is tried again at once.
    await bob.send(roomId, 'awake', 'I am back');
    await bob.until('all she said', (seen) => messageOf(seen, roomId, 'alone 3'));
    await eventually('all of it', async () => {
      const page = await get(bob, clientPath`/rooms/${roomId}/messages`, { dir: 'b', limit: '20' });
      const bodies = (page['chunk'] as readonly { content: { body?: string } }[]).map(
        ({ content }) => content.body,
      );
      return [1, 2, 3].every((number) => bodies.includes(`alone ${number}`));
    });
  });

  it('after a partition with changes on both sides they agree', async () => {
    await put(ann, clientPath`/rooms/${roomId}/state/m.room.power_levels/`, {
      users: { [bob.userId]: 100 },
    });
    await bob.until('his power', (seen) =>
      seen
        .events(roomId)
        .find(
          ({ type, content }) =>
            type === 'm.room.power_levels' && (content['users'] as JsonObject)[bob.userId] === 100,
        ),
    );
    cluster.part();
    await put(ann, clientPath`/rooms/${roomId}/state/m.room.topic/`, { topic: 'hers' });
    await put(bob, clientPath`/rooms/${roomId}/state/m.room.topic/`, { topic: 'his' });
    await put(ann, clientPath`/rooms/${roomId}/state/m.room.name/`, { name: 'hers alone' });
    await bob.send(roomId, 'parted', 'can you hear me?');
    cluster.reunite();
    for (const { server, serverName } of cluster.members)
      for (const other of names) if (other !== serverName) await retry(server, other);
    await ann.until('what he said', (seen) => messageOf(seen, roomId, 'can you hear me?'));
    await agree(roomId);
    const state = await stateOf(bob, roomId);
    expect(state.has('m.room.name ')).to.equal(true);
    await ann.send(roomId, 'reunited', 'now I can');
    await bob.until('her answer', (seen) => messageOf(seen, roomId, 'now I can'));
    await agree(roomId);
  });

  it('a third server comes through the second while nobody reaches the first', async () => {
    // What the first has signed the second can vouch for.
    const others = await startTroupeCluster({
      size: 1,
      environment: { TROUPE_FEDERATION_TRUSTED_KEY_SERVERS: JSON.stringify([bob.serverName]) },
    });
    const [first] = cluster.members;
    try {
      const [third] = others.members;
      const http = clientOfUrl(third?.server.url ?? '');
      clients.push(http);
      const person = await register(http, 'carl');
      const carl: Guest = { ...person, ...watch(person), serverName: third?.serverName ?? '' };
      first?.door.cut();
      await joinVia(carl, roomId, bob.serverName);
      await bob.until('his join', (seen) => memberOf(seen, roomId, carl.userId));
      await carl.send(roomId, 'new', 'I am new here');
      await bob.until('what he said', (seen) => messageOf(seen, roomId, 'I am new here'));
      first?.door.mend();
      if (third !== undefined) await retry(third.server, ann.serverName);
      await ann.until('what he said', (seen) => messageOf(seen, roomId, 'I am new here'));
      await ann.send(roomId, 'third', 'welcome, third');
      await carl.until('her welcome', (seen) => messageOf(seen, roomId, 'welcome, third'));
      await agree(roomId);
      expect([...(await stateOf(carl, roomId))]).to.deep.equal([...(await stateOf(ann, roomId))]);
    } finally {
      first?.door.mend();
      await others.dispose();
    }
  });

  it('who leaves is gone on both', async () => {
    await bob.leave(roomId);
    await ann.until(
      'his leaving',
      (seen) => memberOf(seen, roomId, bob.userId)?.content['membership'] === 'leave',
    );
    const answer = await bob.trySend(roomId, 'gone', 'still here?');
    expect(answer.status).to.equal(403);
  });
});
