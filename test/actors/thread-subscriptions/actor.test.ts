import { expect } from 'chai';
import {
  findSubscriberSince,
  findThreadSubscription,
  readThreadSubscribers,
} from '../../../db/thread-subscriptions/reader.ts';
import { THREADS_PER_USER_MAX } from '../../../db/thread-subscriptions/writer.ts';
import { FORGOTTEN_ROWS_MAX } from '../../../actors/forget-rows.ts';
import { threadSubscriptionsStream } from '../../../src/streams/thread-subscriptions-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ALICE = '@alice:example.com';
const BOB = '@bob:example.com';
const ROOM = '!room:example.com';
const ROOT = '$root';

for (const transport of TRANSPORTS)
  describe(`the thread-subscriptions actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['thread-subscriptions'], transport });
    });
    afterEach(() => world.stop());

    const actor = () => world.host.ref('thread-subscriptions');
    const subscribe = (causePlace: number | null = null, userId = ALICE, rootId = ROOT) =>
      actor().ask('thread-subscriptions.subscribe', { userId, roomId: ROOM, rootId, causePlace });
    const unsubscribe = (userId = ALICE) =>
      actor().ask('thread-subscriptions.unsubscribe', { userId, roomId: ROOM, rootId: ROOT });
    const find = (userId = ALICE) =>
      findThreadSubscription(world.database.db, { userId, roomId: ROOM, rootId: ROOT });
    const subscribers = () => readThreadSubscribers(world.database.db, ROOM, ROOT);

    it('subscribes and unsubscribes; what changes nothing writes nothing', async () => {
      expect(await subscribe()).to.deep.equal({ kind: 'stored', position: 1 });
      expect(await subscribe(), 'again').to.deep.equal({ kind: 'stored', position: 1 });
      expect(await subscribe(5), 'automatically').to.deep.equal({ kind: 'stored', position: 1 });
      expect(await find()).to.deep.equal({
        isSubscribed: true,
        isAutomatic: false,
        unsubscribedAt: null,
        position: 1,
      });
      expect(await unsubscribe(BOB), 'without a subscription').to.deep.equal({ kind: 'stored', position: 1 });
      expect(await unsubscribe()).to.deep.equal({ kind: 'stored', position: 2 });
      expect(await unsubscribe(), 'again').to.deep.equal({ kind: 'stored', position: 2 });
      expect((await find())?.isSubscribed).to.equal(false);
      await world.host.idle();
      expect(world.rows(threadSubscriptionsStream)).to.deep.equal([
        { position: 1, row: { userId: ALICE, roomId: ROOM, rootId: ROOT } },
        { position: 2, row: { userId: ALICE, roomId: ROOM, rootId: ROOT } },
      ]);
    });

    it('makes an automatic subscription manual, never the other way round', async () => {
      await subscribe(3);
      expect(await subscribe(4), 'again').to.deep.equal({ kind: 'stored', position: 1 });
      expect((await find())?.isAutomatic).to.equal(true);
      await subscribe();
      expect((await find())?.isAutomatic).to.equal(false);
      await subscribe(4);
      expect((await find())?.isAutomatic).to.equal(false);
    });

    it('does not subscribe again for what came before the unsubscription, but for what comes after it', async () => {
      const advance = { stream: 'events', count: 7 };
      await world.database.write.write({ owner: 'rooms', steps: [], advance });
      await subscribe(3);
      await unsubscribe();
      expect((await find())?.unsubscribedAt).to.equal(7);
      expect(await subscribe(7)).to.deep.include({
        errcode: 'IO.ELEMENT.MSC4306.M_CONFLICTING_UNSUBSCRIPTION',
        status: 409,
      });
      expect((await find())?.isSubscribed).to.equal(false);
      await world.restartServer();
      expect(await subscribe(1), 'after a restart').to.deep.include({ status: 409 });
      expect(await subscribe(8)).to.deep.include({ kind: 'stored' });
      await unsubscribe();
      expect(await subscribe(), 'who says so').to.deep.include({ kind: 'stored' });
    });

    it('knows who has subscribed to a thread, and since when a user does so', async () => {
      await subscribe(null, ALICE);
      await subscribe(null, BOB);
      await subscribe(null, BOB, '$other');
      await unsubscribe(ALICE);
      expect(await subscribers()).to.deep.equal([BOB]);
      const since = (userId: string) => findSubscriberSince(world.database.db, userId);
      expect([await since(ALICE), await since(BOB), await since('@c:d')]).to.deep.equal([1, 2, 0]);
    });

    it('forgets a room, a user, and a user in a room, some rows at a time', async () => {
      await subscribe(null, BOB);
      await world.addSubscriptions({ userId: ALICE, roomId: ROOM, count: FORGOTTEN_ROWS_MAX + 5 });
      const forget = () => actor().ask('thread-subscriptions.forget-room', { roomId: ROOM });
      expect(await forget()).to.deep.include({ kind: 'forgotten', isMore: true });
      expect(await forget()).to.deep.include({ kind: 'forgotten', isMore: false });
      expect(await subscribers()).to.deep.equal([]);
      await world.addSubscriptions({ userId: ALICE, roomId: ROOM, count: FORGOTTEN_ROWS_MAX + 5 });
      await subscribe(null, ALICE);
      await subscribe(null, BOB);
      actor().tell('thread-subscriptions.forget-room-of-user', { userId: ALICE, roomId: ROOM });
      await world.host.idle();
      // In the order of its mailbox, behind it.
      await unsubscribe();
      expect(await find()).to.equal(undefined);
      expect(await subscribers()).to.deep.equal([BOB]);
      expect(await actor().ask('thread-subscriptions.forget-user', { userId: BOB })).to.deep.include({
        kind: 'forgotten',
        isMore: false,
      });
      expect(await find(BOB)).to.equal(undefined);
      expect(await findSubscriberSince(world.database.db, BOB)).to.equal(0);
      expect(world.facts.at(-1)).to.deep.equal({
        fact: 'thread-subscription',
        userId: BOB,
        roomId: ROOM,
        rootId: ROOT,
      });
    });

    it('bounds the threads of one user, and says so; those that are there may change', async () => {
      await subscribe();
      await world.addSubscriptions({ userId: ALICE, roomId: ROOM, count: THREADS_PER_USER_MAX - 1 });
      expect(await subscribe(null, ALICE, '$more')).to.deep.include({ errcode: 'M_FORBIDDEN', status: 403 });
      await unsubscribe();
      expect(await subscribe()).to.deep.include({ kind: 'stored' });
      expect(await subscribe(null, BOB, '$more')).to.deep.include({ kind: 'stored' });
    });

    it('says that storage cannot be written', async () => {
      world.fault = 'disk-full';
      expect(await subscribe()).to.deep.include({ kind: 'refused', status: 503 });
      world.fault = null;
      expect(await find()).to.equal(undefined);
    });
  });
