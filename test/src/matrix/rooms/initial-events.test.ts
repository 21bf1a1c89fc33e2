import { expect } from 'chai';
import type { JsonObject } from '../../../../src/kit/json.ts';
import { isRefusal } from '../../../../src/matrix/refusal.ts';
import { authEventKeys } from '../../../../src/matrix/rooms/auth-events.ts';
import { authorise } from '../../../../src/matrix/rooms/auth-rules.ts';
import { initialEvents } from '../../../../src/matrix/rooms/initial-events.ts';
import type { CreateRoomRequest, InitialEvents } from '../../../../src/matrix/rooms/initial-events.ts';
import { DEFAULT_ROOM_VERSION, ROOM_VERSIONS } from '../../../../src/matrix/rooms/room-versions.ts';
import type { BuiltEvent } from '../../../../src/matrix/events/build-event.ts';
import { build } from './auth-room.ts';

const CREATOR = { userId: '@alice:a', displayname: 'Alice', avatarUrl: null, serverName: 'a' };

function plan(request: CreateRoomRequest): InitialEvents {
  const planned = initialEvents(request, CREATOR, DEFAULT_ROOM_VERSION);
  if (isRefusal(planned)) throw new Error(planned.error);
  return planned;
}

function refusal(request: CreateRoomRequest): string {
  const planned = initialEvents(request, CREATOR, DEFAULT_ROOM_VERSION);
  return isRefusal(planned) ? planned.errcode : 'none';
}

function content(planned: InitialEvents, type: string, stateKey = ''): JsonObject | undefined {
  return planned.events.findLast((event) => event.type === type && event.stateKey === stateKey)?.content;
}

const LARGE: CreateRoomRequest = {
  preset: 'trusted_private_chat',
  room_alias_name: 'somewhere',
  name: 'Name',
  topic: 'Topic',
  invite: ['@bob:a', '@carol:a', '@bob:a'],
  is_direct: true,
  initial_state: [
    { type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
    { type: 'm.room.guest_access', state_key: '', content: { guest_access: 'forbidden' } },
    { type: 'm.room.name', content: { name: 'Other' } },
    { type: 'x.custom', state_key: 'key', content: {} },
  ],
};

describe('initial events', () => {
  it('come in the order of the specification', () => {
    const planned = plan(LARGE);
    expect(
      planned.events.map(({ type, stateKey }) => (stateKey === '' ? type : `${type} ${stateKey}`)),
    ).to.deep.equal([
      'm.room.member @alice:a',
      'm.room.power_levels',
      'm.room.canonical_alias',
      'm.room.join_rules',
      'm.room.history_visibility',
      'm.room.encryption',
      'm.room.guest_access',
      'x.custom key',
      'm.room.name',
      'm.room.topic',
      'm.room.member @bob:a',
      'm.room.member @carol:a',
    ]);
    expect(planned.alias).to.equal('#somewhere:a');
    expect(planned.isPublic).to.equal(false);
    expect(content(planned, 'm.room.canonical_alias')).to.deep.equal({ alias: '#somewhere:a' });
    expect(content(planned, 'm.room.name')).to.deep.equal({ name: 'Name' });
    expect(content(planned, 'm.room.topic')).to.deep.equal({
      topic: 'Topic',
      'm.topic': { 'm.text': [{ mimetype: 'text/plain', body: 'Topic' }] },
    });
    expect(content(planned, 'm.room.member', '@alice:a')).to.deep.equal({
      membership: 'join',
      displayname: 'Alice',
    });
    expect(content(planned, 'm.room.member', '@bob:a')).to.deep.equal({
      membership: 'invite',
      is_direct: true,
    });
  });

  for (const { id } of ROOM_VERSIONS) {
    it(`are all allowed by the rules of room version ${id}, one after the other`, () => {
      for (const preset of ['private_chat', 'public_chat', 'trusted_private_chat'] as const) {
        expect(authoriseAll(plan({ ...LARGE, preset, room_version: id }))).to.deep.equal([]);
      }
    });
  }

  const presets = [
    { preset: 'private_chat', joinRule: 'invite', guests: 'can_join', invite: 0 },
    { preset: 'trusted_private_chat', joinRule: 'invite', guests: 'can_join', invite: 0 },
    { preset: 'public_chat', joinRule: 'public', guests: 'forbidden', invite: 50 },
  ] as const;
  for (const { preset, joinRule, guests, invite } of presets) {
    it(`of the preset ${preset}`, () => {
      const planned = plan({ preset });
      expect(content(planned, 'm.room.join_rules')).to.deep.equal({ join_rule: joinRule });
      expect(content(planned, 'm.room.guest_access')).to.deep.equal({ guest_access: guests });
      expect(content(planned, 'm.room.history_visibility')).to.deep.equal({ history_visibility: 'shared' });
      expect(content(planned, 'm.room.power_levels')).to.include({
        invite,
        state_default: 50,
        events_default: 0,
      });
      expect(content(planned, 'm.room.encryption')).to.equal(undefined);
    });
  }

  it('take the preset from the visibility', () => {
    expect(content(plan({}), 'm.room.join_rules')).to.deep.equal({ join_rule: 'invite' });
    const listed = plan({ visibility: 'public' });
    expect(listed.isPublic).to.equal(true);
    expect(content(listed, 'm.room.join_rules')).to.deep.equal({ join_rule: 'public' });
    const hidden = plan({ visibility: 'private', preset: 'public_chat' });
    expect(hidden.isPublic).to.equal(false);
    expect(content(hidden, 'm.room.join_rules')).to.deep.equal({ join_rule: 'public' });
  });

  it('let the server decide about room_version and creator', () => {
    const asked = { room_version: '1', creator: '@evil:e', 'm.federate': false };
    const planned = plan({ creation_content: asked });
    expect(planned.creationContent).to.deep.equal({ room_version: '12', 'm.federate': false });
    expect(planned.version.id).to.equal('12');
    const old = plan({ creation_content: asked, room_version: '10' });
    expect(old.creationContent).to.deep.equal({
      room_version: '10',
      creator: '@alice:a',
      'm.federate': false,
    });
  });

  it('trust invited users as the room version can', () => {
    const request = { ...LARGE, creation_content: { additional_creators: ['@dave:d', '@bob:a'] } };
    const recent = plan(request);
    expect(recent.creationContent['additional_creators']).to.deep.equal(['@dave:d', '@bob:a', '@carol:a']);
    expect(content(recent, 'm.room.power_levels')?.['users']).to.deep.equal({});
    const old = plan({ ...LARGE, room_version: '11' });
    expect(old.creationContent).not.to.have.property('additional_creators');
    expect(content(old, 'm.room.power_levels')?.['users']).to.deep.equal({
      '@alice:a': 100,
      '@bob:a': 100,
      '@carol:a': 100,
    });
    const ordinary = plan({ ...LARGE, preset: 'private_chat' });
    expect(ordinary.creationContent).not.to.have.property('additional_creators');
  });

  it('do not name the creator as an additional one', () => {
    const creation = { additional_creators: ['@alice:a', '@dave:d'] };
    expect(plan({ creation_content: creation }).creationContent['additional_creators']).to.deep.equal([
      '@dave:d',
    ]);
    const alone = plan({ creation_content: { additional_creators: ['@alice:a'] } });
    expect(alone.creationContent).not.to.have.property('additional_creators');
  });

  it('keep tombstones for the creator from room version 12 on', () => {
    const levels = (id: string): unknown =>
      content(plan({ room_version: id }), 'm.room.power_levels')?.['events'];
    expect(levels('12')).to.include({ 'm.room.tombstone': 150 });
    expect(levels('11')).to.include({ 'm.room.tombstone': 100 });
  });

  it('lay the override over the levels', () => {
    const planned = plan({ power_level_content_override: { invite: 20, events: { x: 1 } } });
    expect(content(planned, 'm.room.power_levels')).to.deep.include({
      invite: 20,
      events: { x: 1 },
      ban: 50,
    });
  });

  it('take the levels of initial_state instead, before all that they decide', () => {
    const levels = { users: { '@bob:a': 5 }, state_default: 1 };
    const planned = plan({ initial_state: [{ type: 'm.room.power_levels', content: levels }] });
    expect(planned.events.filter(({ type }) => type === 'm.room.power_levels')).to.have.lengthOf(1);
    expect(planned.events[1]).to.deep.equal({ type: 'm.room.power_levels', stateKey: '', content: levels });
  });

  it('leave invites of users of other servers for later, when the room is there', () => {
    const planned = plan({ invite: ['@bob:b', '@carol:a'], is_direct: true });
    const invited = { type: 'm.room.member', content: { membership: 'invite', is_direct: true } };
    expect(planned.events.at(-1)).to.deep.equal({ ...invited, stateKey: '@carol:a' });
    expect(planned.remoteInvites).to.deep.equal([{ ...invited, stateKey: '@bob:b' }]);
  });

  it('show the profiles of invited users that are known', () => {
    const profiles = new Map([['@bob:a', { displayname: 'Bob', avatarUrl: 'mxc://a/x' }]]);
    const planned = initialEvents(
      { invite: ['@bob:a', '@carol:a'] },
      { ...CREATOR, profileOf: (userId) => profiles.get(userId) },
      '12',
    );
    if (isRefusal(planned)) throw new Error(planned.error);
    expect(content(planned, 'm.room.member', '@bob:a')).to.deep.equal({
      membership: 'invite',
      displayname: 'Bob',
      avatar_url: 'mxc://a/x',
    });
    expect(content(planned, 'm.room.member', '@carol:a')).to.deep.equal({ membership: 'invite' });
  });

  const refusals: readonly (readonly [string, CreateRoomRequest, string])[] = [
    ['an unknown room version', { room_version: '99' }, 'M_UNSUPPORTED_ROOM_VERSION'],
    ['an invitee that is no user', { invite: ['bob'] }, 'M_INVALID_PARAM'],
    ['a third-party invite', { invite_3pid: [{}] }, 'M_THREEPID_DENIED'],
    ['an alias with a colon', { room_alias_name: 'a:b' }, 'M_INVALID_PARAM'],
    ['an empty alias', { room_alias_name: '' }, 'M_INVALID_PARAM'],
    [
      'a second create event',
      { initial_state: [{ type: 'm.room.create', content: {} }] },
      'M_INVALID_ROOM_STATE',
    ],
    [
      'additional creators that are no list',
      { creation_content: { additional_creators: 'x' } },
      'M_BAD_JSON',
    ],
    [
      'additional creators that are no users',
      { creation_content: { additional_creators: ['x'] } },
      'M_BAD_JSON',
    ],
    [
      'a level for the creator',
      { power_level_content_override: { users: { '@alice:a': 100 } } },
      'M_INVALID_ROOM_STATE',
    ],
    [
      'a level for a trusted user',
      { ...LARGE, power_level_content_override: { users: { '@bob:a': 100 } } },
      'M_INVALID_ROOM_STATE',
    ],
    ['a level as text', { power_level_content_override: { ban: '50' } }, 'M_INVALID_ROOM_STATE'],
    [
      'levels of the state that list the creator',
      { initial_state: [{ type: 'm.room.power_levels', content: { users: { '@alice:a': 1 } } }] },
      'M_INVALID_ROOM_STATE',
    ],
  ];
  for (const [name, request, errcode] of refusals) {
    it(`are refused for ${name}`, () => expect(refusal(request)).to.equal(errcode));
  }

  it('are not refused for what concerns room version 12 only', () => {
    const levels = { users: { '@alice:a': 100 }, ban: '50' };
    expect(refusal({ room_version: '9', power_level_content_override: levels })).to.equal('none');
    expect(refusal({ room_version: '11', creation_content: { additional_creators: 'x' } })).to.equal('none');
    expect(refusal({ invite_3pid: [] })).to.equal('none');
  });
});

/** Builds the room for real; the types of the events that are not allowed. */
function authoriseAll(planned: InitialEvents): readonly string[] {
  const { version } = planned;
  const create = build({
    version,
    roomId: version.roomIdFormat === 'create-event' ? null : '!room:a',
    sender: CREATOR.userId,
    type: 'm.room.create',
    stateKey: '',
    content: planned.creationContent,
    prevEvents: [],
    authEvents: [],
    depth: 1,
    originServerTs: 1,
  });
  const state = new Map<string, BuiltEvent>([['m.room.create|', create]]);
  const view = { find: (type: string, stateKey: string) => state.get(`${type}|${stateKey}`)?.pdu };
  const refused: string[] = [];
  let last = create;
  for (const { type, stateKey, content: body } of planned.events) {
    const keys = authEventKeys(version, { type, sender: CREATOR.userId, state_key: stateKey, content: body });
    const authEvents = keys.flatMap((key) => state.get(`${key.type}|${key.stateKey}`) ?? []);
    const event = build({
      version,
      roomId: create.roomId,
      sender: CREATOR.userId,
      type,
      stateKey,
      content: body,
      prevEvents: [last],
      authEvents,
      depth: 2,
      originServerTs: 2,
    });
    const decision = authorise(version, { roomId: create.roomId, pdu: event.pdu }, view);
    if (!decision.allowed) refused.push(`${type}: ${decision.rule} ${decision.reason}`);
    state.set(`${type}|${stateKey}`, event);
    last = event;
  }
  return refused;
}
