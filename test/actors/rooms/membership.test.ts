import { expect } from 'chai';
import { findEvent } from '../../../db/rooms/event-reader.ts';
import { findLocalMembership, readLocalMemberships } from '../../../db/rooms/membership-reader.ts';
import { findCurrentStateEvent } from '../../../db/rooms/state-reader.ts';
import type { InputOf } from '../../../actors/kit/protocol.ts';
import type { RoomsProtocol } from '../../../actors/rooms/protocol.ts';
import type { Pdu } from '../../../src/matrix/events/pdu.ts';
import {
  ALICE,
  BOB,
  CAROL,
  change,
  makeRoom,
  openRoomsHouse,
  refused,
  REMOTE,
  type RoomsHouse,
  sendState,
  sent,
} from './rooms-house.ts';

type Action = InputOf<RoomsProtocol, 'rooms.change-membership'>['action'];

/** Brings Bob from nothing to a membership, in a room of Alice's whose join rule is `knock`. */
const STEPS_TO: Readonly<Record<string, readonly (readonly [Action, string])[]>> = {
  none: [],
  invite: [['invite', ALICE]],
  join: [
    ['invite', ALICE],
    ['join', BOB],
  ],
  leave: [
    ['invite', ALICE],
    ['join', BOB],
    ['leave', BOB],
  ],
  ban: [['ban', ALICE]],
  knock: [['knock', BOB]],
};

/** What becomes of each action by Bob himself or by Alice (level 100) on Bob: the membership after it, or a refusal. */
const MATRIX: Readonly<Record<string, Readonly<Record<Action, string>>>> = {
  none: { join: 'no', knock: 'knock', leave: 'no', invite: 'invite', kick: 'no', ban: 'ban', unban: 'no' },
  invite: {
    join: 'join',
    knock: 'no',
    leave: 'leave',
    invite: 'invite',
    kick: 'leave',
    ban: 'ban',
    unban: 'no',
  },
  join: { join: 'join', knock: 'no', leave: 'leave', invite: 'no', kick: 'leave', ban: 'ban', unban: 'no' },
  leave: {
    join: 'no',
    knock: 'knock',
    leave: 'leave',
    invite: 'invite',
    kick: 'no',
    ban: 'ban',
    unban: 'no',
  },
  ban: { join: 'no', knock: 'no', leave: 'no', invite: 'no', kick: 'no', ban: 'ban', unban: 'leave' },
  knock: {
    join: 'no',
    knock: 'knock',
    leave: 'leave',
    invite: 'invite',
    kick: 'leave',
    ban: 'ban',
    unban: 'no',
  },
};

const BY_ONESELF: readonly Action[] = ['join', 'leave', 'knock'];

describe('rooms.change-membership', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const membershipIn = async (roomId: string, userId: string): Promise<string | undefined> => {
    const event = await findCurrentStateEvent(house.database.db, roomId, 'm.room.member', userId);
    return event && ((JSON.parse(event.pdu) as Pdu).content['membership'] as string);
  };

  for (const [from, outcomes] of Object.entries(MATRIX)) {
    it(`from ${from}: every action`, async () => {
      for (const [action, expected] of Object.entries(outcomes) as [Action, string][]) {
        const roomId = await makeRoom(house, { joinRule: { join_rule: 'knock' } });
        for (const [step, sender] of STEPS_TO[from] ?? [])
          sent(await change(house, roomId, step, sender, BOB));
        const sender = BY_ONESELF.includes(action) ? BOB : ALICE;
        const reply = await change(house, roomId, action, sender, BOB);
        if (expected === 'no') {
          expect(refused(reply), `${action} from ${from}`).to.equal('M_FORBIDDEN');
        } else {
          const { eventId } = sent(reply);
          expect(await membershipIn(roomId, BOB), `${action} from ${from}`).to.equal(expected);
          const local = await findLocalMembership(house.database.db, BOB, roomId);
          expect(local).to.include({ membership: expected, eventId });
        }
      }
    });
  }

  it('joins once, whoever asks how often', async () => {
    const roomId = await makeRoom(house);
    const content = { displayname: 'Bob', avatar_url: 'mxc://example.com/bob' };
    const [first, second] = await Promise.all([
      change(house, roomId, 'join', BOB, BOB, content),
      change(house, roomId, 'join', BOB, BOB, content),
    ]);
    expect(second).to.deep.equal(first);
    await house.restart();
    expect(await change(house, roomId, 'join', BOB, BOB, content)).to.deep.equal(first);
    const renamed = sent(await change(house, roomId, 'join', BOB, BOB, { displayname: 'Robert' }));
    expect(renamed.eventId).not.to.equal(sent(first).eventId);
    // The join began where it began: only its event is another.
    const local = await findLocalMembership(house.database.db, BOB, roomId);
    expect(local).to.include({ eventId: renamed.eventId, position: sent(first).position });
  });

  it('does not let users act for others', async () => {
    const roomId = await makeRoom(house);
    for (const action of ['join', 'leave', 'knock'] as const)
      expect(refused(await change(house, roomId, action, ALICE, BOB)), action).to.equal('M_FORBIDDEN');
  });

  it('does not let users kick, ban or invite without the level, or from outside', async () => {
    const roomId = await makeRoom(house, { powerLevels: { invite: 50 } });
    sent(await change(house, roomId, 'join', BOB));
    for (const action of ['kick', 'ban'] as const)
      expect(refused(await change(house, roomId, action, BOB, ALICE)), action).to.equal('M_FORBIDDEN');
    expect(refused(await change(house, roomId, 'invite', BOB, CAROL))).to.equal('M_FORBIDDEN');
    expect(refused(await change(house, roomId, 'invite', CAROL, CAROL))).to.equal('M_FORBIDDEN');
  });

  it('says M_NOT_FOUND to who joins or knocks at an unknown room, M_FORBIDDEN to everybody else', async () => {
    const roomId = '!nowhere:example.com';
    expect(refused(await change(house, roomId, 'join', BOB))).to.equal('M_NOT_FOUND');
    expect(refused(await change(house, roomId, 'knock', BOB))).to.equal('M_NOT_FOUND');
    for (const action of ['invite', 'kick', 'ban', 'unban'] as const)
      expect(refused(await change(house, roomId, action, ALICE, BOB))).to.equal('M_FORBIDDEN');
    expect(refused(await change(house, roomId, 'leave', BOB))).to.equal('M_FORBIDDEN');
  });

  it('clears the typing of who leaves or is banned', async () => {
    const roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
    sent(await change(house, roomId, 'leave', BOB));
    sent(await change(house, roomId, 'ban', ALICE, CAROL));
    await house.idle();
    const cleared = house.told.filter(({ message }) => message === 'typing.clear-user');
    expect(cleared.map(({ input }) => input)).to.deep.equal([
      { roomId, userId: BOB },
      { roomId, userId: CAROL },
    ]);
  });

  it('holds member events that come as plain state to the same rules', async () => {
    const roomId = await makeRoom(house);
    const member = (membership: string): Parameters<typeof sendState>[3] => ({
      type: 'm.room.member',
      stateKey: BOB,
      content: { membership, join_authorised_via_users_server: ALICE },
    });
    const { eventId } = sent(await sendState(house, roomId, BOB, member('join')));
    const stored = await findEvent(house.database.db, eventId);
    expect((JSON.parse(stored?.pdu ?? '') as Pdu).content).to.deep.equal({ membership: 'join' });
    expect(refused(await sendState(house, roomId, ALICE, member('invite')))).to.equal('M_FORBIDDEN');
    sent(await sendState(house, roomId, ALICE, member('ban')));
    sent(await sendState(house, roomId, ALICE, member('leave')));
    expect(refused(await sendState(house, roomId, ALICE, member('leave')))).to.equal('M_FORBIDDEN');
    expect(refused(await sendState(house, roomId, ALICE, member('sleep')))).to.equal('M_BAD_JSON');
    expect(await membershipIn(roomId, BOB)).to.equal('leave');
  });

  it('5.6 5.7 keeps rows for local users only, equal to the local members of current state', async () => {
    const roomId = await makeRoom(house);
    const others = [
      '@x:badexample.com',
      '@x:example.com:8448',
      '@x:example.co',
      REMOTE,
      '@under_score:example.com',
    ];
    for (const userId of others) sent(await change(house, roomId, 'invite', ALICE, userId));
    sent(await change(house, roomId, 'join', BOB));
    const local = await readLocalMemberships(house.database.db, roomId);
    expect(local.map(({ userId }) => userId)).to.deep.equal([ALICE, '@under_score:example.com', BOB]);
    for (const { userId, membership } of local)
      expect(await membershipIn(roomId, userId)).to.equal(membership);
  });

  it('5.2 5.4 keeps one row per user and room: ban, unban, rejoin', async () => {
    const roomId = await makeRoom(house);
    sent(await change(house, roomId, 'join', BOB));
    const ban = sent(await change(house, roomId, 'ban', ALICE, BOB, { reason: 'noise' }));
    const row = () => findLocalMembership(house.database.db, BOB, roomId);
    expect(await row()).to.include({ membership: 'ban', eventId: ban.eventId, sender: ALICE });
    sent(await change(house, roomId, 'unban', ALICE, BOB));
    const join = sent(await change(house, roomId, 'join', BOB));
    expect(await row()).to.include({ membership: 'join', eventId: join.eventId, position: join.position });
    expect(await readLocalMemberships(house.database.db, roomId)).to.have.length(2);
  });
});

describe('rooms.change-membership into restricted rooms', () => {
  let house: RoomsHouse;
  beforeEach(async () => {
    house = await openRoomsHouse();
  });
  afterEach(() => house.stop());

  const restrictedTo = (roomId: string, version = '11', rule = 'restricted') => ({
    version,
    joinRule: { join_rule: rule, allow: [{ type: 'm.room_membership', room_id: roomId }] },
  });
  const contentOf = async (eventId: string) =>
    (JSON.parse((await findEvent(house.database.db, eventId))?.pdu ?? '') as Pdu).content;

  it('names a local user who may invite', async () => {
    const lobby = await makeRoom(house);
    for (const [version, rule] of [
      ['8', 'restricted'],
      ['9', 'restricted'],
      ['10', 'knock_restricted'],
      ['12', 'restricted'],
    ] as const) {
      const roomId = await makeRoom(house, restrictedTo(lobby, version, rule));
      expect(refused(await change(house, roomId, 'join', CAROL)), version).to.equal('M_FORBIDDEN');
      sent(await change(house, lobby, 'join', BOB));
      const { eventId } = sent(await change(house, roomId, 'join', BOB));
      expect((await contentOf(eventId))['join_authorised_via_users_server']).to.equal(ALICE);
      const auth = (JSON.parse((await findEvent(house.database.db, eventId))?.pdu ?? '') as Pdu).auth_events;
      const alices = await findCurrentStateEvent(house.database.db, roomId, 'm.room.member', ALICE);
      expect(auth).to.include(alices?.eventId);
    }
  });

  it('needs nobody for who was invited, and takes nobody whom the client names', async () => {
    const lobby = await makeRoom(house);
    const roomId = await makeRoom(house, restrictedTo(lobby));
    const forged = { join_authorised_via_users_server: ALICE };
    expect(refused(await change(house, roomId, 'join', BOB, BOB, forged))).to.equal('M_FORBIDDEN');
    sent(await change(house, roomId, 'invite', ALICE, BOB));
    const { eventId } = sent(await change(house, roomId, 'join', BOB, BOB, forged));
    expect(await contentOf(eventId)).to.deep.equal({ membership: 'join' });
  });

  it('passes over those who may not invite', async () => {
    const lobby = await makeRoom(house);
    sent(await change(house, lobby, 'join', CAROL));
    const users = { [ALICE]: 100, [BOB]: 100 };
    const roomId = await makeRoom(house, { ...restrictedTo(lobby), powerLevels: { users, invite: 50 } });
    sent(await change(house, roomId, 'invite', ALICE, BOB));
    sent(await change(house, roomId, 'join', BOB));
    const lowered = { users: { ...users, [ALICE]: 0 }, invite: 50 };
    sent(await sendState(house, roomId, ALICE, { type: 'm.room.power_levels', content: lowered }));
    const { eventId } = sent(await change(house, roomId, 'join', CAROL));
    expect((await contentOf(eventId))['join_authorised_via_users_server']).to.equal(BOB);
  });

  it('refuses where nobody here may invite', async () => {
    const lobby = await makeRoom(house);
    sent(await change(house, lobby, 'join', BOB));
    const roomId = await makeRoom(house, { ...restrictedTo(lobby), powerLevels: { invite: 101 } });
    expect(refused(await change(house, roomId, 'join', BOB))).to.equal('M_FORBIDDEN');
  });

  it('does not follow who has left the other room', async () => {
    const lobby = await makeRoom(house);
    sent(await change(house, lobby, 'join', BOB));
    sent(await change(house, lobby, 'leave', BOB));
    const roomId = await makeRoom(house, restrictedTo(lobby));
    expect(refused(await change(house, roomId, 'join', BOB))).to.equal('M_FORBIDDEN');
  });
});
