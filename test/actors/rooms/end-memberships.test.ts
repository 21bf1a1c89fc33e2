import { expect } from 'chai';
import { endTheRest } from '../../../actors/rooms/end-memberships.ts';
import type { PurgeDesk } from '../../../actors/rooms/purge-desk.ts';
import { readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import { makeServerKey } from '../../../src/matrix/signing.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  type RoomsHouse,
  SERVER,
  sent,
} from './rooms-house.ts';

describe('the memberships that end with a room', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  it('are written down when they changed since, and ended when they are not over', async () => {
    const roomId = await makeRoom(house);
    for (const user of [BOB, CAROL]) sent(await change(house, roomId, 'join', user));
    for (const user of [BOB, CAROL]) sent(await change(house, roomId, 'leave', user));
    const { db } = house.database;
    const desk = {
      db,
      clock: { now: () => 5 },
      serverName: SERVER,
      stage: { signer: { serverName: SERVER, key: makeServerKey(new Uint8Array(32), 'test') } },
    } as unknown as PurgeDesk;
    const positions = new Map(
      (await readLocalMemberships(db, roomId)).map((one) => [one.userId, one.position]),
    );
    const written = new Map([
      [BOB, positions.get(BOB) ?? 0],
      [CAROL, 1],
    ]);
    const ended = await endTheRest(desk, roomId, written);
    if (isRefusal(ended)) throw new Error(ended.error);
    expect(ended.rows.map((row) => row.kind === 'state' && row.stateKey)).to.deep.equal([ALICE]);
    const byUser = new Map(
      ended.steps.map(({ params, positionOffset }) => [params['userId'], { params, positionOffset }]),
    );
    expect([...byUser.keys()]).to.have.members([ALICE, CAROL]);
    expect(byUser.get(CAROL)?.params['position']).to.equal(positions.get(CAROL));
    expect(byUser.get(ALICE)?.positionOffset).to.equal(0);
    expect(JSON.parse(String(byUser.get(ALICE)?.params['pdu'])).content).to.deep.equal({
      membership: 'leave',
    });
  });
});
