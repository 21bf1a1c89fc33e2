import { expect } from 'chai';
import { readPurgedUpTo } from '../../../db/rooms/purge-reader.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { checkRoom } from './check-room.ts';
import { expectPurged, fill, purge, rowOf, actAtRandom, readPicture } from './purge-world.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';

const HOUR_MS = 60 * 60 * 1000;

describe('the slices of a purge', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('lets the room and other rooms send between its slices, each in a few rows', async () => {
    const roomId = await makeRoom(house);
    const other = await makeRoom(house);
    const last = await fill(house, roomId, 2_000);
    const transactions = house.transactions();
    const progress = { isOver: false };
    const purging = purge(house, { roomId, beforeEventId: last }).then((purged) => {
      progress.isOver = true;
      return purged;
    });
    let between = 0;
    while (!progress.isOver) {
      sent(await sendMessage(house, roomId, ALICE, 'meanwhile'));
      sent(await sendMessage(house, other, ALICE, 'meanwhile'));
      if (!progress.isOver) between += 1;
    }
    expect(between).to.be.greaterThan(4);
    expect(house.transactions() - transactions).to.be.greaterThan(5);
    expect((await purging).events).to.equal(1_999);
    await checkRoom(house, roomId);
  });

  it('is told once, as a change of the room, and every cache forgets', async () => {
    const roomId = await makeRoom(house);
    const last = await fill(house, roomId, 700);
    await house.idle();
    house.rows.length = 0;
    const { position } = await purge(house, { roomId, beforeEventId: last });
    await house.idle();
    expect(house.rows).to.deep.equal([{ position, row: { kind: 'room', roomId, change: 'purged' } }]);
  });

  it('goes on after a crash between any two slices', async function () {
    this.timeout(20_000);
    const roomId = await makeRoom(house);
    for (const user of [BOB, CAROL]) sent(await change(house, roomId, 'join', user));
    await actAtRandom(house, roomId, seededRandom(99), { actions: 60, view: null });
    await fill(house, roomId, 1_100);
    await actAtRandom(house, roomId, seededRandom(98), { actions: 30, view: null });
    const before = await readPicture(house, roomId);
    const place = rowOf(before, before.forward[before.forward.length - 15] as string);
    let crashes = 0;
    for (let set = 1; ; set += 1) {
      let sets = 0;
      const restarts: Promise<void>[] = [];
      house.storage.faultOfSet = () => {
        sets += 1;
        if (sets === set) restarts.push(house.restart());
        return null;
      };
      const reply = await house.rooms
        .ask(
          'rooms.purge-history',
          { roomId, beforeEventId: place.eventId, deleteLocalEvents: true },
          { deadlineMs: HOUR_MS },
        )
        .catch((error: unknown) => error);
      await Promise.all(restarts);
      await house.idle();
      house.storage.faultOfSet = null;
      const after = await readPicture(house, roomId);
      expect(after.current).to.deep.equal(before.current);
      for (const [eventId, state] of after.states)
        if (rowOf(before, eventId).depth >= place.depth)
          expect(state, `state at ${eventId}`).to.deep.equal(before.states.get(eventId));
      if (!(reply instanceof Error)) break;
      crashes += 1;
      if (crashes > 60) throw new Error('it never ends');
    }
    expect(crashes).to.be.greaterThan(2);
    await expectPurged(house, roomId, before, place, () => false);
  });

  it('does two purges of one room one after the other', async () => {
    const roomId = await makeRoom(house);
    await fill(house, roomId, 300);
    const before = await readPicture(house, roomId);
    const one = rowOf(before, before.forward[100] as string);
    const other = rowOf(before, before.forward[200] as string);
    const [first, second] = await Promise.all([
      purge(house, { roomId, beforeEventId: one.eventId }),
      purge(house, { roomId, beforeEventId: other.eventId }),
    ]);
    expect(second.events).to.equal(100);
    expect(first.events).to.be.greaterThan(90);
    await expectPurged(house, roomId, before, other, () => false);
  });

  it('does not do the same twice when it is asked twice at once', async () => {
    const roomId = await makeRoom(house);
    const beforeEventId = await fill(house, roomId, 1_300);
    const purges = await Promise.all([
      purge(house, { roomId, beforeEventId }),
      purge(house, { roomId, beforeEventId }),
    ]);
    expect(purges[0].events).to.be.at.least(1_299);
    expect(purges[1].events).to.equal(0);
  });

  it('stops with a refusal when storage is full, and goes on when it is asked again', async () => {
    const roomId = await makeRoom(house);
    const last = await fill(house, roomId, 1_200);
    const before = await readPicture(house, roomId);
    let sets = 0;
    house.storage.faultOfSet = () => ((sets += 1) === 2 ? 'disk-full' : null);
    const ask = { roomId, beforeEventId: last, deleteLocalEvents: true };
    expect(refused(await house.rooms.ask('rooms.purge-history', ask))).to.equal('M_RESOURCE_LIMIT_EXCEEDED');
    house.storage.faultOfSet = null;
    await checkRoom(house, roomId);
    await purge(house, ask);
    await expectPurged(house, roomId, before, rowOf(before, last), () => false);
  });

  it('lets a state do without a large one that goes, a few entries at a time', async () => {
    const roomId = await makeRoom(house);
    const set = (index: number, round: number) =>
      sendState(house, roomId, ALICE, {
        type: 'org.example.place',
        stateKey: `${index}`,
        content: { round },
      });
    await Promise.all(Array.from({ length: 1_700 }, (_, index) => set(index, 1)));
    await Promise.all(Array.from({ length: 50 }, (_, index) => set(index, 2)));
    const before = await readPicture(house, roomId, 10);
    const place = rowOf(before, before.backward[3] as string);
    expect(before.groups.find(({ stateGroup }) => stateGroup === place.stateGroup)?.parent).not.to.equal(
      null,
    );
    await purge(house, { roomId, beforeEventId: place.eventId });
    await expectPurged(house, roomId, before, place, () => false);
  });

  it('says about what it gave back, as the pages that became free show', async () => {
    const roomId = await makeRoom(house);
    const last = await fill(house, roomId, 3_000);
    const { freedBytes, freedPages, pageBytes, fileBytes } = await purge(house, {
      roomId,
      beforeEventId: last,
    });
    const ratio = freedBytes / (freedPages * pageBytes);
    expect(ratio, `${freedBytes} of ${freedPages * pageBytes}`).to.be.within(0.6, 1.4);
    expect(fileBytes).to.be.greaterThan(freedPages * pageBytes);
  });

  it('says up to where it has come, for clients that have come less far', async () => {
    const roomId = await makeRoom(house);
    expect(await readPurgedUpTo(house.database.db, roomId)).to.equal(null);
    const old = sent(await sendMessage(house, roomId, ALICE, 'old'));
    const last = sent(await sendMessage(house, roomId, ALICE, 'last'));
    await purge(house, { roomId, beforeEventId: last.eventId });
    expect(await readPurgedUpTo(house.database.db, roomId)).to.equal(old.position);
  });
});
