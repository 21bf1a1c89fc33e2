import { DeviceId, initAsync, OlmMachine, UserId } from '@matrix-org/matrix-sdk-crypto-wasm';
import { expect } from 'chai';
import { BELONGINGS_RETRY_MS, DEVICE_OWNERS } from '../../../actors/accounts/device-belongings.ts';
import { findAccountData } from '../../../db/account-data/reader.ts';
import { readUsersWithDepartedDevices } from '../../../db/accounts/departed-reader.ts';
import { findDeviceKeys, readOneTimeKeyCounts } from '../../../db/keys/reader.ts';
import { readPushers } from '../../../db/push/pusher-reader.ts';
import { readWaitingMessages } from '../../../db/to-device/reader.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../src/sync/sync-world.ts';

const SETTINGS = ['m.local_notification_settings.', 'org.matrix.msc3890.local_notification_settings.'];

describe('what belongs to a device', () => {
  let world: SyncWorld;
  let alice: Person;
  let phone: Person;

  before(() => initAsync());
  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    phone = await world.device(alice);
    await furnish();
  });
  afterEach(() => world.stop());

  /** Gives the phone something of everything. */
  async function furnish(): Promise<void> {
    const { userId, deviceId } = phone;
    const machine = await OlmMachine.initialize(new UserId(userId), new DeviceId(deviceId));
    const uploads = (await machine.outgoingRequests()).filter(({ body }) => body.includes('one_time_keys'));
    for (const { body } of uploads) await phone.post('/keys/upload', JSON.parse(body));
    machine.close();
    await alice.put('/sendToDevice/m.x/t1', { messages: { [userId]: { [deviceId]: {} } } });
    for (const type of SETTINGS)
      await alice.put(`/user/${encodeURIComponent(userId)}/account_data/${type}${deviceId}`, {
        is_silenced: true,
      });
    await phone.post('/pushers/set', {
      app_id: 'app',
      pushkey: 'key',
      kind: 'http',
      app_display_name: 'App',
      device_display_name: 'Phone',
      lang: 'en',
      data: { url: 'https://push.example.org/_matrix/push/v1/notify' },
    });
  }

  /** What is there of the phone, by what its owners call it. */
  async function belongings(): Promise<Readonly<Record<string, boolean>>> {
    const { db } = world.database;
    const { userId, deviceId } = phone;
    const settings = await Promise.all(
      SETTINGS.map((type) => findAccountData(db, userId, null, type + deviceId)),
    );
    const counts = await readOneTimeKeyCounts(db, userId, deviceId);
    const keys = await findDeviceKeys(db, userId, deviceId);
    return {
      messages: (await readWaitingMessages(db, phone, 0, Number.MAX_SAFE_INTEGER, 1)).length > 0,
      keys: keys !== undefined || Object.values(counts).some((count) => count > 0),
      pushers: (await readPushers(db, userId)).length > 0,
      'notification settings': settings.some((found) => found !== undefined && found.content !== '{}'),
    };
  }
  const all = (isThere: boolean) => Object.fromEntries(DEVICE_OWNERS.map(({ what }) => [what, isThere]));
  const remove = async (): Promise<void> => {
    const { userId, deviceId } = phone;
    const gone = await world.host.ref('accounts').ask('accounts.delete-devices', {
      userId,
      deviceIds: [deviceId],
    });
    expect(isRefusal(gone)).to.equal(false);
  };
  const departed = () => readUsersWithDepartedDevices(world.database.db, '', 10);

  it('goes with it, whoever holds it', async () => {
    expect(await belongings()).to.deep.equal(all(true));
    await remove();
    expect(await belongings()).to.deep.equal(all(false));
    expect((await phone.http.get('/_matrix/client/v3/account/whoami')).status).to.equal(401);
    expect(await departed()).to.deep.equal([]);
  });

  for (const owner of ['to-device', 'keys', 'push', 'account-data'] as const)
    it(`goes later, when ${owner} could not let go of it at once`, async () => {
      await world.host.idle();
      world.host.crashNext(owner);
      await remove();
      // A pusher whose device is gone is not read any more, deleted or not.
      const left = Object.values(await belongings()).filter((isThere) => isThere);
      expect(left).to.have.length(owner === 'push' ? 0 : 1);
      expect(await departed()).to.deep.equal([alice.userId]);
      await world.clock.advance(BELONGINGS_RETRY_MS);
      await world.host.idle();
      expect(await belongings()).to.deep.equal(all(false));
      expect(await departed()).to.deep.equal([]);
    });

  it('goes after a restart, when nobody was told', async () => {
    world.host.crashNext('keys');
    await remove();
    await world.clock.advance(1_000);
    await world.host.restart('accounts');
    await world.host.idle();
    expect(await belongings()).to.deep.equal(all(false));
    expect(await departed()).to.deep.equal([]);
  });
});
