import { expect } from 'chai';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { ReceiptsProtocol } from '../../../actors/receipts/protocol.ts';
import { readReceiptsOfRoom } from '../../../db/receipts/reader.ts';
import { receiptsStream } from '../../../src/streams/receipts-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';

type SetReceipt = InputOf<ReceiptsProtocol, 'receipts.set-receipt'>;

const ROOM = '!room:example.com';
const ALICE = '@alice:example.com';

for (const transport of TRANSPORTS)
  describe(`the receipts actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({ owners: ['receipts'], transport });
      await world.addRoom(ROOM, ALICE);
      await world.addRoom('!other:example.com', ALICE);
      await world.addEvents(ROOM, '$1', '$2', '$3');
      await world.addEvents('!other:example.com', '$elsewhere');
      await world.addOutlier(ROOM, '$outlier');
    });
    afterEach(() => world.stop());

    const set = (overrides: Partial<SetReceipt> = {}) =>
      world.host.ref('receipts').ask('receipts.set-receipt', {
        roomId: ROOM,
        userId: ALICE,
        type: 'm.read',
        eventId: '$1',
        threadId: null,
        ...overrides,
      });
    const stored = async () => {
      const receipts = await readReceiptsOfRoom(world.database.db, ROOM, 0, 1_000);
      return receipts.map(({ type, threadId, eventId }) => [type, threadId, eventId]);
    };

    it('moves forward only', async () => {
      expect(await set({ eventId: '$2' })).to.deep.equal({ kind: 'stored', position: 1 });
      expect(await set({ eventId: '$1' })).to.deep.equal({ kind: 'stored', position: 1 });
      expect(await set({ eventId: '$2' })).to.deep.equal({ kind: 'stored', position: 1 });
      expect(await set({ eventId: '$3' })).to.deep.equal({ kind: 'stored', position: 2 });
      expect(await stored()).to.deep.equal([['m.read', null, '$3']]);
      await world.host.idle();
      const rows = world.rows(receiptsStream);
      expect(rows.map(({ position, row }) => [position, row.eventId])).to.deep.equal([
        [1, '$2'],
        [2, '$3'],
      ]);
      expect(world.edus, 'what changed nothing is not told').to.have.length(2);
    });

    it('two at once from two devices end at the later event', async () => {
      await Promise.all(['$2', '$3', '$1'].map((eventId) => set({ eventId })));
      expect(await stored()).to.deep.equal([['m.read', null, '$3']]);
    });

    it('private, public and threaded ones stand beside each other, one row per key', async () => {
      const keys = [
        { type: 'm.read', threadId: null },
        { type: 'm.read.private', threadId: null },
        { type: 'm.read', threadId: 'main' },
        { type: 'm.read', threadId: '$1' },
      ] as const;
      await Promise.all(keys.map((key) => set({ ...key, eventId: '$1' })));
      await Promise.all(keys.map((key) => set({ ...key, eventId: '$2' })));
      expect(await stored()).to.have.deep.members(keys.map(({ type, threadId }) => [type, threadId, '$2']));
    });

    it('tells other servers of public ones only', async () => {
      await set({ type: 'm.read.private' });
      await set({ threadId: 'main' });
      await set({ eventId: '$2' });
      await world.host.idle();
      const data = world.edus.map(({ edu }) => {
        const ofRoom = edu.content[ROOM] as {
          'm.read': Record<string, { event_ids: string[]; data: { ts?: number; thread_id?: string } }>;
        };
        const of = ofRoom['m.read'][ALICE];
        return [edu.type, of?.event_ids, of?.data.thread_id, typeof of?.data.ts];
      });
      expect(data).to.deep.equal([
        ['m.receipt', ['$1'], 'main', 'number'],
        ['m.receipt', ['$2'], undefined, 'number'],
      ]);
      expect(new Set(world.edus.map(({ edu }) => edu.key)).size).to.equal(2);
    });

    it('refuses an event that is not in the timeline of the room, and an unknown room', async () => {
      for (const wrong of [
        { eventId: '$unknown' },
        { eventId: '$elsewhere' },
        { eventId: '$outlier' },
        { roomId: '!unknown:example.com' },
      ])
        expect(await set(wrong)).to.deep.include({ kind: 'refused', errcode: 'M_NOT_FOUND', status: 404 });
      expect(await stored()).to.deep.equal([]);
    });

    it('refuses while storage cannot be written, tells nobody, and works again', async () => {
      world.fault = 'disk-full';
      const refused = await set();
      expect(refused).to.deep.include({
        kind: 'refused',
        errcode: 'M_RESOURCE_LIMIT_EXCEEDED',
        status: 503,
      });
      world.fault = null;
      expect(world.edus).to.deep.equal([]);
      expect(await set()).to.deep.equal({ kind: 'stored', position: 1 });
    });

    it('4.4 keeps its position over a restart, after every row was deleted', async () => {
      await set({ eventId: '$1' });
      await set({ eventId: '$2' });
      await world.deleteAll('receipts');
      expect(await stored()).to.deep.equal([]);
      await world.restartServer();
      expect(await set({ eventId: '$3' })).to.deep.equal({ kind: 'stored', position: 3 });
    });
  });
