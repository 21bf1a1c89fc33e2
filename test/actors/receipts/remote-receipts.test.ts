import { expect } from 'chai';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { ReceiptsProtocol } from '../../../actors/receipts/protocol.ts';
import { readReceiptsOfRoom } from '../../../db/receipts/reader.ts';
import { receiptsStream } from '../../../src/streams/receipts-stream.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

type Remote = InputOf<ReceiptsProtocol, 'receipts.receive-remote'>;

const ROOM = '!room:example.com';
const DAVE = '@dave:other.example';

describe('receipts of users of other servers', () => {
  let world: OwnerWorld;
  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['receipts'] });
    await world.addRoom(ROOM, '@alice:example.com', DAVE);
    await world.addEvents(ROOM, '$1', '$2');
  });
  afterEach(() => world.stop());

  const receive = (eventId: string, other: Partial<Remote> = {}) =>
    world.host.ref('receipts').ask('receipts.receive-remote', {
      roomId: ROOM,
      userId: DAVE,
      eventId,
      threadId: null,
      ts: 7,
      ...other,
    });
  const stored = async () => {
    const receipts = await readReceiptsOfRoom(world.database.db, ROOM, 0, 1_000);
    return receipts.map(({ userId, type, threadId, eventId, ts }) => [userId, type, threadId, eventId, ts]);
  };

  it('are stored with their own time, told to clients and not to other servers', async () => {
    expect(await receive('$1')).to.deep.equal({ kind: 'stored' });
    expect(await receive('$2', { threadId: 'main', ts: 9 })).to.deep.equal({ kind: 'stored' });
    expect(await stored()).to.deep.equal([
      [DAVE, 'm.read', null, '$1', 7],
      [DAVE, 'm.read', 'main', '$2', 9],
    ]);
    await world.host.idle();
    expect(world.rows(receiptsStream).map(({ row }) => row)).to.deep.include({
      roomId: ROOM,
      userId: DAVE,
      type: 'm.read',
      eventId: '$1',
      threadId: null,
      ts: 7,
    });
    expect(world.edus).to.deep.equal([]);
  });

  it('never go back, and may be about an event that is still to come', async () => {
    await receive('$2');
    await receive('$1');
    expect(await stored()).to.deep.equal([[DAVE, 'm.read', null, '$2', 7]]);
    await receive('$later');
    expect(await stored()).to.deep.equal([[DAVE, 'm.read', null, '$later', 7]]);
    await world.host.idle();
    const rows = world.rows(receiptsStream).length;
    expect(await receive('$later', { ts: 8 }), 'said again').to.deep.equal({ kind: 'stored' });
    await world.host.idle();
    expect(world.rows(receiptsStream)).to.have.length(rows);
    expect(await stored()).to.deep.equal([[DAVE, 'm.read', null, '$later', 7]]);
  });

  it('are refused for a room that is not known', async () => {
    expect(await receive('$1', { roomId: '!no:example.com' })).to.include({ errcode: 'M_NOT_FOUND' });
  });
});
