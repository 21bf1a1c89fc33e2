import { expect } from 'chai';
import { POSITIONS_PER_WRITE_MAX } from '../../../actors/device-lists/actor.ts';
import { readDeviceListRows } from '../../../db/device-lists/stream-reader.ts';
import { readUsersWithChangedDevices } from '../../../db/device-lists/sync-reader.ts';
import { defineQuery } from '../../../db/kit/query.ts';
import { deviceListsStream } from '../../../src/streams/device-lists-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';

const outbound = defineQuery<
  Record<string, never>,
  { readonly position: number; readonly destination: string; readonly deviceId: string }
>({
  name: 'test.outbound',
  sql: `
    SELECT stream_id AS position, destination, device_id AS deviceId
      FROM device_list_outbound ORDER BY stream_id`,
});

for (const transport of TRANSPORTS)
  describe(`the device-lists actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['device-lists'], transport });
    });
    afterEach(() => world.stop());

    const record = (...deviceIds: string[]) =>
      world.host.ref('device-lists').ask('device-lists.record-changes', { userId: ALICE, deviceIds });
    const rows = () => world.rows(deviceListsStream);

    it('4.5 two devices and three hosts take 2 + 6 distinct ascending positions; after a restart the next is above all', async () => {
      await world.addRoom('!a:example.com', ALICE, '@1:one.example', '@2:two.example', '@1b:one.example');
      await world.addRoom('!b:example.com', ALICE, '@3:three.example', '@2b:two.example', '@bob:example.com');
      await world.addRoom('!c:example.com', '@4:stranger.example');
      expect(await record('D1', 'D2')).to.deep.equal({ kind: 'recorded', position: 8 });
      await world.host.idle();
      expect(rows().map(({ position, row }) => [position, row.deviceId])).to.deep.equal([
        [1, 'D1'],
        [2, 'D2'],
      ]);
      const told = await world.database.db.all(outbound, {});
      expect(told.map(({ position }) => position)).to.deep.equal([3, 4, 5, 6, 7, 8]);
      expect(told.map(({ destination, deviceId }) => `${deviceId} ${destination}`)).to.have.members(
        ['D1', 'D2'].flatMap((id) => ['one', 'two', 'three'].map((host) => `${id} ${host}.example`)),
      );
      await world.restartServer();
      expect(await record()).to.deep.equal({ kind: 'recorded', position: 8 });
      expect(await record('D1')).to.deep.equal({ kind: 'recorded', position: 12 });
    });

    it('of many changes keeps those that are news to somebody, whatever the token', async () => {
      await world.addRoom('!a:example.com', ALICE, '@1:one.example', '@2:two.example');
      for (let round = 0; round < 5; round += 1) await record('D1', 'D2');
      await world.host.ref('device-lists').ask('device-lists.record-changes', {
        userId: '@bob:example.com',
        deviceIds: ['B'],
      });
      expect(rows().length, 'each was told').to.be.at.least(10);
      const page = await readDeviceListRows(world.database.db, 0, 31, 100);
      expect(page.rows.map(({ position, row }) => [position, row.userId])).to.deep.equal([
        [26, ALICE],
        [31, '@bob:example.com'],
      ]);
      const told = await world.database.db.all(outbound, {});
      expect(told.map(({ position }) => position)).to.deep.equal([27, 28, 29, 30]);
      const { db } = world.database;
      expect(await readUsersWithChangedDevices(db, 3, 31)).to.have.members([ALICE, '@bob:example.com']);
      expect(await readUsersWithChangedDevices(db, 26, 31)).to.deep.equal(['@bob:example.com']);
    });

    it('4.4 after a restart without a row the next position is above all', async () => {
      await world.addRoom('!a:example.com', ALICE, '@1:one.example');
      await record('D1', 'D2');
      await world.deleteAll('device_list_changes', 'device_list_outbound');
      await world.restartServer();
      await record('D3');
      await world.host.idle();
      expect(rows().at(-1)).to.deep.include({ position: 5 });
    });

    it('rows carry the rooms that the user has joined, live and from the database', async () => {
      await world.addRoom('!a:example.com', ALICE);
      await world.addRoom('!b:example.com', ALICE);
      await world.addRoom('!left:example.com', ALICE);
      await world.setMember('!left:example.com', ALICE, 'leave');
      await record('D1', 'D1');
      await world.host.idle();
      const row = { userId: ALICE, deviceId: 'D1', roomIds: ['!a:example.com', '!b:example.com'] };
      expect(rows()).to.deep.equal([{ position: 1, row }]);
      const page = await readDeviceListRows(world.database.db, 0, 1, 100);
      expect(page.rows).to.deep.equal([{ position: 1, row }]);
    });

    it('changes at once are told in their order', async () => {
      const ids = Array.from({ length: 50 }, (_, index) => `D${index}`);
      await Promise.all(ids.map((id) => record(id)));
      await world.host.idle();
      expect(rows().map(({ position, row }) => `${position} ${row.deviceId}`)).to.deep.equal(
        ids.map((id, index) => `${index + 1} ${id}`),
      );
    });

    it('refuses while storage cannot be written, and works again', async () => {
      world.fault = 'input-output';
      expect(await record('D1')).to.deep.include({ kind: 'refused', status: 503 });
      world.fault = null;
      expect(await record('D1')).to.deep.equal({ kind: 'recorded', position: 1 });
    });
  });

describe('the device-lists actor', () => {
  let world: OwnerWorld;
  afterEach(() => world.stop());

  it('writes many changes in pieces, none of them lost', async () => {
    world = await createOwnerWorld({ owners: ['device-lists'] });
    const hosts = Array.from({ length: 99 }, (_, index) => `@u:h${index}.example`);
    await world.addRoom('!a:example.com', ALICE, ...hosts);
    const deviceIds = Array.from({ length: 150 }, (_, index) => `D${index}`);
    const perWrite = POSITIONS_PER_WRITE_MAX / 100;
    const answer = await world.host
      .ref('device-lists')
      .ask('device-lists.record-changes', { userId: ALICE, deviceIds });
    expect(answer).to.deep.equal({ kind: 'recorded', position: 150 * 100 });
    expect(world.commits).to.equal(Math.ceil(150 / perWrite));
    await world.host.idle();
    const rows = world.rows(deviceListsStream);
    expect(rows.map(({ row }) => row.deviceId)).to.deep.equal(deviceIds);
  });
});
