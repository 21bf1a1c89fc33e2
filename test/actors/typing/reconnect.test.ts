import { expect } from 'chai';
import { QUIET_ROOM_MS } from '../../../actors/typing/actor.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import { type TypingRow, typingStream } from '../../../src/streams/typing-stream.ts';
import type { ThreadViews } from '../../../src/streams/view.ts';
import { isTypingStale } from '../../../src/sync/ephemeral.ts';
import { currentRange } from '../../../src/sync/sync-range.ts';
import { silentMetrics } from '../../support/database.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

const ROOM = '!room:example.com';
const ALICE = '@alice:example.com';
const BOB = '@bob:example.com';

describe('a view of typing that comes back', () => {
  let world: OwnerWorld;
  const opened: ThreadViews[] = [];
  /** How much of what was heard the views were given. */
  let given = 0;

  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['typing'] });
    given = 0;
  });
  afterEach(async () => {
    await world.stop();
    for (const views of opened.splice(0)) views.close();
  });

  function openViews(): ThreadViews {
    const { database, caches, clock } = world;
    const options = { subscriber: 'views@x', db: database.db, caches, clock, streams: [typingStream] };
    const views = createThreadViews({ ...options, metrics: silentMetrics, log: silentLogger });
    views.connect({ read: (_owner, request) => world.host.ref('typing').ask('stream.read', request) });
    opened.push(views);
    return views;
  }
  /** Hands over what was heard since the last time. */
  const give = async (views: ThreadViews): Promise<void> => {
    await world.host.idle();
    for (const message of world.heard.slice(given)) {
      if (message.kind === 'rows') views.receiveRows(message);
      else views.receivePosition(message);
    }
    given = world.heard.length;
    await world.clock.settle();
  };
  /** What was heard meanwhile is lost; the connection is made anew. */
  const reconnect = async (views: ThreadViews): Promise<void> => {
    views.disconnect('typing');
    world.host.ref('typing').tell('stream.subscribe', { subscriber: 'views@listener', streams: ['typing'] });
    await world.host.idle();
    given = world.heard.length - 1;
    await give(views);
  };
  const type = (userId: string, timeoutMs: number, roomId = ROOM) =>
    world.host.ref('typing').ask('typing.set-typing', { roomId, userId, isTyping: true, timeoutMs });
  const held = (views: ThreadViews): readonly TypingRow[] =>
    views.memoryRows(typingStream, 0).map(({ row }) => row);

  it('learns that nobody types while the owner remembers it', async () => {
    const views = openViews();
    await type(ALICE, 1_000);
    await give(views);
    await world.clock.advance(1_000);
    await reconnect(views);
    expect(held(views)).to.deep.equal([{ roomId: ROOM, userIds: [] }]);
  });

  it('2.4 learns it after the owner has forgotten the room, and wakes who waits there', async () => {
    const views = openViews();
    await type(ALICE, 1_000);
    await type(ALICE, 1_000, '!living');
    await give(views);
    const before = views.now();
    expect(held(views).map(({ userIds }) => userIds)).to.deep.equal([[ALICE], [ALICE]]);
    await world.clock.advance(1_000 + QUIET_ROOM_MS);
    await type(BOB, 60_000, '!living');
    const poll = views.park([`room:${ROOM}`], before, 30_000);
    await reconnect(views);
    expect(held(views)).to.deep.equal([
      { roomId: ROOM, userIds: [] },
      { roomId: '!living', userIds: [BOB] },
    ]);
    expect(await poll.outcome).to.equal('woken');
    expect(
      views.mayHaveChanged('typing', `room:${ROOM}`, before.positions['typing']?.position ?? 0),
    ).to.equal(true);
    expect(views.currentToken('typing')).to.equal(5);
  });

  it('holds on to what has lived all the while', async () => {
    const views = openViews();
    await type(BOB, 100_000, '!living');
    await type(ALICE, 1_000);
    await give(views);
    for (let passed = 0; passed <= QUIET_ROOM_MS; passed += 60_000) {
      await world.clock.advance(60_000);
      await type(BOB, 100_000, '!living');
    }
    await reconnect(views);
    expect(held(views)).to.deep.equal([
      { roomId: '!living', userIds: [BOB] },
      { roomId: ROOM, userIds: [] },
    ]);
  });

  it('a client with an older position is told by a view that never saw the room', async () => {
    const old = openViews();
    await type(ALICE, 1_000);
    await give(old);
    const since = old.now();
    await world.clock.advance(1_000 + QUIET_ROOM_MS);
    const fresh = openViews();
    await reconnect(fresh);
    expect(held(fresh)).to.deep.equal([]);
    expect(fresh.forgottenUpTo('typing')).to.equal(2);
    expect(isTypingStale(fresh, currentRange(fresh, since))).to.equal(true);
    expect(isTypingStale(fresh, currentRange(fresh, fresh.now())), 'who is up to date').to.equal(false);
    expect(isTypingStale(fresh, currentRange(fresh, null)), 'who begins').to.equal(false);
  });
});
