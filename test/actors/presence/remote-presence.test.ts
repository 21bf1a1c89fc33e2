import { expect } from 'chai';
import { REMOTE_PRESENCE_MS } from '../../../actors/presence/remote-presence.ts';
import { presenceStream } from '../../../src/streams/presence-stream.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const DAVE = '@dave:other.example';
const SHARED = '!shared:example.com';

describe('the presence of users of other servers', () => {
  let world: OwnerWorld;
  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['presence'] });
    await world.addRoom(SHARED, '@alice:example.com', DAVE);
    await world.addRoom('!elsewhere:example.com', '@erin:third.example');
    await world.setMember('!elsewhere:example.com', '@alice:example.com', 'leave');
  });
  afterEach(() => world.stop());

  const receive = async (presence: 'online' | 'offline', userId = DAVE): Promise<void> => {
    world.host.ref('presence').tell('presence.receive-remote', {
      userId,
      presence,
      statusMessage: 'hi',
      lastActiveAgoMs: 1_000,
      isCurrentlyActive: presence === 'online',
    });
    await world.host.idle();
  };
  const rows = () => world.rows(presenceStream).map(({ row }) => row);

  it('is what their server says, for those who share a room with them', async () => {
    await receive('online');
    expect(rows()).to.deep.equal([
      {
        userId: DAVE,
        presence: 'online',
        statusMessage: 'hi',
        lastActiveTs: world.clock.now() - 1_000,
        isCurrentlyActive: true,
        roomIds: [SHARED],
      },
    ]);
    await receive('online', '@nobody:other.example');
    expect(rows()).to.have.length(1);
  });

  it('ends with the last word of their server, or long after it', async () => {
    await receive('online');
    await receive('offline');
    await world.clock.advance(REMOTE_PRESENCE_MS);
    await world.host.idle();
    expect(rows().map(({ presence }) => presence)).to.deep.equal(['online', 'offline']);
    await receive('online');
    await world.clock.advance(REMOTE_PRESENCE_MS - 1);
    await receive('online');
    await world.clock.advance(REMOTE_PRESENCE_MS - 1);
    await world.host.idle();
    expect(rows().at(-1)).to.include({ presence: 'online' });
    await world.clock.advance(1);
    await world.host.idle();
    expect(rows().at(-1)).to.include({ presence: 'offline', isCurrentlyActive: false, statusMessage: 'hi' });
  });
});
