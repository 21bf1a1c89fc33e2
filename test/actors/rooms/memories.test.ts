import { expect } from 'chai';
import {
  PRUNE_BATCH_MAX,
  PRUNE_INTERVAL_MS,
  PRUNE_PAUSE_MS,
  pruneTransactionSlice,
  startPruning,
  TRANSACTION_AGE_MAX_MS,
} from '../../../actors/rooms/pruning.ts';
import { createRoomMemory, newRoom, type Room } from '../../../actors/rooms/room-memory.ts';
import { createTransactionMemory, TRANSACTION_BOUNDS } from '../../../actors/rooms/transaction-memory.ts';
import type { Sent } from '../../../actors/rooms/protocol.ts';
import type { WriteStep } from '../../../db/kit/write-set.ts';
import { readTransactionNames } from '../../../db/rooms/transaction-reader.ts';
import { refuse } from '../../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import { createFakeClock } from '../../support/fake-clock.ts';
import { countReads } from './count-reads.ts';
import {
  ALICE,
  makeRoom,
  openRoomsHouse,
  type RoomsHouse,
  sendMessage,
  sent,
  transactionOf,
} from './rooms-house.ts';

describe('the memory of rooms', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const bounds = { roomsMax: 2, stateBytesMax: 1_000_000 };

  it('reads a room once, and drops the one used longest ago', async () => {
    const roomIds = await Promise.all([1, 2, 3].map(() => makeRoom(house)));
    const counted = countReads(house.database.db);
    const memory = createRoomMemory(counted.db, bounds);
    for (const roomId of roomIds) expect((await memory.find(roomId))?.roomId).to.equal(roomId);
    expect(memory.count()).to.equal(3);
    expect(await memory.find(roomIds[0] ?? '')).to.equal(await memory.find(roomIds[0] ?? ''));
    expect(counted.reads()).to.equal(3);
    memory.trim();
    expect(memory.count()).to.equal(2);
    await memory.find(roomIds[0] ?? '');
    expect(counted.reads()).to.equal(3);
    await memory.find(roomIds[1] ?? '');
    expect(counted.reads()).to.equal(4);
    expect(await memory.find('!nowhere:example.com')).to.equal(undefined);
  });

  it('never drops a room that is held, and counts what the state takes', async () => {
    const memory = createRoomMemory(house.database.db, { roomsMax: 10, stateBytesMax: 5_000 });
    const rooms: Room[] = [];
    for (const index of [1, 2, 3]) {
      const room = newRoom(index, `!${index}:example.com`, getRoomVersion('11'));
      room.state.set('m.room.topic', '', {
        eventId: '$x',
        sha256: '',
        pdu: {} as never,
        place: 1,
        sizeBytes: 2_000,
      });
      rooms.push(room);
      memory.keep(room);
    }
    const [first] = rooms;
    if (first === undefined) throw new Error('no room');
    first.holds = 1;
    memory.trim();
    expect(memory.count()).to.equal(1);
    expect(await memory.find(first.roomId)).to.equal(first);
    first.holds = 0;
    first.state.set('m.room.name', '', {
      eventId: '$y',
      sha256: '',
      pdu: {} as never,
      place: 2,
      sizeBytes: 9_000,
    });
    await memory.find(first.roomId);
    memory.trim();
    expect(memory.count()).to.equal(0);
  });

  it('sends to a loaded room without reading', async () => {
    const roomId = await makeRoom(house);
    sent(await sendMessage(house, roomId, ALICE, 'warm', 'warm'));
    const before = house.reads();
    for (let index = 0; index < 10; index += 1)
      sent(await sendMessage(house, roomId, ALICE, 'x', `${index}`));
    expect(house.reads() - before).to.equal(0);
  });
});

describe('the memory of transactions', () => {
  let house: RoomsHouse;
  let roomId: string;
  beforeEach(async () => {
    house = await openRoomsHouse();
    roomId = await makeRoom(house);
  });
  afterEach(() => house.stop());

  const keyOf = (txnId: string, deviceId = 'DEVICE') => ({
    userId: ALICE,
    ...transactionOf(roomId, txnId, deviceId),
  });
  const answer = (eventId: string): Promise<Sent> => Promise.resolve({ kind: 'sent', eventId, position: 1 });

  it('asks the database once for a device, and then only where it may know', async () => {
    const reply = sent(await sendMessage(house, roomId, ALICE, 'old', 'old'));
    const { db, reads } = countReads(house.database.db);
    const memory = createTransactionMemory(db);
    expect(memory.recall(keyOf('new'))).to.equal(undefined);
    expect(await memory.search(keyOf('new'))).to.equal(undefined);
    expect(reads()).to.equal(1);
    expect(memory.search(keyOf('newer'))).to.equal(undefined);
    expect(await memory.search(keyOf('old'))).to.deep.equal(reply);
    expect(reads()).to.equal(2);
  });

  it('looks up each transaction of a device that has stored too many', async () => {
    for (const txnId of ['1', '2', '3']) sent(await sendMessage(house, roomId, ALICE, 'x', txnId));
    const { db, reads } = countReads(house.database.db);
    const memory = createTransactionMemory(db, { ...TRANSACTION_BOUNDS, storedMax: 2 });
    expect(await memory.search(keyOf('new'))).to.equal(undefined);
    expect((await memory.search(keyOf('1')))?.kind).to.equal('sent');
    expect(reads()).to.equal(3);
  });

  it('forgets answers beyond its bounds, but not that there were any', async () => {
    const { db, reads } = countReads(house.database.db);
    const memory = createTransactionMemory(db, { ...TRANSACTION_BOUNDS, answersPerDeviceMax: 2 });
    await memory.search(keyOf('1'));
    for (const txnId of ['1', '2', '3']) {
      memory.remember(keyOf(txnId), answer(txnId));
      await Promise.resolve();
    }
    expect(memory.recall(keyOf('1'))).to.equal(undefined);
    expect(await memory.recall(keyOf('3'))).to.include({ eventId: '3' });
    const before = reads();
    expect(memory.search(keyOf('4'))).to.equal(undefined);
    // It was stored, as far as the memory knows: the database has to say.
    await memory.search(keyOf('1'));
    expect(reads() - before).to.equal(1);
  });

  it('keeps what waits for its commit, whatever the bounds', async () => {
    const memory = createTransactionMemory(house.database.db, {
      ...TRANSACTION_BOUNDS,
      devicesMax: 1,
      answersPerDeviceMax: 1,
    });
    const { promise, resolve } = Promise.withResolvers<Sent>();
    for (const txnId of ['1', '2']) memory.remember(keyOf(txnId), promise);
    memory.remember(keyOf('1', 'OTHER'), answer('other'));
    memory.remember(keyOf('3'), answer('3'));
    await Promise.resolve();
    expect(memory.recall(keyOf('1'))).to.equal(promise);
    resolve({ kind: 'sent', eventId: '$x', position: 1 });
    await promise;
    await Promise.resolve();
    expect(memory.recall(keyOf('1'))).to.equal(undefined);
    memory.remember(keyOf('1', 'THIRD'), answer('third'));
    expect(memory.recall(keyOf('2'))).to.equal(undefined);
  });

  it('forgets what was refused', async () => {
    const memory = createTransactionMemory(house.database.db);
    memory.remember(keyOf('1'), Promise.resolve(refuse('M_FORBIDDEN', 'no')));
    await Promise.resolve();
    expect(memory.recall(keyOf('1'))).to.equal(undefined);
  });

  it('is pruned after a day, a few at a time', async () => {
    const clock = createFakeClock(house.time.nowMs);
    const controller = new AbortController();
    let writes = 0;
    const write = (steps: readonly WriteStep[]) => {
      writes += 1;
      return house.database.write.write({ owner: 'rooms', steps });
    };
    const count = async () => (await readTransactionNames(house.database.db, ALICE, 'DEVICE', 10_000)).length;
    const old = Array.from({ length: PRUNE_BATCH_MAX + 20 }, (_, index) =>
      sendMessage(house, roomId, ALICE, 'x', `old ${index}`),
    );
    await Promise.all(old);
    house.time.nowMs += TRANSACTION_AGE_MAX_MS;
    sent(await sendMessage(house, roomId, ALICE, 'x', 'new'));
    const crash = (error: unknown): void => {
      throw error;
    };
    startPruning({ clock, ended: controller.signal, write, crash }, pruneTransactionSlice);
    await clock.advance(TRANSACTION_AGE_MAX_MS - PRUNE_INTERVAL_MS);
    expect(await count()).to.equal(PRUNE_BATCH_MAX + 21);
    await clock.advance(PRUNE_INTERVAL_MS + 1);
    await clock.advance(PRUNE_INTERVAL_MS);
    expect(await count()).to.equal(21);
    await clock.advance(PRUNE_PAUSE_MS);
    expect(await count()).to.equal(1);
    const before = writes;
    controller.abort();
    await clock.advance(10 * PRUNE_INTERVAL_MS);
    expect(writes).to.equal(before);
  });
});
