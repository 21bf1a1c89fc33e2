import { expect } from 'chai';
import { AskFailed } from '../../../actors/kit/ref.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import { findAlias } from '../../../db/rooms/room-reader.ts';
import { readBans, readStateOfType } from '../../../db/rooms/upgrade-reader.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  REMOTE,
  type RoomsHouse,
  sendMessage,
  sendState,
  sent,
} from './rooms-house.ts';
import { expectSound, stateOf, upgrade } from './upgrade-world.ts';

describe('upgrades of rooms', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const ask = (roomId: string, sender: string, roomVersion: string) =>
    house.rooms.ask('rooms.upgrade-room', { roomId, sender, roomVersion, additionalCreators: [] });

  it('read no more than they may, the newest', async () => {
    const roomId = await makeRoom(house);
    for (const userId of [BOB, CAROL, REMOTE]) sent(await change(house, roomId, 'ban', ALICE, userId));
    sent(await change(house, roomId, 'unban', ALICE, BOB));
    sent(await change(house, roomId, 'ban', ALICE, BOB));
    const names = (events: readonly { readonly stateKey: string | null }[]) =>
      events.map(({ stateKey }) => stateKey);
    const { db } = house.database;
    expect(names(await readBans(db, roomId, 2))).to.deep.equal([REMOTE, BOB]);
    expect(names(await readBans(db, roomId, 9))).to.deep.equal([CAROL, REMOTE, BOB]);
    expect(names(await readStateOfType(db, roomId, 'm.room.member', 2))).to.deep.equal([REMOTE, BOB]);
    expect(names(await readStateOfType(db, roomId, 'm.room.topic', 2))).to.deep.equal([]);
  });

  describe('when storage fails', () => {
    const intact = async (old: string): Promise<void> => {
      const { db } = house.database;
      expect((await findAlias(db, '#tea:example.com'))?.roomId).to.equal(old);
      expect(await stateOf(house, old)).not.to.have.property('m.room.tombstone');
      expect((await findLocalMembership(db, ALICE, old))?.membership).to.equal('join');
      sent(await sendMessage(house, old, BOB, 'still here'));
      await expectSound(house, old);
    };
    const makeOld = async (): Promise<string> => {
      const old = await makeRoom(house, { alias: '#tea:example.com' });
      sent(await change(house, old, 'join', BOB));
      return old;
    };

    it('nothing is done, and it can be done after', async () => {
      const old = await makeOld();
      const before = house.database.write.position('events');
      house.storage.fault = 'disk-full';
      expect(await ask(old, ALICE, '12')).to.include({ errcode: 'M_RESOURCE_LIMIT_EXCEEDED', status: 503 });
      house.storage.fault = null;
      expect(house.database.write.position('events')).to.equal(before);
      await intact(old);
      const roomId = await upgrade(house, old, '12');
      for (const one of [old, roomId]) await expectSound(house, one);
    });

    it('nothing is done of a write set with a defect', async () => {
      const old = await makeOld();
      house.storage.isDefective = true;
      expect(await ask(old, ALICE, '12').catch((error: unknown) => error)).to.be.instanceOf(AskFailed);
      await intact(old);
    });

    it('everything is done when the answer was lost, also after a restart', async () => {
      const old = await makeOld();
      house.storage.crashAfterCommit = true;
      expect(await ask(old, ALICE, '12').catch((error: unknown) => error)).to.be.instanceOf(AskFailed);
      await house.restart();
      const tombstone = (await stateOf(house, old))['m.room.tombstone'];
      const roomId = tombstone?.['replacement_room'] as string;
      expect((await findAlias(house.database.db, '#tea:example.com'))?.roomId).to.equal(roomId);
      sent(await sendMessage(house, roomId, ALICE, 'here'));
      for (const one of [old, roomId]) await expectSound(house, one);
    });

    it('what was staged before it does not go with it', async () => {
      const old = await makeOld();
      house.storage.faultOfSet = (set) => (set === 3 ? 'input-output' : null);
      const [lost, upgraded] = await Promise.all([
        sendState(house, old, ALICE, { type: 'm.room.topic', content: { topic: 'lost' } }),
        ask(old, ALICE, '12'),
      ]);
      expect(lost.kind).to.equal('refused');
      if (upgraded.kind !== 'upgraded') throw new Error(upgraded.error);
      for (const one of [old, upgraded.roomId]) {
        expect(await stateOf(house, one)).not.to.have.property('m.room.topic');
        await expectSound(house, one);
      }
    });
  });

  describe('settings', () => {
    const copies = async (): Promise<unknown[]> => {
      await house.idle();
      return house.told.filter(({ message }) => message.endsWith('.copy-room')).map(({ input }) => input);
    };
    const twice = (input: object): object[] => [input, input];

    it('follow who upgrades at once, and others when they come for the first time', async () => {
      const old = await makeRoom(house);
      sent(await change(house, old, 'join', BOB));
      const roomId = await upgrade(house, old, '12');
      const ofAlice = { userId: ALICE, fromRoomId: old, toRoomId: roomId };
      expect(await copies()).to.deep.equal(twice(ofAlice));
      expect(
        house.told.filter(({ message }) => message.endsWith('.copy-room')).map(({ message }) => message),
      ).to.deep.equal(['account-data.copy-room', 'push-rules.copy-room']);
      sent(await change(house, roomId, 'join', BOB));
      const both = [...twice(ofAlice), ...twice({ ...ofAlice, userId: BOB })];
      expect(await copies()).to.deep.equal(both);
      // Neither another name nor coming back is coming for the first time.
      sent(await change(house, roomId, 'join', BOB, BOB, { displayname: 'B' }));
      sent(await change(house, roomId, 'leave', BOB));
      sent(await change(house, roomId, 'join', BOB));
      // Nor was Carol ever in the old room.
      sent(await change(house, roomId, 'join', CAROL));
      expect(await copies()).to.deep.equal(both);
    });

    it('do not follow into a room that only says that it is the next one', async () => {
      const old = await makeRoom(house);
      sent(await change(house, old, 'join', BOB));
      const creationContent = { predecessor: { room_id: old, event_id: '$x' } };
      const false1 = await makeRoom(house, { creationContent });
      sent(await change(house, false1, 'join', BOB));
      await upgrade(house, old, '12');
      const false2 = await makeRoom(house, { creationContent });
      sent(await change(house, false2, 'join', BOB));
      const false3 = await makeRoom(house, {
        creationContent: { predecessor: { room_id: '!x:example.com' } },
      });
      sent(await change(house, false3, 'join', BOB));
      expect((await copies()).length).to.equal(2);
    });
  });
});
