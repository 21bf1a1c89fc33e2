import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { readHostsOfRoom } from '../../../db/rooms/hosts-reader.ts';
import { countInconsistentMemberships } from '../../../db/rooms/membership-check-reader.ts';
import { findLocalMembership } from '../../../db/rooms/membership-reader.ts';
import { readPartialRooms } from '../../../db/rooms/partial-reader.ts';
import { findRoom } from '../../../db/rooms/room-reader.ts';
import { findCurrentStateEvent, readCurrentState } from '../../../db/rooms/state-reader.ts';
import {
  checkJoinedRoom,
  completed,
  FRANK,
  GINA,
  given,
  leftovers,
  openPartialWorld,
  OTHER,
  type PartialWorld,
} from './partial-world.ts';
import { DAVE, ERIN, member, message } from './receive-world.ts';
import { ALICE, BOB, CAROL, change, refused, sendMessage, sent, SERVER } from './rooms-house.ts';

describe('a room that was joined without its members', () => {
  const worlds: PartialWorld[] = [];
  const open: typeof openPartialWorld = async (options) => {
    const world = await openPartialWorld(options);
    worlds.push(world);
    return world;
  };
  afterEach(async () => {
    for (const world of worlds.splice(0)) await world.close();
  });
  const membersOf = async ({ house, roomId }: PartialWorld): Promise<readonly string[]> =>
    (await readCurrentState(house.database.db, roomId))
      .filter(({ type }) => type === 'm.room.member')
      .map(({ stateKey }) => stateKey)
      .toSorted();
  const rowsLeft = async ({ house, roomId }: PartialWorld): Promise<number> => {
    const room = await findRoom(house.database.db, roomId);
    return (await house.database.db.get(leftovers, { roomNid: room?.roomNid ?? 1 })).rows;
  };

  it('is known as that, with who helped and who is in it', async () => {
    const world = await open();
    const { eventId } = await world.enter();
    expect(await readPartialRooms(world.house.database.db)).to.deep.equal([
      {
        roomId: world.roomId,
        joinEventId: eventId,
        joinedVia: OTHER,
        servers: [OTHER, 'third.example', 'fourth.example', 'example.com'],
      },
    ]);
    expect(await membersOf(world)).to.deep.equal([ALICE]);
    await checkJoinedRoom(world.house, world.roomId);
  });

  it('takes the member event of who sends something out of its auth events, and keeps it', async () => {
    const world = await open();
    const { house, room, roomId } = world;
    await world.enter();
    await house.idle();
    house.rows.length = 0;
    const hello = room.add(message(ERIN, 'hello'));
    expect(await world.give(hello)).to.equal('accepted');
    expect(await membersOf(world)).to.deep.equal([ALICE, ERIN]);
    await house.idle();
    const told = house.rows.map(({ row }) => (row.kind === 'state' ? `state ${row.stateKey}` : row.kind));
    expect(told).to.deep.equal(['event', `state ${ERIN}`]);
    await checkJoinedRoom(house, roomId);
    // From here on it is in memory: what follows is staged at once.
    expect(await world.giveAll(room.add(message(ERIN, 'again')))).to.deep.equal(['accepted']);
    // Who is known not to be there is not.
    expect(await world.give(room.add(member(ERIN, ERIN, 'leave')))).to.equal('accepted');
    const stale = room.add({ ...message(ERIN, 'still here?'), auth: hello.pdu.auth_events.map(String) });
    expect(await world.give(stale)).to.equal('rejected');
    await checkJoinedRoom(house, roomId);
  });

  it('lets its local user send, and does not say who may come in or who is not there', async () => {
    const world = await open();
    const { house, room, roomId } = world;
    room.add({
      sender: DAVE,
      type: 'm.room.power_levels',
      stateKey: '',
      content: { users: { [DAVE]: 100, [ALICE]: 60 } },
    });
    await world.enter();
    sent(await sendMessage(house, roomId, ALICE, 'hello'));
    expect(refused(await change(house, roomId, 'join', BOB))).to.equal('M_NOT_FOUND');
    expect(refused(await change(house, roomId, 'knock', BOB))).to.equal('M_NOT_FOUND');
    sent(await change(house, roomId, 'kick', ALICE, FRANK));
    sent(await change(house, roomId, 'invite', ALICE, CAROL));
    expect(refused(await change(house, roomId, 'leave', BOB))).to.equal('M_FORBIDDEN');
    sent(await change(house, roomId, 'join', CAROL));
    await checkJoinedRoom(house, roomId);
    completed(await world.complete());
    await checkJoinedRoom(house, roomId);
    expect(await membersOf(world)).to.deep.equal([ALICE, CAROL, DAVE, ERIN, FRANK].toSorted());
    // From here on it is known: the room is public, and nobody is banned.
    sent(await change(house, roomId, 'join', BOB));
    expect(refused(await change(house, roomId, 'kick', ALICE, GINA))).to.equal('M_FORBIDDEN');
  });

  it('5.4 keeps what is known of other local users until it is known better', async () => {
    const world = await open();
    const { house, room, roomId } = world;
    const { db } = house.database;
    const invite = async (target: string): Promise<void> => {
      const event = room.add(member(DAVE, target, 'invite'));
      const invited = {
        roomId,
        roomVersion: '11',
        event: given(event),
        strippedState: [],
        receivedFrom: OTHER,
      };
      sent(await house.rooms.ask('rooms.receive-invite', invited));
    };
    for (const target of [ALICE, BOB, CAROL]) await invite(target);
    // Bob's was taken back, and nobody has told us.
    room.add(member(DAVE, BOB, 'leave'));
    await world.enter();
    const standing = async (userId: string): Promise<string | undefined> =>
      (await findLocalMembership(db, userId, roomId))?.membership;
    expect([await standing(ALICE), await standing(BOB), await standing(CAROL)]).to.deep.equal([
      'join',
      'invite',
      'invite',
    ]);
    expect(await countInconsistentMemberships(db, roomId, SERVER)).to.equal(0);
    sent(await change(house, roomId, 'leave', CAROL));
    expect(await standing(CAROL)).to.equal('leave');
    completed(await world.complete());
    expect([await standing(ALICE), await standing(BOB), await standing(CAROL)]).to.deep.equal([
      'join',
      'leave',
      'leave',
    ]);
    await checkJoinedRoom(house, roomId);
  });

  it('is left by its last local user for all that were named as being there', async () => {
    const world = await open();
    const { house, roomId } = world;
    await world.enter();
    const leave = sent(await change(house, roomId, 'leave', ALICE));
    await house.idle();
    expect(house.rows.at(-1)?.row).to.deep.equal({ kind: 'room', roomId, change: 'left' });
    const queued = house.told.filter(({ message: name }) => name === 'federation.queue-event');
    expect(queued.at(-1)?.input).to.deep.include({
      eventId: leave.eventId,
      furtherHosts: ['fourth.example', OTHER, 'third.example'],
    });
    expect(refused(await world.complete())).to.equal('M_NOT_FOUND');
    expect(await rowsLeft(world)).to.equal(0);
    expect(await readHostsOfRoom(house.database.db, roomId)).to.deep.equal([]);
  });

  it('cannot be purged, and takes no history', async () => {
    const world = await open();
    const { house, roomId } = world;
    const { eventId } = await world.enter();
    expect(
      refused(
        await house.rooms.ask('rooms.purge-history', {
          roomId,
          beforeEventId: eventId,
          deleteLocalEvents: true,
        }),
      ),
    ).to.equal('M_UNKNOWN');
    const history = { roomId, events: [], receivedFrom: OTHER };
    expect(refused(await house.rooms.ask('rooms.receive-history', history))).to.equal('M_UNKNOWN');
  });

  it('stays partial when what comes is not the state before the join', async () => {
    const world = await open({ joinRule: 'invite' });
    const { house, room, roomId } = world;
    room.add(member(DAVE, ALICE, 'invite'));
    await world.enter();
    const join = world.join();
    const whole = [...join.stateBefore.values()].map((id) => room.get(id));
    const without = (type: string, stateKey: string): ReturnType<typeof given>[] =>
      whole.filter(({ pdu }) => pdu.type !== type || pdu.state_key !== stateKey).map(given);
    for (const state of [
      without('m.room.create', ''),
      without('m.room.member', ALICE),
      whole.concat(whole).map(given),
    ])
      expect(refused(await world.complete({ state }))).to.equal('M_BAD_JSON');
    expect(await world.isPartial()).to.equal(true);
    await checkJoinedRoom(house, roomId);
    completed(await world.complete());
    expect(await rowsLeft(world)).to.equal(0);
    expect(refused(await world.complete())).to.equal('M_NOT_FOUND');
  });

  it('is entered once more, partially, after it was left', async () => {
    const world = await open();
    const { house, room, roomId } = world;
    const first = await world.enter();
    sent(await change(house, roomId, 'leave', ALICE));
    const leave = await findCurrentStateEvent(house.database.db, roomId, 'm.room.member', ALICE);
    expect(leave).to.equal(undefined);
    await room.adopt(house, (await findLocalMembership(house.database.db, ALICE, roomId))?.eventId ?? '');
    const again = room.add(member(ALICE, ALICE, 'join'));
    const other = await open({ room, join: again, house });
    await other.enter();
    expect(await findEvent(house.database.db, first.eventId)).to.include({ rejection: null });
    await world.give(room.add(message(ERIN, 'hello again')));
    completed(await other.complete());
    await checkJoinedRoom(house, roomId);
    worlds.pop();
  });
});
