import { expect } from 'chai';
import { everywhere, makeRoom, memberRule } from './auth-room.ts';
import type { AuthCase, Question } from './auth-room.ts';

function change(membership: string, sender: string, target = sender, content = {}): Question {
  return { type: 'm.room.member', sender, stateKey: target, content: { membership, ...content } };
}

const via = (userId: unknown): { readonly join_authorised_via_users_server: string } => ({
  join_authorised_via_users_server: userId as string,
});

const JOINS: readonly AuthCase[] = [
  {
    name: 'no membership',
    ask: { type: 'm.room.member', sender: '@user:b', stateKey: '@user:b' },
    expected: memberRule('1', '1'),
  },
  {
    name: 'no state key',
    ask: { type: 'm.room.member', content: { membership: 'join' } },
    expected: memberRule('1', '1'),
  },
  {
    name: 'the first join of the creator',
    room: { state: [{ type: 'm.room.member', stateKey: '@alice:a', sender: '@alice:a', content: {} }] },
    ask: { ...change('join', '@alice:a'), isSecond: true },
    expected: everywhere('ok'),
  },
  {
    name: 'a later join of the creator without an invite',
    room: { state: [{ type: 'm.room.member', stateKey: '@alice:a', sender: '@alice:a', content: {} }] },
    ask: change('join', '@alice:a'),
    expected: memberRule('2.6', '3.7'),
  },
  {
    name: 'the first join of another',
    ask: { ...change('join', '@nobody:c'), isSecond: true },
    expected: memberRule('2.6', '3.7'),
  },
  {
    name: 'the first join of an additional creator',
    room: { creationContent: { additional_creators: ['@nobody:c'] } },
    ask: { ...change('join', '@nobody:c'), isSecond: true },
    expected: { '12': '5.3.7' },
  },
  {
    name: 'a join for another',
    ask: change('join', '@user:b', '@nobody:c'),
    expected: memberRule('2.2', '3.2'),
  },
  {
    name: 'a join of who is banned from a public room',
    room: { joinRule: 'public' },
    ask: change('join', '@banned:b'),
    expected: memberRule('2.3', '3.3'),
  },
  {
    name: 'a join to a public room',
    room: { joinRule: 'public' },
    ask: change('join', '@nobody:c'),
    expected: everywhere('ok'),
  },
  { name: 'a join of who is invited', ask: change('join', '@invited:b'), expected: everywhere('ok') },
  { name: 'a join of who has joined', ask: change('join', '@user:b'), expected: everywhere('ok') },
  { name: 'a join of who has left', ask: change('join', '@gone:b'), expected: memberRule('2.6', '3.7') },
  {
    name: 'a join of who has knocked',
    room: { joinRule: 'knock' },
    ask: change('join', '@knocker:b'),
    expected: memberRule('2.6', '3.7'),
  },
  {
    name: 'a join of who is invited, by knock rules',
    room: { joinRule: 'knock' },
    ask: change('join', '@invited:b'),
    expected: { '1': '5.2.6', '6': '4.2.6', '7': 'ok', '10': 'ok', '12': 'ok' },
  },
  {
    name: 'a join of who is invited, by an unknown rule',
    room: { joinRule: 'private' },
    ask: change('join', '@invited:b'),
    expected: memberRule('2.6', '3.7'),
  },
  {
    name: 'a restricted join of who is invited',
    room: { joinRule: 'restricted' },
    ask: change('join', '@invited:b'),
    expected: { '7': '4.2.6', '8': 'ok', '11': 'ok', '12': 'ok' },
  },
  {
    name: 'a restricted join that nobody authorised',
    room: { joinRule: 'restricted' },
    ask: change('join', '@nobody:c'),
    expected: { '7': '4.2.6', '8': '4.3.5.2', '11': '4.3.5.2', '12': '5.3.5.2' },
  },
  {
    name: 'a restricted join that a member authorised',
    room: { joinRule: 'restricted' },
    ask: change('join', '@nobody:c', '@nobody:c', via('@user:b')),
    expected: { '7': '4.2.6', '8': 'ok', '9': 'ok', '12': 'ok' },
  },
  {
    name: 'a restricted join that a member authorised who may not invite',
    room: { joinRule: 'restricted', levels: { invite: 50 } },
    ask: change('join', '@nobody:c', '@nobody:c', via('@user:b')),
    expected: { '8': '4.3.5.2', '12': '5.3.5.2' },
  },
  {
    name: 'a restricted join that someone outside authorised',
    room: { joinRule: 'restricted' },
    ask: change('join', '@nobody:c', '@nobody:c', via('@gone:b')),
    expected: { '8': '4.3.5.2', '12': '5.3.5.2' },
  },
  {
    name: 'a restricted join that something authorised',
    room: { joinRule: 'restricted' },
    ask: change('join', '@nobody:c', '@nobody:c', via(5)),
    expected: { '8': '4.2.1', '12': '5.2.1' },
  },
  {
    name: 'a public join that something authorised',
    room: { joinRule: 'public' },
    ask: change('join', '@nobody:c', '@nobody:c', via('nobody')),
    expected: { '7': 'ok', '8': '4.2.1', '12': '5.2.1' },
  },
  {
    name: 'a knock_restricted join that a member authorised',
    room: { joinRule: 'knock_restricted' },
    ask: change('join', '@nobody:c', '@nobody:c', via('@user:b')),
    expected: { '7': '4.2.6', '9': '4.3.7', '10': 'ok', '12': 'ok' },
  },
  {
    name: 'a knock_restricted join that nobody authorised',
    room: { joinRule: 'knock_restricted' },
    ask: change('join', '@nobody:c'),
    expected: { '9': '4.3.7', '10': '4.3.5.2', '12': '5.3.5.2' },
  },
];

const INVITES: readonly AuthCase[] = [
  { name: 'an invite', ask: change('invite', '@user:b', '@nobody:c'), expected: everywhere('ok') },
  {
    name: 'an invite by someone outside',
    ask: change('invite', '@gone:b', '@nobody:c'),
    expected: memberRule('3.2', '4.2'),
  },
  {
    name: 'an invite of a member',
    ask: change('invite', '@user:b', '@mod:a'),
    expected: memberRule('3.3', '4.3'),
  },
  {
    name: 'an invite of who is banned',
    ask: change('invite', '@alice:a', '@banned:b'),
    expected: memberRule('3.3', '4.3'),
  },
  {
    name: 'an invite of who has knocked',
    ask: change('invite', '@user:b', '@knocker:b'),
    expected: everywhere('ok'),
  },
  {
    name: 'an invite below the invite level',
    room: { levels: { invite: 50 } },
    ask: change('invite', '@user:b', '@nobody:c'),
    expected: memberRule('3.5', '4.5'),
  },
];

const LEAVES: readonly AuthCase[] = [
  { name: 'leaving', ask: change('leave', '@user:b'), expected: everywhere('ok') },
  { name: 'declining an invite', ask: change('leave', '@invited:b'), expected: everywhere('ok') },
  {
    name: 'taking a knock back',
    ask: change('leave', '@knocker:b'),
    expected: { '1': '5.4.1', '6': '4.4.1', '7': 'ok', '8': 'ok', '12': 'ok' },
  },
  { name: 'leaving twice', ask: change('leave', '@gone:b'), expected: memberRule('4.1', '5.1') },
  { name: 'lifting the own ban', ask: change('leave', '@banned:b'), expected: memberRule('4.1', '5.1') },
  { name: 'a kick', ask: change('leave', '@mod:a', '@user:b'), expected: everywhere('ok') },
  {
    name: 'a kick by someone outside',
    ask: change('leave', '@gone:b', '@user:b'),
    expected: memberRule('4.2', '5.2'),
  },
  {
    name: 'a kick below the kick level',
    ask: change('leave', '@user:b', '@invited:b'),
    expected: memberRule('4.5', '5.5'),
  },
  {
    name: 'a kick of an equal',
    room: { levels: { users: { '@mod:a': 50, '@user:b': 50 } } },
    ask: change('leave', '@mod:a', '@user:b'),
    expected: memberRule('4.5', '5.5'),
  },
  { name: 'an unban', ask: change('leave', '@mod:a', '@banned:b'), expected: everywhere('ok') },
  {
    name: 'an unban below the ban level',
    room: { levels: { ban: 60 } },
    ask: change('leave', '@mod:a', '@banned:b'),
    expected: memberRule('4.3', '5.3'),
  },
  {
    name: 'an unban below the kick level',
    room: { levels: { kick: 60 } },
    ask: change('leave', '@mod:a', '@banned:b'),
    expected: memberRule('4.5', '5.5'),
  },
  {
    name: 'a kick of the creator',
    ask: change('leave', '@mod:a', '@alice:a'),
    expected: memberRule('4.5', '5.5'),
  },
  {
    name: 'a kick of a creator by a creator',
    room: { creationContent: { additional_creators: ['@user:b'] } },
    ask: change('leave', '@alice:a', '@user:b'),
    expected: { '11': 'ok', '12': '5.5.5' },
  },
];

const BANS_AND_KNOCKS: readonly AuthCase[] = [
  { name: 'a ban', ask: change('ban', '@mod:a', '@user:b'), expected: everywhere('ok') },
  {
    name: 'a ban of who was never there',
    ask: change('ban', '@mod:a', '@nobody:c'),
    expected: everywhere('ok'),
  },
  {
    name: 'a ban by someone outside',
    ask: change('ban', '@gone:b', '@user:b'),
    expected: memberRule('5.1', '6.1'),
  },
  {
    name: 'a ban below the ban level',
    ask: change('ban', '@user:b', '@nobody:c'),
    expected: memberRule('5.3', '6.3'),
  },
  {
    name: 'a ban of someone above',
    ask: change('ban', '@mod:a', '@alice:a'),
    expected: memberRule('5.3', '6.3'),
  },
  {
    name: 'a ban of a creator by a creator',
    room: { creationContent: { additional_creators: ['@user:b'] } },
    ask: change('ban', '@user:b', '@alice:a'),
    expected: { '12': '5.6.3' },
  },
  {
    name: 'a knock',
    room: { joinRule: 'knock' },
    ask: change('knock', '@nobody:c'),
    expected: { '1': '5.6', '6': '4.6', '7': 'ok', '8': 'ok', '10': 'ok', '12': 'ok' },
  },
  {
    name: 'a second knock',
    room: { joinRule: 'knock' },
    ask: change('knock', '@knocker:b'),
    expected: { '7': 'ok', '12': 'ok' },
  },
  {
    name: 'a knock where the rule is invite',
    ask: change('knock', '@nobody:c'),
    expected: { '7': '4.6.1', '8': '4.7.1', '12': '5.7.1' },
  },
  {
    name: 'a knock where the rule is knock_restricted',
    room: { joinRule: 'knock_restricted' },
    ask: change('knock', '@nobody:c'),
    expected: { '7': '4.6.1', '9': '4.7.1', '10': 'ok', '12': 'ok' },
  },
  {
    name: 'a knock for another',
    room: { joinRule: 'knock' },
    ask: change('knock', '@user:b', '@nobody:c'),
    expected: { '7': '4.6.2', '8': '4.7.2', '12': '5.7.2' },
  },
  ...['@banned:b', '@invited:b', '@user:b'].map((userId) => ({
    name: `a knock of ${userId}`,
    room: { joinRule: 'knock' },
    ask: change('knock', userId),
    expected: { '7': '4.6.4', '8': '4.7.4', '12': '5.7.4' },
  })),
  {
    name: 'an unknown membership',
    ask: change('dance', '@user:b'),
    expected: { '1': '5.6', '6': '4.6', '7': '4.7', '8': '4.8', '11': '4.8', '12': '5.8' },
  },
];

describe('authorisation rules of membership', () => {
  for (const { name, room, ask, expected } of [...JOINS, ...INVITES, ...LEAVES, ...BANS_AND_KNOCKS]) {
    for (const [id, rule] of Object.entries(expected)) {
      it(`version ${id}: ${name}: ${rule}`, () => {
        expect(makeRoom(id, room).ask(ask)).to.equal(rule);
      });
    }
  }
});
