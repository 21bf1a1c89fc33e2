import { expect } from 'chai';
import { openWriteConnection } from '../../../db/kit/sqlite.ts';
import { findStickyExpiry, readStickyEvents } from '../../../db/rooms/sticky-reader.ts';
import type { ForeignEvent } from './foreign-events.ts';
import { DAVE, member, message, openReceiveWorld, type ReceiveWorld } from './receive-world.ts';
import { ALICE, change, sent } from './rooms-house.ts';

const HOUR_MS = 3_600_000;

describe('sticky events of other servers', () => {
  let world: ReceiveWorld;
  let now: number;
  beforeEach(async () => {
    world = await openReceiveWorld();
    now = world.house.time.nowMs;
  });
  afterEach(() => world.close());

  type Proposal = Parameters<ReceiveWorld['foreign']['add']>[0];
  const sticky = (body: string, stickyDurationMs: number, more: Partial<Proposal> = {}): ForeignEvent =>
    world.foreign.add({ ...message(DAVE, body), ts: now, stickyDurationMs, ...more });

  async function expiryOf(event: ForeignEvent): Promise<number | null> {
    const stored = await world.find(event);
    return findStickyExpiry(world.house.database.db, stored?.eventNid ?? 0);
  }

  async function told(): Promise<readonly string[]> {
    await world.house.idle();
    const range = { from: 0, to: Number.MAX_SAFE_INTEGER, now: world.house.time.nowMs };
    const { db } = world.house.database;
    return (await readStickyEvents(db, [world.roomId], range, 100)).map(({ eventId }) => eventId);
  }

  /** Dave comes back after a ban, by an event of his server. */
  async function rejoin(): Promise<void> {
    const unban = sent(await change(world.house, world.roomId, 'unban', ALICE, DAVE));
    await world.foreign.adopt(world.house, unban.eventId);
    const join = world.foreign.add({ ...member(DAVE, DAVE, 'join'), prev: [unban.eventId] });
    expect(await world.giveAll(join)).to.deep.equal(['accepted']);
  }

  it('are sticky from their own time on, or from when they came if that is in the future', async () => {
    const late = sticky('late', HOUR_MS, { ts: now - 1_000 });
    const early = sticky('early', HOUR_MS, { ts: now + HOUR_MS });
    const over = sticky('over', 1_000, { ts: now - 1_000 });
    const branch = sticky('on a branch', 60_000, { prev: [world.dave.eventId] });
    await world.giveAll(late, early, over, branch);
    expect(await expiryOf(late)).to.equal(now - 1_000 + HOUR_MS);
    expect(await expiryOf(early)).to.equal(now + HOUR_MS);
    expect(await expiryOf(over)).to.equal(null);
    expect(await expiryOf(branch)).to.equal(now + 60_000);
    expect(await told()).to.deep.equal([late, early, branch].map(({ eventId }) => eventId));
  });

  it('that are no messages, or say something else than a duration, are like any other', async () => {
    const state = world.foreign.add({
      sender: DAVE,
      type: 'm.room.topic',
      stateKey: '',
      content: { topic: 'x' },
      stickyDurationMs: HOUR_MS,
    });
    const events = [state, sticky('long', HOUR_MS + 1), sticky('negative', -1), sticky('none', 0)];
    expect(await world.giveAll(...events)).to.deep.equal(events.map(() => 'accepted'));
    expect(await told()).to.deep.equal([]);
  });

  it('that were not allowed when they came are told when the state allows them, while they live', async () => {
    sent(await change(world.house, world.roomId, 'ban', ALICE, DAVE));
    const prev = [world.dave.eventId];
    const living = sticky('living', HOUR_MS, { prev });
    const short = sticky('short', 1_000, { prev });
    const plain = world.foreign.add({ ...message(DAVE, 'plain'), prev });
    expect(await world.giveAll(living, short, plain)).to.deep.equal([
      'soft-failed',
      'soft-failed',
      'soft-failed',
    ]);
    expect(await told()).to.deep.equal([]);
    world.house.time.nowMs += 1_000;
    await rejoin();
    expect(await told()).to.deep.equal([living.eventId]);
    const shown = await world.find(living);
    expect(shown?.rejection).to.equal(null);
    expect(await expiryOf(living), 'it came when it came first').to.equal(now + HOUR_MS);
    const row = world.house.rows.findLast(
      (one) => one.row.kind === 'event' && one.row.eventId === living.eventId,
    );
    expect(row?.row).to.include({ isLate: true });
    for (const other of [short, plain]) expect((await world.find(other))?.rejection).to.match(/^soft-failed/);
  });

  it('that were waiting when the server stopped are looked at when it starts', async () => {
    sent(await change(world.house, world.roomId, 'ban', ALICE, DAVE));
    const living = sticky('living', HOUR_MS, { prev: [world.dave.eventId] });
    expect(await world.giveAll(living)).to.deep.equal(['soft-failed']);
    const hide = (byMs: number): void => {
      const database = openWriteConnection(world.house.database.path);
      database.exec(`UPDATE sticky_events SET expires_ts = expires_ts + ${byMs}`);
      database.close();
    };
    hide(-2 * HOUR_MS);
    await rejoin();
    expect(await told()).to.deep.equal([]);
    hide(2 * HOUR_MS);
    await world.house.restart();
    expect(await told()).to.deep.equal([living.eventId]);
  });
});
