import { expect } from 'chai';
import { ALIASES_MAX } from '../../../actors/rooms/room-aliases.ts';
import { step } from '../../../db/kit/write-set.ts';
import { findAlias, findRoom, readRoomAliases } from '../../../db/rooms/room-reader.ts';
import { insertAlias } from '../../../db/rooms/writer.ts';
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
import { expectSound, stateOf } from './upgrade-world.ts';

const TEA = '#tea:example.com';
const CHAI = '#chai:example.com';

describe('aliases of rooms', () => {
  let house: RoomsHouse;
  let roomId: string;
  beforeEach(async () => {
    house = await openRoomsHouse();
    roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
  });
  afterEach(() => house.stop());

  const set = (alias: string, sender = ALICE, room = roomId) =>
    house.rooms.ask('rooms.set-alias', { roomId: room, alias, sender });
  const remove = (alias: string, sender = ALICE, isAdmin = false, room = roomId) =>
    house.rooms.ask('rooms.delete-alias', { roomId: room, alias, sender, isAdmin });
  const target = async (alias: string) => (await findAlias(house.database.db, alias))?.roomId;
  const canonical = async () => (await stateOf(house, roomId))['m.room.canonical_alias'];
  const setCanonical = async (content: { alias?: string; alt_aliases?: string[] }) =>
    sent(await sendState(house, roomId, ALICE, { type: 'm.room.canonical_alias', content }));
  const facts = async () => {
    await house.idle();
    return house.told.filter(({ message }) => message === 'caches.invalidate').map(({ input }) => input);
  };
  const factOf = (alias: string) => ({ facts: [{ fact: 'room-alias', alias }] });

  it('are made by members, each once, and the caches are told', async () => {
    expect(await set(TEA, BOB)).to.deep.equal({ kind: 'set' });
    expect(await findAlias(house.database.db, TEA)).to.deep.equal({ alias: TEA, roomId, creator: BOB });
    expect(await facts()).to.deep.equal([factOf(TEA)]);
    expect(await set(TEA)).to.include({ errcode: 'M_UNKNOWN', status: 409 });
    const other = await makeRoom(house);
    const both = await Promise.all([set(CHAI), set(CHAI, ALICE, other)]);
    expect(both.map(({ kind }) => kind).toSorted()).to.deep.equal(['refused', 'set']);
    expect(both.find(({ kind }) => kind === 'refused')).to.include({ errcode: 'M_UNKNOWN', status: 409 });
    for (const [sender, room] of [
      [CAROL, roomId],
      [ALICE, '!none:example.com'],
    ] as const)
      expect(refused(await set('#more:example.com', sender, room))).to.equal('M_FORBIDDEN');
    expect(await target('#more:example.com')).to.equal(undefined);
  });

  it('of one room are bounded', async () => {
    const roomNid = (await findRoom(house.database.db, roomId))?.roomNid ?? 0;
    const steps = Array.from({ length: ALIASES_MAX }, (_, index) =>
      step(insertAlias, { roomNid, alias: `#${index}:example.com`, creator: BOB }),
    );
    await house.database.write.write({ owner: 'rooms', steps });
    expect(refused(await set(TEA))).to.equal('M_FORBIDDEN');
    expect(await readRoomAliases(house.database.db, roomId)).to.have.length(ALIASES_MAX);
  });

  it('are deleted by who made them, and the caches are told', async () => {
    await set(TEA, BOB);
    await house.idle();
    house.told.splice(0);
    expect(await remove(TEA, BOB)).to.deep.equal({ kind: 'deleted', position: null });
    expect(await target(TEA)).to.equal(undefined);
    expect(await facts()).to.deep.equal([factOf(TEA)]);
    expect(refused(await remove(TEA, BOB))).to.equal('M_NOT_FOUND');
  });

  it('are deleted by who decides on the canonical alias, by administrators, and by nobody else', async () => {
    await set(TEA, ALICE);
    await set(CHAI, BOB);
    expect(refused(await remove(TEA, BOB))).to.equal('M_FORBIDDEN');
    expect(refused(await remove(TEA, CAROL))).to.equal('M_FORBIDDEN');
    expect(await target(TEA)).to.equal(roomId);
    expect((await remove(CHAI, ALICE)).kind).to.equal('deleted');
    expect((await remove(TEA, CAROL, true)).kind).to.equal('deleted');
    expect([await target(TEA), await target(CHAI)]).to.deep.equal([undefined, undefined]);
  });

  it('of another room are not found', async () => {
    const other = await makeRoom(house, { alias: TEA });
    expect(refused(await remove(TEA))).to.equal('M_NOT_FOUND');
    expect(await target(TEA)).to.equal(other);
  });

  it('that are deleted are not named by the canonical alias any more, in the same write', async () => {
    await set(TEA);
    await set(CHAI, BOB);
    await setCanonical({ alias: TEA, alt_aliases: [CHAI] });
    const [before, deleted] = await Promise.all([sendMessage(house, roomId, BOB, 'before it'), remove(CHAI)]);
    expect(deleted).to.deep.equal({ kind: 'deleted', position: sent(before).position + 1 });
    expect(await target(CHAI)).to.equal(undefined);
    expect(await canonical()).to.deep.equal({ alias: TEA });
    sent(await sendMessage(house, roomId, BOB, 'after it'));
    await remove(TEA);
    expect(await canonical()).to.deep.equal({});
    await expectSound(house, roomId);
  });

  it('are deleted also where the canonical alias stays, for want of power', async () => {
    await set(CHAI, BOB);
    await setCanonical({ alias: CHAI });
    expect(await remove(CHAI, BOB)).to.deep.equal({ kind: 'deleted', position: null });
    expect(await target(CHAI)).to.equal(undefined);
    expect(await canonical()).to.deep.equal({ alias: CHAI });
  });

  it('are deleted by who made them after that user has left', async () => {
    await set(TEA, BOB);
    sent(await change(house, roomId, 'leave', BOB));
    expect((await remove(TEA, BOB)).kind).to.equal('deleted');
  });

  it('stay as they are while storage cannot be written', async () => {
    await set(TEA);
    await setCanonical({ alias: TEA });
    house.storage.fault = 'disk-full';
    for (const reply of [await set(CHAI), await remove(TEA)])
      expect(reply).to.include({ errcode: 'M_RESOURCE_LIMIT_EXCEEDED', status: 503 });
    house.storage.fault = null;
    expect([await target(TEA), await target(CHAI)]).to.deep.equal([roomId, undefined]);
    expect(await canonical()).to.deep.equal({ alias: TEA });
    expect((await remove(TEA)).kind).to.equal('deleted');
    expect(await canonical()).to.deep.equal({});
    await expectSound(house, roomId);
  });
});
