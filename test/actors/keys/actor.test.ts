import { expect } from 'chai';
import { CLAIMED_KEYS_KEPT_MAX, ONE_TIME_KEYS_MAX } from '../../../db/keys/one-time-key-writer.ts';
import { type NewKey, readUnusedFallbackAlgorithms, readOneTimeKeyCounts } from '../../../db/keys/reader.ts';
import { readKeysRows } from '../../../db/keys/stream-reader.ts';
import { deleteDevices, noteUnannounced, unannouncedUsers } from '../../../db/keys/writer.ts';
import { canonicalJson } from '../../../src/matrix/events/canonical-json.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { deviceListsStream } from '../../../src/streams/device-lists-stream.ts';
import { keysStream } from '../../../src/streams/keys-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { cryptoDevice } from '../../support/crypto-device.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const ALGORITHM = 'signed_curve25519';
const device = cryptoDevice(ALICE, 'PHONE');

function keys(count: number, prefix = 'K'): NewKey[] {
  return Array.from({ length: count }, (_, index) => ({
    algorithm: ALGORITHM,
    keyId: `${prefix}${index + 1}`,
    key: `{"key":"${prefix}${index + 1}"}`,
  }));
}

for (const transport of TRANSPORTS)
  describe(`the keys actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['device-lists', 'keys'], transport });
      await world.addDevices(ALICE, 'PHONE');
    });
    afterEach(() => world.stop());

    const ref = () => world.host.ref('keys');
    const upload = (
      oneTimeKeys: readonly NewKey[],
      fallbackKeys: readonly NewKey[] = [],
      deviceId = 'PHONE',
    ) => ref().ask('keys.upload', { userId: ALICE, deviceId, deviceKeys: null, oneTimeKeys, fallbackKeys });
    const uploadDevice = (keysOf = device.keys) =>
      ref().ask('keys.upload', {
        userId: ALICE,
        deviceId: 'PHONE',
        deviceKeys: canonicalJson(keysOf) ?? '',
        oneTimeKeys: [],
        fallbackKeys: [],
      });
    const counts = () => readOneTimeKeyCounts(world.database.db, ALICE, 'PHONE');
    const unused = () => readUnusedFallbackAlgorithms(world.database.db, ALICE, 'PHONE');
    async function claim(deviceId = 'PHONE'): Promise<string[]> {
      const answer = await ref().ask('keys.claim', {
        claims: [{ userId: ALICE, deviceId, algorithm: ALGORITHM }],
      });
      if (isRefusal(answer)) throw new Error(answer.error);
      return answer.keys.map(({ keyId, key }) => `${keyId} ${key}`);
    }

    it('hands out keys in the order of their upload, then the fallback key, which stays', async () => {
      expect(await upload(keys(2))).to.deep.include({ counts: { [ALGORITHM]: 2 } });
      await upload(keys(1, 'A'), keys(1, 'F'));
      expect(await unused()).to.deep.equal([ALGORITHM]);
      const got = [await claim(), await claim(), await claim(), await claim(), await claim()].flat();
      expect(got.map((text) => text.split(' ')[0])).to.deep.equal(['K1', 'K2', 'A1', 'F1', 'F1']);
      expect(got[0]).to.equal('K1 {"key":"K1"}');
      expect(await counts()).to.deep.equal({ [ALGORITHM]: 0 });
      expect(await unused()).to.deep.equal([]);
      await upload([], keys(1, 'F'));
      expect(await unused(), 'the same one again').to.deep.equal([]);
      await upload([], keys(1, 'G'));
      expect(await unused(), 'a new one').to.deep.equal([ALGORITHM]);
      expect(await claim('TABLET')).to.deep.equal([]);
    });

    it('gives each key once, whoever asks at the same time', async () => {
      await upload(keys(40));
      const got = (await Promise.all(Array.from({ length: 50 }, () => claim()))).flat();
      expect(got).to.have.length(40);
      expect(new Set(got).size).to.equal(40);
    });

    it('uploads are idempotent, claimed keys do not come back, and an id is good for one key', async () => {
      await upload(keys(3));
      await claim();
      expect(await upload(keys(3))).to.deep.include({ counts: { [ALGORITHM]: 2 } });
      expect((await claim())[0]).to.match(/^K2 /);
      const other = [{ algorithm: ALGORITHM, keyId: 'K3', key: '{"key":"other"}' }];
      expect(await upload(other)).to.deep.include({
        kind: 'refused',
        errcode: 'M_INVALID_PARAM',
        status: 400,
      });
      expect(await claim()).to.deep.equal(['K3 {"key":"K3"}']);
      expect(await upload(other), 'of a claimed key, too').to.deep.include({ errcode: 'M_INVALID_PARAM' });
      expect(await upload(keys(3)), 'the same once more').to.deep.include({ counts: { [ALGORITHM]: 0 } });
      const plain = { algorithm: 'curve25519', keyId: 'P', key: '"plain"' };
      await upload([plain]);
      await ref().ask('keys.claim', {
        claims: [{ userId: ALICE, deviceId: 'PHONE', algorithm: 'curve25519' }],
      });
      expect(await upload([plain])).to.deep.include({ counts: { [ALGORITHM]: 0, curve25519: 0 } });
      expect(await upload([{ ...plain, key: '"other"' }])).to.deep.include({ errcode: 'M_INVALID_PARAM' });
    });

    it('bounds the keys of a device, and what it remembers of those that were claimed', async () => {
      expect(await upload(keys(ONE_TIME_KEYS_MAX + 1))).to.deep.include({ errcode: 'M_INVALID_PARAM' });
      expect(await counts()).to.deep.equal({ [ALGORITHM]: 0 });
      await upload(keys(CLAIMED_KEYS_KEPT_MAX + 5));
      for (let claimed = 0; claimed < CLAIMED_KEYS_KEPT_MAX + 5; claimed += 1) await claim();
      await upload(keys(1, 'Z'));
      expect(await upload(keys(5)), 'the oldest are forgotten').to.deep.include({
        counts: { [ALGORITHM]: 6 },
      });
    });

    it('a device keeps its keys for life; anything else about it may change', async () => {
      expect(await uploadDevice()).to.deep.include({ kind: 'stored' });
      await world.host.idle();
      expect(world.rows(deviceListsStream)).to.have.length(1);
      await uploadDevice();
      await world.host.idle();
      expect(world.rows(deviceListsStream), 'the same again').to.have.length(1);
      await uploadDevice(device.sign({ ...device.keys, algorithms: ['m.new'] }));
      await world.host.idle();
      expect(world.rows(deviceListsStream).map(({ row }) => row.deviceId)).to.deep.equal(['PHONE', 'PHONE']);
      const others = cryptoDevice(ALICE, 'PHONE', 'others').keys;
      expect(await uploadDevice(others)).to.deep.include({ errcode: 'M_INVALID_PARAM', status: 400 });
    });

    it('4.5 everything is as it was after a restart, and rows come from the database', async () => {
      await upload(keys(3), keys(1, 'F'));
      await claim();
      await world.restartServer();
      expect(await counts()).to.deep.equal({ [ALGORITHM]: 2 });
      expect((await claim())[0]).to.match(/^K2 /);
      const row = { kind: 'counts', userId: ALICE, deviceId: 'PHONE' };
      const page = await readKeysRows(world.database.db, 0, 100, 10);
      expect(page.rows).to.deep.equal([{ position: 3, row }]);
      expect(world.rows(keysStream).map(({ position }) => position)).to.deep.equal([1, 2, 3]);
    });

    it('what an earlier life has not announced is announced', async () => {
      await uploadDevice();
      await world.host.idle();
      const left = async () => (await world.database.db.all(unannouncedUsers, { limit: 10 })).length;
      expect(await left()).to.equal(0);
      // As a crash between the write and its announcement leaves it.
      await world.database.write.write({ owner: 'keys', steps: noteUnannounced(ALICE, ['PHONE', 'TABLET']) });
      expect(await left()).to.equal(1);
      await world.restartServer();
      await world.host.idle();
      const told = world.rows(deviceListsStream).map(({ row }) => row.deviceId);
      expect(told).to.deep.equal(['PHONE', 'PHONE', 'TABLET']);
      expect(await left()).to.equal(0);
    });

    it('a device that ends leaves nothing to a later one of its id, and one that is gone stores nothing', async () => {
      await uploadDevice();
      await upload(keys(3), keys(1, 'F'));
      await ref().ask('keys.delete-devices', { userId: ALICE, deviceIds: ['PHONE', 'UNKNOWN'] });
      expect(await counts()).to.deep.equal({ [ALGORITHM]: 0 });
      expect(await unused()).to.deep.equal([]);
      expect(await claim()).to.deep.equal([]);
      expect(await uploadDevice(cryptoDevice(ALICE, 'PHONE', 'later').keys)).to.deep.include({
        kind: 'stored',
      });
      expect(await upload(keys(1), [], 'GONE')).to.deep.include({ errcode: 'M_UNKNOWN_TOKEN', status: 401 });
    });

    it('remembers for a while alone that keys went with their devices', async () => {
      await upload(keys(1));
      const logOut = (deviceId: string) =>
        world.database.write.write({
          owner: 'keys',
          advance: { stream: 'keys', count: 1 },
          steps: deleteDevices(ALICE, [deviceId], 2),
        });
      // One after another, each at the next position.
      for (const deviceId of ['A', 'B', 'C', 'D']) await logOut(deviceId);
      const { rows } = await readKeysRows(world.database.db, 0, 100, 100);
      expect(rows.map(({ row }) => 'deviceId' in row && row.deviceId)).to.deep.equal(['PHONE', 'C', 'D']);
    });

    it('refuses while storage cannot be written, and works again', async () => {
      await upload(keys(2));
      world.fault = 'input-output';
      expect(await upload(keys(1, 'A'))).to.deep.include({ kind: 'refused', status: 503 });
      const claims = [{ userId: ALICE, deviceId: 'PHONE', algorithm: ALGORITHM }];
      expect(await ref().ask('keys.claim', { claims })).to.deep.include({ kind: 'refused', status: 503 });
      world.fault = null;
      expect((await claim())[0]).to.match(/^K1 /);
    });
  });
