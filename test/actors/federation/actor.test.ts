import { expect } from 'chai';
import type { OutgoingEdu } from '../../../actors/federation/protocol.ts';
import type { OutputOf } from '../../../actors/kit/protocol.ts';
import type { FederationRow } from '../../../src/streams/federation-stream.ts';
import type { StreamOwnerProtocol } from '../../../src/streams/message.ts';
import { federationStream } from '../../../src/streams/federation-stream.ts';
import { TRANSPORTS } from '../../support/actor-host.ts';
import { createOwnerWorld, LISTENER, type OwnerWorld } from '../../support/owner-world.ts';

const ROOM = '!room:example.com';
const ALICE = '@alice:example.com';
const FAR = '@far:far.example';

for (const transport of TRANSPORTS)
  describe(`the federation actor, ${transport}`, () => {
    let world: OwnerWorld;
    beforeEach(async () => {
      world = await createOwnerWorld({
        owners: ['federation'],
        transport,
        bystanders: ['views@slow', 'views@x'],
      });
      await world.addRoom(ROOM, ALICE, FAR, '@near:near.example:8448', '@far2:far.example');
      await world.addRoom('!alone:example.com', ALICE, '@bob:example.com');
    });
    afterEach(() => world.stop());

    const actor = () => world.host.ref('federation');
    const edu = (key: string | null, n = 0): OutgoingEdu => ({ type: 'm.x', content: { n }, key });
    const read = async (): Promise<OutputOf<StreamOwnerProtocol, 'stream.read'>> => {
      await world.host.idle();
      const epoch = world.heard.at(-1)?.epoch ?? 0;
      return actor().ask('stream.read', { stream: 'federation', epoch, from: 0, to: 1e9, limit: 1_000 });
    };
    const held = async () =>
      (await read()).rows.map(({ position, row }) => {
        const { destination, ...what } = row as FederationRow;
        return [position, destination, what.kind === 'edu' ? what.content['n'] : what.eventId];
      });
    const acknowledge = async (subscriber: string, position: number): Promise<void> => {
      const epoch = world.heard.at(-1)?.epoch ?? 0;
      actor().tell('stream.acknowledge', { subscriber, stream: 'federation', epoch, position });
      await world.host.idle();
    };

    it('every other server of the room gets it once; our own never, a room without others costs nothing', async () => {
      actor().tell('federation.queue-room-edu', { roomId: '!alone:example.com', edu: edu(null) });
      actor().tell('federation.queue-event', { roomId: '!alone:example.com', eventId: '$a', position: 1 });
      actor().tell('federation.queue-edu', { destination: 'example.com', edu: edu(null) });
      actor().tell('federation.queue-room-edu', { roomId: '!unknown:example.com', edu: edu(null) });
      expect(await held()).to.deep.equal([]);
      actor().tell('federation.queue-event', { roomId: ROOM, eventId: '$e', position: 7 });
      expect(await held()).to.deep.equal([
        [1, 'far.example', '$e'],
        [2, 'near.example:8448', '$e'],
      ]);
    });

    it('whoever is put out is told, though nobody of that server is left', async () => {
      const removal = { roomId: '!alone:example.com', position: 1 };
      const remove = (eventId: string, removedUserId: string): unknown =>
        actor().tell('federation.queue-event', { ...removal, eventId, removedUserId });
      remove('$kick', '@was:gone.example');
      remove('$leave', '@bob:example.com');
      actor().tell('federation.queue-event', {
        roomId: ROOM,
        position: 2,
        eventId: '$ban',
        removedUserId: FAR,
      });
      expect(await held()).to.deep.equal([
        [1, 'gone.example', '$kick'],
        [2, 'far.example', '$ban'],
        [3, 'near.example:8448', '$ban'],
      ]);
    });

    it('2.7 a keyed EDU replaces the one before that is not sent yet, for its server alone', async () => {
      for (const n of [1, 2, 3])
        actor().tell('federation.queue-room-edu', { roomId: ROOM, edu: edu('k', n) });
      actor().tell('federation.queue-edu', { destination: 'far.example', edu: edu('other', 4) });
      actor().tell('federation.queue-edu', { destination: 'far.example', edu: edu(null, 5) });
      actor().tell('federation.queue-edu', { destination: 'far.example', edu: edu(null, 6) });
      expect(await held()).to.deep.equal([
        [5, 'far.example', 3],
        [6, 'near.example:8448', 3],
        [7, 'far.example', 4],
        [8, 'far.example', 5],
        [9, 'far.example', 6],
      ]);
    });

    it('2.7 trims what every sender has acknowledged, one that has acknowledged nothing included', async () => {
      const streams = ['federation'];
      actor().tell('stream.subscribe', { subscriber: 'views@slow', streams });
      actor().tell('stream.subscribe', { subscriber: 'views@x', streams, positionsOnly: streams });
      for (const n of [1, 2, 3])
        actor().tell('federation.queue-edu', { destination: 'far.example', edu: edu(null, n) });
      await world.host.idle();
      await acknowledge(LISTENER, 3);
      expect(await held()).to.have.length(3);
      await acknowledge('views@slow', 2);
      expect(await held()).to.deep.equal([[3, 'far.example', 3]]);
      actor().tell('stream.subscribe', { subscriber: 'views@slow', streams });
      expect(await held(), 'a restart of the sender loses nothing').to.have.length(1);
      await acknowledge('views@slow', 3);
      expect(await held()).to.deep.equal([]);
    });

    it('keeps the order in which it was told, though the servers of a room have to be looked up', async () => {
      for (const n of [1, 2, 3]) {
        actor().tell('federation.queue-room-edu', { roomId: ROOM, edu: edu(null, n) });
        actor().tell('federation.queue-edu', { destination: 'direct.example', edu: edu(null, n) });
        actor().tell('federation.queue-event', { roomId: ROOM, eventId: `$${n}`, position: n });
      }
      const order = (await held()).filter(([, destination]) => destination !== 'near.example:8448');
      expect(order.map(([, , what]) => what)).to.deep.equal([1, 1, '$1', 2, 2, '$2', 3, 3, '$3']);
    });
  });

describe('the federation actor', () => {
  let world: OwnerWorld;
  afterEach(() => world.stop());

  it('a server that joined or left counts from the invalidation on', async () => {
    world = await createOwnerWorld({ owners: ['federation'] });
    await world.addRoom(ROOM, ALICE, FAR);
    const queue = async (eventId: string): Promise<readonly string[]> => {
      const before = world.rows(federationStream).length;
      world.host.ref('federation').tell('federation.queue-event', { roomId: ROOM, eventId, position: 1 });
      await world.host.idle();
      return world
        .rows(federationStream)
        .map(({ row }) => row.destination)
        .slice(before);
    };
    expect(await queue('$1')).to.deep.equal(['far.example']);
    await world.setMember(ROOM, FAR, 'leave');
    await world.setMember(ROOM, '@new:new.example', 'join');
    world.caches.applyFacts([{ fact: 'membership', roomId: ROOM, userId: FAR }]);
    expect(await queue('$2')).to.deep.equal(['new.example']);
  });
});
