import { expect } from 'chai';
import { EventType, type MatrixClient, MsgType, Preset, Visibility } from 'matrix-js-sdk';
import { clientOf, eventually, register, startSyncing, textsOf } from '../support/sdk-client.ts';
import { startTroupe, type TroupeProcess } from '../support/troupe-process.ts';

const STORY_TIMEOUT_MS = 60_000;

describe('a room moves on', function () {
  this.timeout(STORY_TIMEOUT_MS);
  let server: TroupeProcess;
  let ann: MatrixClient;
  let bob: MatrixClient;

  before(async () => {
    server = await startTroupe({ gateways: 2 });
    ann = clientOf(server.url, await register(server.url, 'ann', 'ann has a secret'));
    bob = clientOf(server.url, await register(server.url, 'bob', 'bob has another'));
    await startSyncing(ann);
    await startSyncing(bob);
  });
  after(async () => {
    ann?.stopClient();
    bob?.stopClient();
    await server?.dispose();
  });

  it('with its name, its alias and its people', async () => {
    const { room_id: old } = await ann.createRoom({
      room_alias_name: 'tea',
      name: 'Tea',
      preset: Preset.PublicChat,
      visibility: Visibility.Public,
      room_version: '10',
    });
    await bob.joinRoom('#tea:localhost');
    await bob.setRoomTag(old, 'm.favourite', { order: 0.5 });
    await eventually(bob, 'the tag', () => bob.getRoom(old)?.tags['m.favourite']);
    await bob.createAlias('#bobs-tea:localhost', old);
    const { replacement_room: next } = await ann.upgradeRoom(old, '12');
    const tombstone = () => bob.getRoom(old)?.currentState.getStateEvents(EventType.RoomTombstone, '');
    await eventually(bob, 'the tombstone', tombstone);
    expect(tombstone()?.getContent()).to.include({ replacement_room: next });
    expect((await bob.getRoomIdForAlias('#bobs-tea:localhost')).room_id).to.equal(next);
    await bob.joinRoom('#tea:localhost');
    await eventually(bob, 'the tag there', () => bob.getRoom(next)?.tags['m.favourite']);
    expect(bob.getRoom(next)?.name).to.equal('Tea');
    expect(bob.getRoom(next)?.getVersion()).to.equal('12');
    expect(bob.getRoom(next)?.findPredecessor()?.roomId).to.equal(old);
    expect(bob.getRoomUpgradeHistory(next, true).map(({ roomId }) => roomId)).to.deep.equal([old, next]);
    await bob.sendEvent(next, EventType.RoomMessage, { msgtype: MsgType.Text, body: 'here we are' });
    await eventually(ann, 'the message', () => {
      const room = ann.getRoom(next);
      return room !== null && textsOf(room).includes('here we are');
    });
    const refused = bob.sendEvent(old, EventType.RoomMessage, { msgtype: MsgType.Text, body: 'too late' });
    expect(await refused.catch((error: { httpStatus?: number }) => error.httpStatus)).to.equal(403);
  });

  it('and an alias goes when nobody needs it', async () => {
    await bob.deleteAlias('#bobs-tea:localhost');
    const gone = bob.getRoomIdForAlias('#bobs-tea:localhost');
    expect(await gone.catch((error: { errcode?: string }) => error.errcode)).to.equal('M_NOT_FOUND');
  });
});
