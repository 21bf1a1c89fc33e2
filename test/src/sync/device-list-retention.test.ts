import { expect } from 'chai';
import { openSyncWorld, type SyncWorld } from './sync-world.ts';

describe('changes of devices, long ago', () => {
  let world: SyncWorld;
  beforeEach(async () => {
    world = await openSyncWorld();
  });
  afterEach(() => world.stop());

  it('are told to whoever was away since, however often they were superseded', async () => {
    const [alice, bob, carol] = [
      await world.person('alice'),
      await world.person('bob'),
      await world.person('carol'),
    ];
    const room = await alice.room();
    await bob.act('join', room);
    await carol.act('join', room);
    const { next_batch: since } = await alice.sync();
    const tokens: string[] = [since as string];
    for (let round = 0; round < 5; round += 1) {
      await bob.put(`/devices/${bob.deviceId}`, { display_name: `phone ${round}` });
      tokens.push((await alice.sync()).next_batch as string);
    }
    for (const token of tokens.slice(0, -1)) {
      const synced = await alice.sync({ since: token, timeout: 0 });
      expect(synced.device_lists.changed).to.deep.equal([bob.userId]);
      const changes = await alice.get('/keys/changes', { from: token, to: tokens.at(-1) ?? '' });
      expect(changes).to.deep.equal({ changed: [bob.userId], left: [] });
    }
    const now = await alice.sync({ since: tokens.at(-1) ?? '', timeout: 0 });
    expect(now.device_lists?.changed ?? []).to.deep.equal([]);
  });
});
