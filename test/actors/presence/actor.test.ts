import { expect } from 'chai';
import type { PresenceState } from '../../../actors/presence/protocol.ts';
import { DEVICE_ABSENT_MS, DEVICES_MAX } from '../../../actors/presence/user-presence.ts';
import { presenceStream } from '../../../src/streams/presence-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const ROOM = '!room:example.com';

for (const transport of TRANSPORTS)
  describe(`the presence actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['presence'], transport });
      await world.addRoom(ROOM, ALICE);
      await world.addRoom('!left:example.com', ALICE);
      await world.setMember('!left:example.com', ALICE, 'leave');
    });
    afterEach(() => world.stop());

    const rows = () => world.rows(presenceStream).map(({ row }) => row);

    it('says what the user says, with the message and the rooms', async () => {
      const statement = { userId: ALICE, presence: 'unavailable', statusMessage: 'lunch' } as const;
      const set = await world.host.ref('presence').ask('presence.set-presence', statement);
      expect(set.position).to.equal(1);
      await world.host.idle();
      const { lastActiveTs, ...row } = rows()[0] ?? { lastActiveTs: 0 };
      expect(row).to.deep.equal({ ...statement, isCurrentlyActive: false, roomIds: [ROOM] });
      expect(lastActiveTs).to.be.greaterThan(1_600_000_000_000);
    });

    it('2.4 a restart begins a new epoch, in which nobody is there yet', async () => {
      const presence = world.host.ref('presence');
      const statement = { userId: ALICE, presence: 'online', statusMessage: null } as const;
      const before = await presence.ask('presence.set-presence', statement);
      await world.host.restart('presence');
      const after = await presence.ask('presence.set-presence', statement);
      expect([before.position, after.position]).to.deep.equal([1, 1]);
      expect(after.epoch).to.not.equal(before.epoch);
    });
  });

describe('the presence actor', () => {
  let world: OwnerWorld;
  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['presence'] });
    await world.addRoom(ROOM, ALICE);
  });
  afterEach(() => world.stop());

  const rows = () => world.rows(presenceStream).map(({ row }) => row);
  const shown = () => rows().map(({ presence }) => presence);
  const sync = async (deviceId: string, presence: PresenceState): Promise<void> => {
    world.host.ref('presence').tell('presence.note-sync', { userId: ALICE, deviceId, presence });
    await world.host.idle();
  };
  const say = async (presence: PresenceState, statusMessage: string | null = null): Promise<void> => {
    const statement = { userId: ALICE, presence, statusMessage };
    await world.host.ref('presence').ask('presence.set-presence', statement);
    await world.host.idle();
  };

  it('shows the most present of several devices, and tells only what changes', async () => {
    await sync('A', 'unavailable');
    await sync('B', 'online');
    await sync('B', 'online');
    await sync('A', 'unavailable');
    await sync('B', 'unavailable');
    expect(shown()).to.deep.equal(['unavailable', 'online', 'unavailable']);
    expect(rows().map(({ isCurrentlyActive }) => isCurrentlyActive)).to.deep.equal([false, true, false]);
  });

  it('who does not sync any more is offline, device after device', async () => {
    await sync('A', 'online');
    await world.clock.advance(60_000);
    await sync('B', 'unavailable');
    await world.clock.advance(DEVICE_ABSENT_MS - 60_000 - 1);
    expect(shown()).to.deep.equal(['online']);
    await world.clock.advance(1);
    expect(shown()).to.deep.equal(['online', 'unavailable']);
    await world.clock.advance(60_000);
    expect(shown()).to.deep.equal(['online', 'unavailable', 'offline']);
    expect(rows().at(-1)?.lastActiveTs).to.equal(rows()[0]?.lastActiveTs);
  });

  it('set_presence=offline says nothing', async () => {
    await sync('A', 'offline');
    expect(shown()).to.deep.equal([]);
    await sync('A', 'online');
    await sync('A', 'offline');
    expect(shown()).to.deep.equal(['online']);
    await world.clock.advance(DEVICE_ABSENT_MS);
    expect(shown(), 'it renews nothing either').to.deep.equal(['online', 'offline']);
  });

  it('what the user says goes before what devices say, until nobody is there', async () => {
    await sync('A', 'online');
    await say('offline', 'hiding');
    await sync('A', 'online');
    expect(shown()).to.deep.equal(['online', 'offline']);
    await say('online');
    await sync('A', 'unavailable');
    expect(shown()).to.deep.equal(['online', 'offline', 'online', 'unavailable']);
    await say('offline');
    await world.clock.advance(DEVICE_ABSENT_MS);
    await sync('A', 'online');
    expect(shown().slice(4), 'forgotten with the last sign of life').to.deep.equal(['offline', 'online']);
  });

  it('a statement without any sync holds for a while', async () => {
    await say('online', 'a bot');
    await world.clock.advance(DEVICE_ABSENT_MS - 1);
    await say('online', 'a bot');
    await world.clock.advance(DEVICE_ABSENT_MS - 1);
    expect(shown()).to.deep.equal(['online', 'online']);
    await world.clock.advance(1);
    expect(shown()).to.deep.equal(['online', 'online', 'offline']);
  });

  it('who is offline is forgotten, but for the last row: the message comes back with the user', async () => {
    await say('online', 'reading');
    await sync('A', 'online');
    const seenAt = world.clock.now();
    await world.clock.advance(DEVICE_ABSENT_MS);
    const idle = world.clock.pendingTimers;
    await world.clock.advance(24 * 60 * 60 * 1_000);
    expect(world.clock.pendingTimers, 'no timer of the user').to.equal(idle);
    expect(rows().at(-1)).to.deep.include({
      presence: 'offline',
      statusMessage: 'reading',
      lastActiveTs: seenAt,
    });
    await sync('A', 'unavailable');
    expect(rows().at(-1)).to.deep.include({
      presence: 'unavailable',
      statusMessage: 'reading',
      lastActiveTs: seenAt,
    });
    await say('unavailable');
    expect(rows().at(-1)).to.deep.include({ statusMessage: null });
  });

  it('counts no more devices than its bound', async () => {
    const devices = Array.from({ length: DEVICES_MAX }, (_, index) => `D${index}`);
    await Promise.all(devices.map((id) => sync(id, 'unavailable')));
    await sync('one more', 'online');
    expect(shown()).to.deep.equal(['unavailable']);
    await sync('D7', 'online');
    expect(shown()).to.deep.equal(['unavailable', 'online']);
  });

  it('leaves no timer behind', async () => {
    await say('online');
    await sync('A', 'online');
    await world.host.stop();
    await world.clock.advance(60_000);
    expect(world.clock.pendingTimers).to.equal(0);
  });
});
