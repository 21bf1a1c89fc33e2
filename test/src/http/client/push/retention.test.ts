import { expect } from 'chai';
import { DatabaseSync } from 'node:sqlite';
import { NOTIFICATION_AGE_MAX_MS, PRUNE_INTERVAL_MS } from '../../../../../actors/push/retention.ts';
import { openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';

const BATCH_MS = 100;

describe('notifications that are kept', () => {
  let world: SyncWorld;
  let alice: Person;
  let bob: Person;
  let room: string;

  beforeEach(async () => {
    world = await openSyncWorld();
    alice = await world.person('alice');
    bob = await world.person('bob');
    room = await alice.room();
    await bob.act('join', room);
    await evaluated();
  });
  afterEach(() => world.stop());

  async function evaluated(): Promise<void> {
    await world.host.idle();
    await world.clock.advance(BATCH_MS);
    await world.host.idle();
  }
  const listed = async (): Promise<number> => (await bob.get('/notifications')).notifications.length;

  it('are let go when they are old', async () => {
    await alice.say(room, 'old');
    await evaluated();
    const database = new DatabaseSync(world.database.path);
    database.exec(`UPDATE notifications SET ts = ts - ${NOTIFICATION_AGE_MAX_MS}`);
    database.close();
    await alice.say(room, 'new');
    await evaluated();
    expect(await listed()).to.equal(2);
    await world.clock.advance(PRUNE_INTERVAL_MS);
    await world.host.idle();
    expect(await listed()).to.equal(1);
  });

  it('go with their room', async () => {
    await alice.say(room, 'one');
    await evaluated();
    const database = new DatabaseSync(world.database.path);
    const { nid } = database.prepare('SELECT room_nid AS nid FROM notifications').get() as { nid: number };
    const answer = await world.host.ref('push').ask('push.forget-room', { roomNid: nid });
    expect(answer).to.deep.include({ kind: 'forgotten', isMore: false });
    const left = database.prepare(
      'SELECT (SELECT count(*) FROM notifications) + (SELECT count(*) FROM own_events) AS n',
    );
    expect(left.get()).to.deep.include({ n: 0 });
    database.close();
  });
});
