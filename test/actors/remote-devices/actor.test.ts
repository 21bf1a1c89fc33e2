import { expect } from 'chai';
import { DEPARTURE_DELAY_MS } from '../../../actors/remote-devices/departures.ts';
import { FETCH_BACKOFF } from '../../../actors/remote-devices/list-fetcher.ts';
import { readRemoteDevices, readRemoteLists } from '../../../db/remote-devices/reader.ts';
import { readUsersSharingSince } from '../../../db/rooms/sharing-reader.ts';
import type {
  FederationAnswer,
  FederationClient,
  FederationRequest,
} from '../../../src/federation/federation-client.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { StreamOwnerProtocol } from '../../../src/streams/message.ts';
import { deviceListsStream } from '../../../src/streams/device-lists-stream.ts';
import { EVERYTHING, type Neighbour } from '../../support/owner-neighbours.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const RUTH = '@ruth:remote.example';
const STRANGER = '@stan:strange.example';
const ROOM = '!shared:example.com';
const DOWN = { kind: 'unreachable', reason: 'of the test', retryTs: null } as const;

/** The owner of the events stream, of which these tests tell themselves. */
const ROOMS: Neighbour<StreamOwnerProtocol> = {
  name: 'rooms',
  ...EVERYTHING,
  start: () => ({
    handlers: { 'stream.subscribe': () => undefined, 'stream.unsubscribe': () => undefined } as never,
  }),
};

/** What a device of a remote user publishes. */
function keysOf(userId: string, deviceId: string, key = 'first'): JsonObject {
  return {
    user_id: userId,
    device_id: deviceId,
    algorithms: ['m.olm.v1.curve25519-aes-sha2'],
    keys: { [`ed25519:${deviceId}`]: key },
    signatures: {},
  };
}

function masterOf(userId: string, key: string): JsonObject {
  return { user_id: userId, usage: ['master'], keys: { [`ed25519:${key}`]: key } };
}

/** Other servers, whose users' devices a test changes. */
function createServers() {
  const lists = new Map<
    string,
    { streamId: number; devices: Record<string, JsonObject>; master?: JsonObject }
  >();
  const asked: FederationRequest[] = [];
  const state = { isDown: false, gate: null as Promise<void> | null };
  const client: FederationClient = {
    async request(request) {
      asked.push(request);
      // What is asked while the gate is closed is answered as things stood then.
      const answer = answerTo(request);
      await state.gate;
      return answer;
    },
    stream: () => Promise.resolve(DOWN),
  };
  function answerTo({ path, body }: FederationRequest): FederationAnswer {
    if (state.isDown) return DOWN;
    if (path.endsWith('/user/keys/query')) {
      const wanted = Object.keys((body as { device_keys: JsonObject }).device_keys);
      // Something of somebody who was not asked for is in it, too.
      const devices = [...wanted, '@other:example.com'].map((id) => [id, { A: keysOf(id, 'A') }]);
      return { kind: 'answered', body: { device_keys: Object.fromEntries(devices) as JsonObject } };
    }
    const userId = decodeURIComponent(path.split('/').at(-1) ?? '');
    const list = lists.get(userId);
    if (list === undefined)
      return { kind: 'refused', status: 404, errcode: 'M_NOT_FOUND', error: 'unknown', body: {} };
    return {
      kind: 'answered',
      body: {
        user_id: userId,
        stream_id: list.streamId,
        devices: Object.entries(list.devices).map(([id, keys]) => ({ device_id: id, keys })),
        ...(list.master !== undefined && { master_key: list.master }),
      },
    };
  }
  return { lists, asked, state, client };
}

describe('the remote-devices actor', () => {
  let world: OwnerWorld;
  let servers: ReturnType<typeof createServers>;

  beforeEach(async () => {
    servers = createServers();
    world = await createOwnerWorld({
      owners: ['device-lists', 'remote-devices'],
      federationClient: servers.client,
      bystanders: [ROOMS],
    });
    await world.addRoom(ROOM, ALICE, RUTH);
    servers.lists.set(RUTH, { streamId: 5, devices: { PHONE: keysOf(RUTH, 'PHONE') } });
  });
  afterEach(() => world.stop());

  const actor = () => world.host.ref('remote-devices');
  const find = (...userIds: string[]) =>
    actor().ask('remote-devices.find-devices', { userIds, timeoutMs: 10_000 });
  const devicesFound = async (userId: string) =>
    Object.keys((await find(userId)).users.find((user) => user.userId === userId)?.deviceKeys ?? {});
  const update = (content: JsonObject, origin = 'remote.example') =>
    actor().ask('remote-devices.receive-update', { origin, content });
  const told = () => world.rows(deviceListsStream).map(({ row }) => `${row.userId} ${row.deviceId}`);
  const edu = (streamId: number, previous: number[], change: JsonObject = {}): JsonObject => ({
    user_id: RUTH,
    device_id: 'DESK',
    stream_id: streamId,
    prev_id: previous,
    keys: keysOf(RUTH, 'DESK'),
    ...change,
  });

  it('asks once for the devices of who shares a room, and keeps them', async () => {
    const [first, second] = await Promise.all([find(RUTH), find(RUTH, '@bob:example.com', 'nonsense')]);
    expect(Object.keys(first.users[0]?.deviceKeys ?? {})).to.deep.equal(['PHONE']);
    expect(second).to.deep.equal(first);
    expect(await devicesFound(RUTH)).to.deep.equal(['PHONE']);
    expect(servers.asked.map(({ path }) => path)).to.deep.equal([
      `/_matrix/federation/v1/user/devices/${encodeURIComponent(RUTH)}`,
    ]);
  });

  it('keeps nothing of who shares no room, and believes nothing that was not asked for', async () => {
    const found = await find(STRANGER);
    expect(found.users.map(({ userId }) => userId)).to.deep.equal([STRANGER]);
    await find(STRANGER);
    expect(servers.asked.map(({ method }) => method)).to.deep.equal(['POST', 'POST']);
    expect(await readRemoteLists(world.database.db, [STRANGER])).to.deep.equal([]);
  });

  it('takes updates in their order, and tells those who share a room', async () => {
    await find(RUTH);
    expect(await update(edu(6, [5]))).to.deep.equal({ kind: 'taken' });
    expect(await update(edu(7, [6], { device_id: 'PHONE', deleted: true, keys: {} }))).to.deep.equal({
      kind: 'taken',
    });
    await world.host.idle();
    expect(told()).to.deep.equal([`${RUTH} DESK`, `${RUTH} PHONE`]);
    expect(world.rows(deviceListsStream)[0]?.row.roomIds).to.deep.equal([ROOM]);
    expect(await devicesFound(RUTH)).to.deep.equal(['DESK']);
    // One that comes again changes nothing, and nothing of it is told to other servers.
    expect(await update(edu(6, [5]))).to.deep.equal({ kind: 'taken' });
    await world.host.idle();
    expect(told()).to.have.length(2);
    expect(servers.asked).to.have.length(1);
  });

  it('asks for the whole list when an update was missed', async () => {
    await find(RUTH);
    servers.lists.set(RUTH, {
      streamId: 9,
      devices: { PHONE: keysOf(RUTH, 'PHONE'), DESK: keysOf(RUTH, 'DESK'), TV: keysOf(RUTH, 'TV') },
    });
    await update(edu(9, [8]));
    await world.host.idle();
    expect(servers.asked).to.have.length(2);
    expect(told()).to.include(`${RUTH} TV`);
    expect(await devicesFound(RUTH)).to.have.members(['PHONE', 'DESK', 'TV']);
    expect(servers.asked).to.have.length(2);
  });

  it('does not believe a list that is from before an update', async () => {
    await find(RUTH);
    let open = (): void => undefined;
    servers.state.gate = new Promise((resolve) => {
      open = resolve;
    });
    // The first gap asks; the second update comes while the answer, which does not know of it, is on its way.
    await update(edu(8, [7]));
    await update(edu(9, [8]));
    servers.lists.set(RUTH, { streamId: 9, devices: { DESK: keysOf(RUTH, 'DESK') } });
    open();
    await world.host.idle();
    expect((await readRemoteLists(world.database.db, [RUTH]))[0]?.isStale).to.equal(1);
    expect(await devicesFound(RUTH)).to.deep.equal(['DESK']);
    expect((await readRemoteLists(world.database.db, [RUTH]))[0]?.isStale).to.equal(0);
  });

  it('takes what a server says of its own users only, of who shares a room', async () => {
    await find(RUTH);
    const ignored = { kind: 'ignored' };
    expect(await update(edu(6, [5]), 'other.example')).to.deep.equal(ignored);
    expect(await update(edu(6, [5], { user_id: '@x:remote.example' }))).to.deep.equal(ignored);
    expect(await update({ user_id: RUTH })).to.deep.equal(ignored);
    // Keys of another device under this one's name: it has none then.
    await update(edu(6, [5], { keys: keysOf(RUTH, 'OTHER') }));
    expect(await devicesFound(RUTH)).to.deep.equal(['PHONE']);
  });

  it('tells of changes that nobody has asked for yet, without asking', async () => {
    expect(await update(edu(1, []))).to.deep.equal({ kind: 'taken' });
    await world.host.idle();
    expect(told()).to.deep.equal([`${RUTH} DESK`]);
    expect(servers.asked).to.deep.equal([]);
  });

  it('gives what it knows and says who did not answer, and asks again only after a while', async () => {
    await find(RUTH);
    servers.state.isDown = true;
    await update(edu(9, [8]));
    await world.host.idle();
    const found = await find(RUTH);
    expect(Object.keys(found.users[0]?.deviceKeys ?? {})).to.deep.equal(['PHONE']);
    expect(found.failures).to.have.keys('remote.example');
    expect(servers.asked).to.have.length(2);
    servers.state.isDown = false;
    await world.clock.advance(FETCH_BACKOFF.initialMs);
    const later = await find(RUTH);
    expect(later.failures).to.deep.equal({});
    expect(servers.asked).to.have.length(3);
  });

  it('waits for nobody longer than it may', async () => {
    let open = (): void => undefined;
    servers.state.gate = new Promise((resolve) => {
      open = resolve;
    });
    const asking = find(RUTH);
    while (servers.asked.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await world.clock.advance(10_000);
    const found = await asking;
    open();
    expect(found.users).to.deep.equal([]);
    expect(found.failures).to.have.keys('remote.example');
  });

  it('takes new cross-signing keys', async () => {
    servers.lists.set(RUTH, { streamId: 5, devices: {}, master: masterOf(RUTH, 'old') });
    await find(RUTH);
    const content = {
      user_id: RUTH,
      master_key: masterOf(RUTH, 'new'),
      self_signing_key: masterOf(RUTH, 'x'),
    };
    const taken = await actor().ask('remote-devices.receive-signing-keys', {
      origin: 'remote.example',
      content,
    });
    expect(taken).to.deep.equal({ kind: 'taken' });
    const [found] = (await find(RUTH)).users;
    expect(found?.masterKey).to.deep.equal(masterOf(RUTH, 'new'));
    expect(found?.selfSigningKey, 'a key for something else is none').to.equal(null);
    expect(told()).to.deep.equal([`${RUTH} new`]);
  });

  /** Somebody's membership changes, and the actor hears how far the events are. */
  async function changeMember(roomId: string, userId: string, membership: string, position: number) {
    await world.setMember(roomId, userId, membership);
    await world.addStateChange(roomId, userId, position);
    const message = { stream: 'events', owner: 'rooms', epoch: 0, prev: 0, position };
    actor().tell('stream.position', message);
    await world.host.idle();
    await world.clock.advance(DEPARTURE_DELAY_MS);
    await world.host.idle();
  }

  it('forgets the list of who shares no room any more', async () => {
    await find(RUTH);
    await changeMember(ROOM, RUTH, 'leave', 50);
    expect(await readRemoteLists(world.database.db, [RUTH])).to.deep.equal([]);
    expect(await readRemoteDevices(world.database.db, [RUTH])).to.deep.equal([]);
    expect(await update(edu(6, [5]))).to.deep.equal({ kind: 'ignored' });
  });

  it('keeps the list of who shares another room since before, and doubts that of who came back', async () => {
    await world.addRoom('!second:example.com', ALICE, RUTH);
    const isStale = async () => (await readRemoteLists(world.database.db, [RUTH]))[0]?.isStale;
    await find(RUTH);
    // The memberships of the test are as of position 1.
    await changeMember(ROOM, RUTH, 'leave', 50);
    expect(await isStale()).to.equal(0);
    await world.restartServer();
    expect(await isStale()).to.equal(0);
  });

  it('doubts the list of who left and is there again', async () => {
    await find(RUTH);
    const left = { position: 1, roomId: ROOM, userId: RUTH };
    expect([...(await readUsersSharingSince(world.database.db, [RUTH], 2))]).to.deep.equal([RUTH]);
    expect([...(await readUsersSharingSince(world.database.db, [RUTH], left.position))]).to.deep.equal([]);
    await changeMember(ROOM, RUTH, 'join', left.position);
    const [list] = await readRemoteLists(world.database.db, [RUTH]);
    expect(list?.isStale).to.equal(1);
    expect(await devicesFound(RUTH)).to.deep.equal(['PHONE']);
    expect(servers.asked).to.have.length(2);
  });

  it('announces after a crash what was committed before', async () => {
    await find(RUTH);
    world.host.crashNext('device-lists');
    await update(edu(6, [5]));
    await world.host.idle();
    await world.restartServer();
    await world.host.idle();
    expect(told()).to.include(`${RUTH} DESK`);
  });
});
