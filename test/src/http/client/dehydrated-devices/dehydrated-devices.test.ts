import {
  DehydratedDeviceKey,
  DeviceId,
  initAsync,
  OlmMachine,
  UserId,
} from '@matrix-org/matrix-sdk-crypto-wasm';
import { expect } from 'chai';
import { DEHYDRATED_EVENTS_MAX } from '../../../../../src/http/client/dehydrated-devices/read-events.ts';
import type { JsonObject } from '../../../../../src/kit/json.ts';
import { type HttpAnswer, pathOf } from '../../../../support/http-client.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const PATH = '/_matrix/client/unstable/org.matrix.msc3814.v1/dehydrated_device';

/** A device as a real client makes it. */
type Dehydrated = JsonObject & { readonly device_id: string };

const outcomeOf = ({ status, body }: HttpAnswer): string =>
  status === 200 ? '200' : `${status} ${(body as { errcode: string }).errcode}`;

describe('dehydrated devices', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let machine: OlmMachine;

  before(() => initAsync());
  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    machine = await OlmMachine.initialize(new UserId(alice.userId), new DeviceId(alice.deviceId));
    await machine.bootstrapCrossSigning(true);
  });
  afterEach(async () => {
    machine.close();
    await world.stop();
  });

  async function dehydrate(): Promise<Dehydrated> {
    const device = await machine.dehydratedDevices().create();
    const request = await device.keysForUpload(
      'asleep',
      DehydratedDeviceKey.createKeyFromArray(new Uint8Array(32).fill(7)),
    );
    return JSON.parse(request.body) as Dehydrated;
  }
  const put = (device: JsonObject) => alice.http.put(PATH, device);
  const devicesOf = async (person: Person): Promise<string[]> =>
    ((await person.get('/devices')).devices as { device_id: string }[]).map(({ device_id: id }) => id);
  const seenByBob = async (): Promise<JsonObject> =>
    (await bob.post('/keys/query', { device_keys: { [alice.userId]: [] } })).device_keys[
      alice.userId
    ] as JsonObject;
  const events = async (deviceId: string, from?: string) => {
    const query = from === undefined ? {} : { from };
    return alice.http.get(`${PATH}${pathOf`/${deviceId}/events`}`, { query });
  };

  it('are not there at first, and can be asked for', async () => {
    expect(outcomeOf(await alice.http.get(PATH))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await alice.http.delete(PATH))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await events('X'))).to.equal('404 M_NOT_FOUND');
  });

  it('stand for their user: others see their keys and send them messages, which are read in pages', async () => {
    await alice.room();
    const device = await dehydrate();
    const id = device.device_id;
    expect((await put(device)).body).to.deep.equal({ device_id: id });
    expect((await alice.http.get(PATH)).body).to.deep.equal({
      device_id: id,
      device_data: device['device_data'],
    });
    expect(await devicesOf(alice)).to.have.members([id, alice.deviceId]);
    const seen = (await seenByBob())[id] as JsonObject;
    expect(seen).to.deep.include({ device_id: id, dehydrated: true });
    const claimed = await bob.post('/keys/claim', {
      one_time_keys: { [alice.userId]: { [id]: 'signed_curve25519' } },
    });
    expect(Object.keys(claimed.one_time_keys[alice.userId][id])).to.have.length(1);
    const count = DEHYDRATED_EVENTS_MAX + 1;
    for (let n = 0; n < count; n += 1)
      await bob.put(`/sendToDevice/m.x/t${n}`, { messages: { [alice.userId]: { '*': { n } } } });
    const first = (await events(id)).body as { events: JsonObject[]; next_batch: string };
    expect(first.events).to.have.length(DEHYDRATED_EVENTS_MAX);
    expect(first.events[0]).to.deep.equal({ type: 'm.x', sender: bob.userId, content: { n: 0 } });
    const rest = { events: [{ type: 'm.x', sender: bob.userId, content: { n: count - 1 } }] };
    expect((await events(id, first.next_batch)).body).to.deep.equal(rest);
    const path = `${PATH}${pathOf`/${id}/events`}`;
    const old = await alice.http.post(path, { next_batch: first.next_batch });
    expect(old.body, 'as older clients ask').to.deep.equal(rest);
    expect((await events(id)).body, 'read again').to.deep.equal(first);
    expect(outcomeOf(await events(alice.deviceId))).to.equal('403 M_FORBIDDEN');
    expect(outcomeOf(await events(id, 'x'))).to.equal('400 M_INVALID_PARAM');
    expect(outcomeOf(await bob.http.get(path))).to.equal('404 M_NOT_FOUND');
  });

  it('take each other’s place, and who shares a room is told', async () => {
    const room = await alice.room();
    await bob.act('join', room);
    const [first, second] = [await dehydrate(), await dehydrate()];
    await put(first);
    await bob.put('/sendToDevice/m.x/t', { messages: { [alice.userId]: { '*': {} } } });
    await bob.next();
    await put(second);
    expect((await bob.next()).device_lists.changed).to.deep.equal([alice.userId]);
    expect(Object.keys(await seenByBob())).to.deep.equal([second.device_id]);
    expect(await devicesOf(alice)).to.have.members([second.device_id, alice.deviceId]);
    expect(outcomeOf(await events(first.device_id))).to.equal('403 M_FORBIDDEN');
    expect((await events(second.device_id)).body).to.deep.equal({ events: [] });
    // Under the same id it is another one all the same.
    await bob.put('/sendToDevice/m.x/t2', { messages: { [alice.userId]: { [second.device_id]: {} } } });
    expect(outcomeOf(await put(second))).to.equal('200');
    expect((await events(second.device_id)).body).to.deep.equal({ events: [] });
    expect(Object.keys(await seenByBob())).to.deep.equal([second.device_id]);
  });

  it('end when they are deleted, with all that is theirs', async () => {
    const device = await dehydrate();
    await put(device);
    expect((await alice.http.delete(PATH)).body).to.deep.equal({ device_id: device.device_id });
    expect(outcomeOf(await alice.http.get(PATH))).to.equal('404 M_NOT_FOUND');
    expect(await devicesOf(alice)).to.deep.equal([alice.deviceId]);
    expect(await seenByBob()).to.deep.equal({});
  });

  it('end with all devices of their user, and when somebody logs in as them', async () => {
    const device = await dehydrate();
    await put(device);
    const accounts = world.host.ref('accounts');
    await accounts.ask('accounts.log-in', {
      userId: alice.userId,
      deviceId: device.device_id,
      initialDeviceDisplayName: null,
    });
    expect(outcomeOf(await alice.http.get(PATH))).to.equal('404 M_NOT_FOUND');
    expect(outcomeOf(await put(device)), 'it is logged in').to.equal('403 M_FORBIDDEN');
    await put(await dehydrate());
    await accounts.ask('accounts.delete-all-devices', { userId: alice.userId });
    alice = await world.device(alice);
    expect(outcomeOf(await alice.http.get(PATH))).to.equal('404 M_NOT_FOUND');
  });

  it('are refused where they are none', async () => {
    const device = await dehydrate();
    const { device_keys: keys, ...without } = device;
    expect(outcomeOf(await put(without))).to.equal('400 M_MISSING_PARAM');
    expect(outcomeOf(await put({ ...device, device_id: 'OTHER' }))).to.equal('400 M_INVALID_PARAM');
    const forged = { ...(keys as JsonObject), algorithms: [] };
    expect(outcomeOf(await put({ ...device, device_keys: forged }))).to.match(/^40[03] M_INVALID_SIGNATURE$/);
    const large = { ...(device['device_data'] as JsonObject), more: 'x'.repeat(300_000) };
    expect(outcomeOf(await put({ ...device, device_data: large }))).to.equal('413 M_TOO_LARGE');
    expect(outcomeOf(await alice.http.get(PATH))).to.equal('404 M_NOT_FOUND');
  });
});
