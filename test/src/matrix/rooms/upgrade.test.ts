import { expect } from 'chai';
import type { JsonObject } from '../../../../src/kit/json.ts';
import type { Pdu } from '../../../../src/matrix/events/pdu.ts';
import { ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import { getRoomVersion } from '../../../../src/matrix/rooms/room-versions.ts';
import { toStrictJson } from '../../../../src/matrix/rooms/strict-json.ts';
import {
  predecessorOf,
  type ReplacedRoom,
  type Replacement,
  replacementCreationContent,
  replacementEvents,
  splitCanonicalAlias,
  withoutAlias,
} from '../../../../src/matrix/rooms/upgrade.ts';
import {
  closedPowerLevels,
  upgradedPowerLevels,
} from '../../../../src/matrix/rooms/upgraded-power-levels.ts';

const ALICE = '@alice:example.com';
const BOB = '@bob:example.com';
const CAROL = '@carol:other.example';

function event(type: string, content: JsonObject, stateKey = '', sender = ALICE): Pdu {
  return {
    type,
    sender,
    state_key: stateKey,
    content,
    depth: 1,
    origin_server_ts: 1,
    prev_events: [],
    auth_events: [],
    hashes: {},
    signatures: {},
  };
}

interface Given {
  readonly create?: JsonObject;
  readonly state?: readonly Pdu[];
  readonly spaceChildren?: readonly Pdu[];
  readonly bans?: readonly Pdu[];
  readonly localAliases?: readonly string[];
}

function oldRoom(version: string, given: Given = {}): ReplacedRoom {
  const rules = getRoomVersion(version);
  const creator = rules.creatorInContent ? { creator: ALICE } : {};
  const create = event('m.room.create', { room_version: version, ...creator, ...given.create });
  const find = (type: string, stateKey: string): Pdu | undefined =>
    given.state?.find((one) => one.type === type && one.state_key === stateKey);
  return {
    roomId: '!old:example.com',
    version: rules,
    create,
    powerLevels: find('m.room.power_levels', ''),
    find,
    spaceChildren: given.spaceChildren ?? [],
    bans: given.bans ?? [],
    localAliases: given.localAliases ?? [],
  };
}

const to = (version: string, additionalCreators: readonly string[] = []): Replacement => ({
  version: getRoomVersion(version),
  sender: ALICE,
  additionalCreators,
});

function contentIn(
  events: ReturnType<typeof replacementEvents>,
  type: string,
  stateKey = '',
): JsonObject | undefined {
  return events.find((one) => one.type === type && one.stateKey === stateKey)?.content;
}

describe('toStrictJson', () => {
  it('makes integers and well-formed texts, and leaves the rest', () => {
    const lenient = { a: 1.9, b: -1.9, c: -0, d: 2 ** 60, e: [0.5, 'x\ud800'], 'k\ud800': null, f: true };
    const strict = toStrictJson(lenient);
    expect(JSON.stringify(strict)).to.equal(
      JSON.stringify({
        a: 1,
        b: -1,
        c: 0,
        d: Number.MAX_SAFE_INTEGER,
        e: [0, 'x\ufffd'],
        'k\ufffd': null,
        f: true,
      }),
    );
    expect(Object.is((strict as JsonObject)['c'], 0)).to.equal(true);
  });
});

describe('the create event of a new room', () => {
  it('has type, federation and predecessor of the old one, and nothing else', () => {
    const old = oldRoom('11', {
      create: {
        type: 'm.space',
        'm.federate': false,
        predecessor: { room_id: '!older:example.com' },
        additional_creators: [BOB],
        'org.example': 1,
      },
    });
    expect(replacementCreationContent(old, to('11'), '$last')).to.deep.equal({
      type: 'm.space',
      'm.federate': false,
      predecessor: { room_id: '!old:example.com', event_id: '$last' },
    });
    expect(replacementCreationContent(oldRoom('11'), to('12'), null)).to.deep.equal({
      predecessor: { room_id: '!old:example.com' },
    });
  });

  it('has the additional creators of the request, where there are such, and none of the old room', () => {
    const old = oldRoom('12', { create: { additional_creators: [CAROL] } });
    const asked = [BOB, ALICE, BOB];
    expect(replacementCreationContent(old, to('12', asked), null)['additional_creators']).to.deep.equal([
      BOB,
    ]);
    expect(replacementCreationContent(old, to('12'), null)).not.to.have.property('additional_creators');
    expect(replacementCreationContent(old, to('11', asked), '$x')).not.to.have.property(
      'additional_creators',
    );
  });

  it('names its predecessor, when it is one', () => {
    expect(predecessorOf({ predecessor: { room_id: '!a:b' } })).to.equal('!a:b');
    for (const predecessor of [null, 'x', {}, { room_id: 1 }])
      expect(predecessorOf({ predecessor })).to.equal(undefined);
  });
});

describe('the state of a new room', () => {
  it('begins with the join of who upgrades and ends with the power levels', () => {
    const member = {
      membership: 'join',
      displayname: 'Al',
      avatar_url: 'mxc://a/b',
      reason: 'x',
      join_authorised_via_users_server: BOB,
    };
    const events = replacementEvents(
      oldRoom('11', {
        state: [event('m.room.member', member, ALICE), event('m.room.topic', { topic: 'tea' })],
        bans: [event('m.room.member', { membership: 'ban', reason: 'spam', displayname: 'B' }, BOB)],
      }),
      to('11'),
    );
    expect(events).to.deep.equal([
      {
        type: 'm.room.member',
        stateKey: ALICE,
        content: { membership: 'join', displayname: 'Al', avatar_url: 'mxc://a/b' },
      },
      { type: 'm.room.topic', stateKey: '', content: { topic: 'tea' } },
      { type: 'm.room.member', stateKey: BOB, content: { membership: 'ban', reason: 'spam' } },
      { type: 'm.room.power_levels', stateKey: '', content: { users: { [ALICE]: 100 } } },
    ]);
  });

  it('has no bans of its creators', () => {
    const bans = [BOB, CAROL].map((userId) => event('m.room.member', { membership: 'ban' }, userId));
    const members = replacementEvents(oldRoom('11', { bans }), to('12', [BOB])).filter(
      ({ type }) => type === 'm.room.member',
    );
    expect(members.map(({ stateKey }) => stateKey)).to.deep.equal([ALICE, CAROL]);
  });

  it('has the children of a space that are still in it', () => {
    const spaceChildren = [
      event('m.space.child', { via: ['example.com'], order: 'a' }, '!in:example.com', BOB),
      event('m.space.child', {}, '!out:example.com'),
    ];
    const events = replacementEvents(oldRoom('11', { spaceChildren }), to('11'));
    expect(events.filter(({ type }) => type === 'm.space.child')).to.deep.equal([
      {
        type: 'm.space.child',
        stateKey: '!in:example.com',
        content: { via: ['example.com'], order: 'a' },
      },
    ]);
  });

  it('leaves out what a redaction has emptied, but never the encryption', () => {
    const state = [event('m.room.name', {}), event('m.room.encryption', {})];
    const events = replacementEvents(oldRoom('11', { state }), to('11'));
    expect(contentIn(events, 'm.room.name')).to.equal(undefined);
    expect(contentIn(events, 'm.room.encryption')).to.deep.equal({ algorithm: 'm.megolm.v1.aes-sha2' });
  });

  it('is canonical JSON also when the old room was not', () => {
    const state = [event('m.room.avatar', { url: 'mxc://a/b', info: { w: 10.5 } })];
    const events = replacementEvents(oldRoom('5', { state }), to('6'));
    expect(contentIn(events, 'm.room.avatar')).to.deep.equal({ url: 'mxc://a/b', info: { w: 10 } });
  });
});

describe('the join rules of a new room', () => {
  const allow = [{ type: 'm.room_membership', room_id: '!space:example.com' }];
  const rulesOf = (from: string, rule: JsonObject, into: string): JsonObject | undefined => {
    const old = oldRoom(from, { state: [event('m.room.join_rules', rule)] });
    return contentIn(replacementEvents(old, to(into)), 'm.room.join_rules');
  };

  for (const [from, rule, into, expected] of [
    ['10', 'knock_restricted', '12', 'knock_restricted'],
    ['10', 'knock_restricted', '9', 'restricted'],
    ['10', 'knock_restricted', '7', 'knock'],
    ['10', 'knock_restricted', '6', 'invite'],
    ['9', 'restricted', '10', 'restricted'],
    ['9', 'restricted', '7', 'invite'],
    ['9', 'restricted', '1', 'invite'],
    ['7', 'knock', '6', 'invite'],
    ['7', 'knock', '12', 'knock'],
    // What the old room did not know kept everybody out.
    ['6', 'restricted', '12', 'invite'],
    ['9', 'knock_restricted', '10', 'invite'],
    ['6', 'knock', '7', 'invite'],
    ['11', 'org.example.open', '12', 'invite'],
    ['1', 'invite', '12', 'invite'],
    ['1', 'private', '12', 'private'],
    ['1', 'public', '12', 'public'],
  ] as const)
    it(`${rule} of version ${from} is ${expected} in version ${into}`, () => {
      const isOpen = rule.endsWith('restricted');
      const content = { join_rule: rule, ...(isOpen && { allow }) };
      const keeps = expected.endsWith('restricted');
      expect(rulesOf(from, content, into)).to.deep.equal({ join_rule: expected, ...(keeps && { allow }) });
    });

  it('of no known shape let nobody in', () => {
    for (const content of [{ join_rule: 1 }, { join_rule: null }, { allow }, { join_rule: '__proto__' }])
      expect(rulesOf('11', content, '12')).to.deep.equal({ join_rule: 'invite' });
  });

  it('are public only when they were', () => {
    const rules = ['invite', 'private', 'knock', 'restricted', 'knock_restricted', 'x'];
    for (const from of ROOM_VERSIONS)
      for (const into of ROOM_VERSIONS)
        for (const rule of rules)
          expect(rulesOf(from.id, { join_rule: rule, allow }, into.id)?.['join_rule']).not.to.equal('public');
  });
});

describe('the canonical alias of a new room', () => {
  const split = (content: JsonObject, localAliases: readonly string[]) =>
    splitCanonicalAlias(oldRoom('11', { state: [event('m.room.canonical_alias', content)], localAliases }));

  it('names what moves, and the old one what does not', () => {
    const content = { alias: '#a:x', alt_aliases: ['#b:x', '#c:other', 7], 'org.example': true };
    expect(split(content, ['#a:x', '#b:x', '#d:x'])).to.deep.equal({
      moved: { alias: '#a:x', alt_aliases: ['#b:x'] },
      left: { 'org.example': true, alt_aliases: ['#c:other'] },
    });
  });

  it('is not there when nothing that it names moves', () => {
    expect(split({ alias: '#a:other' }, ['#a:x'])).to.deep.equal({ moved: null, left: null });
    expect(splitCanonicalAlias(oldRoom('11'))).to.deep.equal({ moved: null, left: null });
  });

  it('loses one alias', () => {
    expect(withoutAlias({ alias: '#a:x', alt_aliases: ['#a:x', '#b:x'] }, '#a:x')).to.deep.equal({
      alt_aliases: ['#b:x'],
    });
    expect(withoutAlias({ alias: '#a:x', alt_aliases: ['#b:x'], k: 1 }, '#b:x')).to.deep.equal({
      k: 1,
      alias: '#a:x',
    });
    expect(withoutAlias({ alias: '#a:x' }, '#b:x')).to.equal(null);
    expect(withoutAlias({}, '#b:x')).to.equal(null);
  });
});

describe('the power levels of a new room', () => {
  const levels = (
    from: string,
    content: JsonObject | undefined,
    into: string,
    creators = [ALICE],
    create = {},
  ) =>
    upgradedPowerLevels(
      oldRoom(from, {
        create,
        state: content === undefined ? [] : [event('m.room.power_levels', content)],
      }),
      getRoomVersion(into),
      creators,
    );

  it('are integers, whatever an old room called a level', () => {
    const content = {
      ban: '50',
      kick: 49.9,
      redact: 'no level',
      users_default: ' +1 ',
      users: { [ALICE]: '100', [BOB]: 50.5, [CAROL]: 'x', nobody: 50 },
      events: { 'm.room.name': '50', 'm.room.topic': null },
      notifications: { room: '20' },
      'org.example': 0.5,
    };
    for (const into of ['5', '6', '10', '11'])
      expect(levels('5', content, into)).to.deep.equal({
        ban: 50,
        kick: 49,
        users_default: 1,
        users: { [ALICE]: 100, [BOB]: 50 },
        events: { 'm.room.name': 50 },
        notifications: { room: 20 },
        'org.example': 0,
      });
    // A fraction is no level where JSON is strict.
    expect(levels('9', { ban: '7', users: { [ALICE]: '100' } }, '10')).to.deep.equal({
      ban: 7,
      users: { [ALICE]: 100 },
    });
  });

  it('that are larger than any number that can be sent are as large as can be', () => {
    const huge = '9'.repeat(20);
    expect(levels('1', { users: { [ALICE]: huge } }, '12', [BOB])).to.deep.equal({
      users: { [ALICE]: Number.MAX_SAFE_INTEGER },
    });
  });

  it('do not list the creators of version 12', () => {
    const content = { users: { [ALICE]: 100, [BOB]: 100, [CAROL]: 50 }, ban: 50 };
    expect(levels('11', content, '12', [ALICE, BOB])).to.deep.equal({ users: { [CAROL]: 50 }, ban: 50 });
  });

  it('list former creators above everybody', () => {
    const content = { users: { [CAROL]: 70 }, events: { 'm.room.tombstone': 150 } };
    const create = { additional_creators: [BOB] };
    expect(levels('12', content, '11', [ALICE], create)['users']).to.deep.equal({
      [ALICE]: 150,
      [BOB]: 150,
      [CAROL]: 70,
    });
    expect(levels('12', { users: { [CAROL]: 200 } }, '11')['users']).to.deep.equal({
      [ALICE]: 200,
      [CAROL]: 200,
    });
    expect(levels('12', {}, '11')['users']).to.deep.equal({ [ALICE]: 100 });
    expect(levels('12', content, '12', [ALICE], create)['users']).to.deep.equal({ [CAROL]: 70, [BOB]: 100 });
    expect(levels('12', content, '12', [ALICE, BOB], create)['users']).to.deep.equal({ [CAROL]: 70 });
  });

  it('are written down where an old room had none', () => {
    expect(levels('11', undefined, '11')).to.deep.equal({ users: { [ALICE]: 100 } });
    expect(levels('11', undefined, '12', [BOB])).to.deep.equal({ users: { [ALICE]: 100 } });
    expect(levels('12', undefined, '12')).to.deep.equal({ users: {} });
  });
});

describe('the power levels of a room that was replaced', () => {
  const closed = (version: string, content?: JsonObject) =>
    closedPowerLevels(
      oldRoom(version, { state: content === undefined ? [] : [event('m.room.power_levels', content)] }),
    );

  it('take speaking and inviting from ordinary users', () => {
    expect(closed('11', { users: { [ALICE]: 100 }, invite: 10, ban: 7 })).to.deep.equal({
      users: { [ALICE]: 100 },
      ban: 7,
      events_default: 50,
      invite: 50,
    });
    expect(closed('11', { users_default: 60 })).to.deep.equal({
      users_default: 60,
      events_default: 61,
      invite: 61,
    });
    expect(closed('11')).to.deep.equal({ users: { [ALICE]: 100 }, events_default: 50, invite: 50 });
    expect(closed('12')).to.deep.equal({ events_default: 50, invite: 50 });
  });

  it('are never lower than before', () => {
    expect(closed('11', { events_default: 80, invite: 0 })).to.deep.equal({ events_default: 80, invite: 50 });
    expect(closed('9', { events_default: '50', invite: '99' })).to.equal(null);
  });
});
