import { expect } from 'chai';
import type { ProtoPdu } from '../../../../src/matrix/events/pdu.ts';
import { authEventKeys, checkAuthEvents } from '../../../../src/matrix/rooms/auth-events.ts';
import type { AuthEvent } from '../../../../src/matrix/rooms/auth-events.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { makeRoom } from './auth-room.ts';

function keysOf(id: string, event: Parameters<typeof authEventKeys>[1]): readonly string[] {
  return authEventKeys(getRoomVersion(id), event).map(({ type, stateKey }) => `${type}|${stateKey}`);
}

const LEVELS = 'm.room.power_levels|';
const CREATE = 'm.room.create|';
const RULES = 'm.room.join_rules|';
const SENDER = 'm.room.member|@a:b';
const TARGET = 'm.room.member|@c:d';

describe('selection of auth events', () => {
  const message = { type: 'm.room.message', sender: '@a:b', content: {} };
  const member = (
    content: ProtoPdu['content'],
    target = '@c:d',
  ): typeof message & { readonly state_key: string } => ({
    type: 'm.room.member',
    sender: '@a:b',
    state_key: target,
    content,
  });

  it('of a create event is empty', () => {
    expect(keysOf('1', { ...message, type: 'm.room.create' })).to.deep.equal([]);
  });

  it('of a message has the create event but in room version 12', () => {
    expect(keysOf('11', message)).to.have.members([CREATE, LEVELS, SENDER]);
    expect(keysOf('12', message)).to.have.members([LEVELS, SENDER]);
  });

  it('of a membership has the target and, for who comes in, the join rules', () => {
    expect(keysOf('12', member({ membership: 'ban' }))).to.have.members([LEVELS, SENDER, TARGET]);
    expect(keysOf('12', member({ membership: 'leave' }, '@a:b'))).to.have.members([LEVELS, SENDER]);
    for (const membership of ['join', 'invite', 'knock']) {
      expect(keysOf('12', member({ membership }))).to.have.members([LEVELS, SENDER, TARGET, RULES]);
    }
  });

  it('of an invite by third party has its token', () => {
    const content = { membership: 'invite', third_party_invite: { signed: { token: 't' } } };
    expect(keysOf('12', member(content))).to.include('m.room.third_party_invite|t');
    expect(keysOf('12', member({ ...content, membership: 'join' }))).not.to.include(
      'm.room.third_party_invite|t',
    );
  });

  it('of a restricted join has who authorised it, once', () => {
    const content = { membership: 'join', join_authorised_via_users_server: '@e:f' };
    expect(keysOf('7', member(content, '@a:b'))).not.to.include('m.room.member|@e:f');
    expect(keysOf('8', member(content, '@a:b'))).to.include('m.room.member|@e:f');
    const own = { ...content, join_authorised_via_users_server: '@a:b' };
    expect(keysOf('8', member(own, '@a:b'))).to.have.members([CREATE, LEVELS, SENDER, RULES]);
  });
});

describe('check of auth events', () => {
  function check(id: string, change: (events: AuthEvent[]) => void, type = 'm.room.message'): string {
    const room = makeRoom(id);
    const pdu = room.event({ type, ...(type === 'm.room.message' ? {} : { stateKey: '' }) });
    const events = authEventKeys(room.version, pdu).map((key): AuthEvent => {
      const found = room.state.find(key.type, key.stateKey);
      if (found === undefined) throw new Error(`no ${key.type}`);
      return { roomId: room.create.roomId, pdu: found, isRejected: false };
    });
    change(events);
    const decision = checkAuthEvents(room.version, { roomId: room.create.roomId, pdu }, events);
    return decision.allowed ? 'ok' : decision.rule;
  }
  const first = (events: readonly AuthEvent[]): AuthEvent => events[0] as AuthEvent;

  for (const [id, rule] of [
    ['1', '2'],
    ['11', '2'],
    ['12', '3'],
  ] as const) {
    it(`version ${id}: what is selected is right`, () => expect(check(id, () => undefined)).to.equal('ok'));
    it(`version ${id}: a double one: ${rule}.1`, () => {
      expect(check(id, (events) => void events.push(first(events)))).to.equal(`${rule}.1`);
    });
    it(`version ${id}: one that is not needed: ${rule}.2`, () => {
      const name = { ...makeRoom(id).create.pdu, type: 'm.room.name', state_key: '' };
      const extra = { roomId: 'x', pdu: name, isRejected: false };
      expect(check(id, (events) => void events.push(extra))).to.equal(`${rule}.2`);
    });
    it(`version ${id}: a rejected one: ${rule}.3`, () => {
      expect(
        check(id, (events) => void events.splice(0, 1, { ...first(events), isRejected: true })),
      ).to.equal(`${rule}.3`);
    });
    it(`version ${id}: one of another room`, () => {
      const expected = id === '12' ? '3.4' : '2.5';
      expect(check(id, (events) => void events.splice(0, 1, { ...first(events), roomId: '!y:a' }))).to.equal(
        expected,
      );
    });
  }

  it('version 11: without the create event: 2.4', () => {
    expect(check('11', (events) => void events.shift())).to.equal('2.4');
  });

  it('version 12: with the create event: 3.2', () => {
    const room = makeRoom('12');
    const create = { roomId: room.create.roomId, pdu: room.create.pdu, isRejected: false };
    expect(check('12', (events) => void events.push(create))).to.equal('3.2');
  });

  it('a message is no auth event', () => {
    const room = makeRoom('11');
    const message = {
      roomId: room.create.roomId,
      pdu: { ...room.event({ type: 'm.room.power_levels' }) },
      isRejected: false,
    };
    expect(check('11', (events) => void events.splice(1, 1, message))).to.equal('2.2');
  });
});
