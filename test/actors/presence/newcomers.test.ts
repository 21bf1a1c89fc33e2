import { expect } from 'chai';
import { presenceActor } from '../../../actors/presence/actor.ts';
import { TELL_AGAIN_MS } from '../../../actors/presence/tell-other-servers.ts';
import { RECENT_MS } from '../../../actors/presence/recent-presence.ts';
import type { PresenceState } from '../../../actors/presence/protocol.ts';
import type { EventsRow } from '../../../db/rooms/stream-reader.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { presenceStream } from '../../../src/streams/presence-stream.ts';
import { createOwnerWorld, type OwnerWorld } from '../../support/owner-world.ts';
import { member, openReceiveWorld } from '../rooms/receive-world.ts';
import { openRoomsHouse } from '../rooms/rooms-house.ts';

const ALICE = '@alice:example.com';
const BOB = '@bob:example.com';
const DAVE = '@dave:other.example';
const ERIN = '@erin:other.example';
const ROOM = '!room:example.com';

describe('presence, for those who come to share a room', () => {
  let world: OwnerWorld;
  beforeEach(async () => {
    world = await createOwnerWorld({ owners: ['presence'] });
    await world.addRoom(ROOM, ALICE);
    await world.addRoom('!other:example.com', BOB);
  });
  afterEach(() => world.stop());

  const presence = () => world.host.ref('presence');
  const say = async (userId: string, state: PresenceState): Promise<void> => {
    await presence().ask('presence.set-presence', { userId, presence: state, statusMessage: null });
    await world.host.idle();
  };
  const sync = async (): Promise<void> => {
    presence().tell('presence.note-sync', { userId: ALICE, deviceId: 'A', presence: 'online' });
    await world.host.idle();
  };
  const receive = async (userId: string, state: PresenceState = 'online'): Promise<void> => {
    presence().tell('presence.receive-remote', {
      userId,
      presence: state,
      statusMessage: null,
      lastActiveAgoMs: 0,
      isCurrentlyActive: true,
    });
    await world.host.idle();
  };
  /** Tells a row of the events stream, as the owner of rooms does after its commit. */
  const tell = async (row: EventsRow): Promise<void> => {
    const at = { stream: 'events', owner: 'rooms', epoch: 0, prev: 0, position: 1 };
    presence().tell('stream.rows', { ...at, rows: [{ position: 1, row }], invalidations: [] });
    await world.host.idle();
  };
  const joins = async (roomId: string, userId: string): Promise<void> => {
    await world.setMember(roomId, userId, 'join');
    await tell({
      kind: 'event',
      eventId: '$join',
      roomId,
      type: 'm.room.member',
      stateKey: userId,
      sender: userId,
      membership: 'join',
      redacts: null,
    });
  };
  const pushOf = ({ edu }: { readonly edu: { readonly content: JsonObject } }): JsonObject =>
    (edu.content['push'] as readonly JsonObject[])[0] ?? {};
  const direct = () =>
    world.directEdus.map((told) => [told.destination, pushOf(told)['user_id'], pushOf(told)['presence']]);
  const rooms = () => world.edus.map((told) => [told.roomId, pushOf(told)['user_id']]);
  const shown = () => world.rows(presenceStream).map(({ row }) => [row.userId, row.presence, row.roomIds]);

  it('a server that comes into a room is told who of ours is there, with its first user', async () => {
    await say(ALICE, 'unavailable');
    await say(BOB, 'online');
    await world.setMember(ROOM, '@carol:example.com', 'join');
    await say('@carol:example.com', 'offline');
    await joins(ROOM, DAVE);
    expect(direct()).to.deep.equal([['other.example', ALICE, 'unavailable']]);
    await joins(ROOM, ERIN);
    expect(direct(), 'the server was there').to.have.length(1);
  });

  it('a user of ours who is there is told of where they come in', async () => {
    await world.addRoom('!new:example.com', DAVE);
    await joins('!new:example.com', ALICE);
    expect(rooms(), 'nobody is there').to.deep.equal([]);
    await say(ALICE, 'online');
    const before = world.edus.length;
    await joins('!new:example.com', ALICE);
    expect(rooms().slice(before)).to.deep.equal([['!new:example.com', ALICE]]);
    expect(direct()).to.deep.equal([]);
  });

  it('what a server said of its users before the join was stored here is shown then', async () => {
    await receive(DAVE);
    await receive(ERIN);
    await receive(ERIN, 'offline');
    expect(shown()).to.deep.equal([]);
    await world.addRoom('!far:other.example', ALICE, DAVE, ERIN);
    await tell({ kind: 'room', roomId: '!far:other.example', change: 'left' });
    expect(shown()).to.deep.equal([]);
    await tell({ kind: 'room', roomId: '!far:other.example', change: 'joined' });
    expect(shown()).to.deep.equal([[DAVE, 'online', ['!far:other.example']]]);
    await tell({ kind: 'room', roomId: '!far:other.example', change: 'completed' });
    expect(shown(), 'once').to.have.length(1);
  });

  it('not if that was long ago', async () => {
    await receive(DAVE);
    await world.clock.advance(RECENT_MS);
    await world.addRoom('!far:other.example', ALICE, DAVE);
    await tell({ kind: 'room', roomId: '!far:other.example', change: 'completed' });
    expect(shown()).to.deep.equal([]);
  });

  it('a user of another server who comes into a further room is shown there, as long as they are there', async () => {
    await world.setMember(ROOM, DAVE, 'join');
    await receive(DAVE);
    await world.clock.advance(10 * 60_000);
    await joins('!other:example.com', DAVE);
    await joins('!other:example.com', DAVE);
    expect(shown()).to.deep.equal([
      [DAVE, 'online', [ROOM]],
      [DAVE, 'online', [ROOM, '!other:example.com']],
    ]);
    await world.clock.advance(20 * 60_000);
    expect(shown().at(-1)?.[1], 'no longer than before').to.equal('offline');
    await world.addRoom('!third:example.com', ALICE);
    await joins('!third:example.com', DAVE);
    expect(shown()).to.have.length(3);
  });

  it('whoever stays is told again before other servers take them for gone', async () => {
    await sync();
    expect(rooms()).to.deep.equal([[ROOM, ALICE]]);
    const stay = async (lengthMs: number): Promise<void> => {
      for (let passedMs = 0; passedMs < lengthMs; passedMs += 60_000) {
        await world.clock.advance(60_000);
        await sync();
      }
    };
    await stay(TELL_AGAIN_MS - 60_000);
    expect(rooms()).to.have.length(1);
    await stay(60_000);
    expect(rooms()).to.have.length(2);
    expect(pushOf(world.edus.at(-1) as never)).to.include({ presence: 'online', last_active_ago: 0 });
    await stay(TELL_AGAIN_MS - 60_000);
    expect(rooms()).to.have.length(2);
  });
});

describe('presence, beside the owner of rooms', () => {
  it('is told to a server with the join of its first user, and not when that user has another name', async () => {
    const house = await openRoomsHouse({ actors: [presenceActor] });
    const world = await openReceiveWorld('11', { house });
    const told = () =>
      house.told
        .filter(({ message }) => message === 'federation.queue-edu')
        .map(({ input }) => (input as { readonly destination: string }).destination);
    const statement = { userId: ALICE, presence: 'online', statusMessage: null } as const;
    await house.ref('presence').ask('presence.set-presence', statement);
    await world.giveAll(world.foreign.add(member(DAVE, DAVE, 'join', { displayname: 'David' })));
    await house.idle();
    expect(told()).to.deep.equal([]);
    await world.giveAll(world.foreign.add(member(DAVE, DAVE, 'leave')));
    await world.giveAll(world.foreign.add(member(DAVE, DAVE, 'join')));
    await house.idle();
    expect(told()).to.deep.equal(['other.example']);
    await world.close();
  });
});
