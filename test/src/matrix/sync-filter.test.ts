import { expect } from 'chai';
import type { JsonObject } from '../../../src/kit/json.ts';
import { isRefusal } from '../../../src/matrix/refusal.ts';
import {
  emptySyncFilter,
  parseRoomEventFilter,
  parseSyncFilter,
} from '../../../src/matrix/sync-filter-parse.ts';
import {
  FILTER_LIMIT_MAX,
  matchesEvent,
  matchesNothing,
  matchesRoom,
  matchesRoomEvent,
  matchesType,
  selectEventFields,
  timelineLimit,
  TIMELINE_LIMIT_DEFAULT,
} from '../../../src/matrix/sync-filter.ts';
import type { RoomEventFilter, SyncFilter } from '../../../src/matrix/sync-filter.ts';
import { readVectors } from './vectors/read-vectors.ts';

const vectors = readVectors('sync-filters') as {
  readonly published_example: JsonObject;
  readonly semantics: readonly {
    readonly filter: JsonObject;
    readonly include: readonly string[];
    readonly exclude: readonly string[];
  }[];
};

function parse(json: JsonObject): SyncFilter {
  const filter = parseSyncFilter(json);
  if (isRefusal(filter)) throw new Error(filter.error);
  return filter;
}

function parseRoomEvents(json: JsonObject): RoomEventFilter {
  const filter = parseRoomEventFilter(json);
  if (isRefusal(filter)) throw new Error(filter.error);
  return filter;
}

describe('sync filters', () => {
  for (const { filter: json, include, exclude } of vectors.semantics) {
    it(`match as ${JSON.stringify(json)} says`, () => {
      const filter = parseRoomEvents(json);
      for (const type of include) expect(matchesEvent(filter, { type, sender: '@a:b' }), type).to.equal(true);
      for (const type of exclude)
        expect(matchesEvent(filter, { type, sender: '@a:b' }), type).to.equal(false);
    });
  }

  it('read the published example', () => {
    const filter = parse(vectors.published_example);
    expect(timelineLimit(filter)).to.equal(10);
    expect(filter.eventFormat).to.equal('client');
    expect(matchesEvent(filter.presence, { type: 'm.presence', sender: '@alice:example.com' })).to.equal(
      false,
    );
    expect(matchesEvent(filter.presence, { type: 'm.presence', sender: '@bob:example.com' })).to.equal(true);
    const event = { type: 'm.room.message', sender: '@a:b', content: {} };
    const { timeline } = filter.room;
    expect(matchesRoomEvent(timeline, { ...event, roomId: '!r:example.com' })).to.equal(true);
    expect(matchesRoomEvent(timeline, { ...event, roomId: '!726s6s6q:example.com' })).to.equal(false);
    expect(matchesRoomEvent(timeline, { ...event, roomId: '!r:b', sender: '@spam:example.com' })).to.equal(
      false,
    );
    expect(matchesType(filter.room.ephemeral, 'm.typing')).to.equal(true);
    expect(matchesType(filter.room.ephemeral, 'm.other')).to.equal(false);
    expect(
      selectEventFields(filter, { type: 't', content: { a: 1 }, sender: 's', event_id: 'e' }),
    ).to.deep.equal({
      type: 't',
      content: { a: 1 },
      sender: 's',
    });
  });

  it('let everything through when they are empty', () => {
    const filter = emptySyncFilter();
    const event = { type: 'x', sender: '@a:b', roomId: '!r:b', content: { url: 'x' } };
    expect(matchesRoomEvent(filter.room.timeline, event)).to.equal(true);
    expect(matchesRoom(filter.room, '!r:b')).to.equal(true);
    expect(timelineLimit(filter)).to.equal(TIMELINE_LIMIT_DEFAULT);
    expect(filter.room).to.include({ includeLeave: false });
    expect(filter.room.state).to.include({ lazyLoadMembers: false, includeRedundantMembers: false });
    expect(filter.room.timeline).to.include({ unreadThreadNotifications: false, containsUrl: undefined });
    const whole = { a: 1 };
    expect(selectEventFields(filter, whole)).to.equal(whole);
  });

  it('match senders and rooms, and exclusions win', () => {
    const filter = parseRoomEvents({
      senders: ['@a:b', '@c:d'],
      not_senders: ['@c:d'],
      rooms: ['!r:b', '!s:b'],
      not_rooms: ['!s:b'],
    });
    const seen = (sender: string, roomId: string): boolean =>
      matchesRoomEvent(filter, { type: 'x', sender, roomId, content: {} });
    expect(seen('@a:b', '!r:b')).to.equal(true);
    expect(seen('@c:d', '!r:b')).to.equal(false);
    expect(seen('@e:f', '!r:b')).to.equal(false);
    expect(seen('@a:b', '!s:b')).to.equal(false);
    expect(seen('@a:b', '!t:b')).to.equal(false);
  });

  it('know about content.url', () => {
    const seen = (wanted: boolean, content: JsonObject): boolean =>
      matchesRoomEvent(parseRoomEvents({ contains_url: wanted }), {
        type: 'x',
        sender: '@a:b',
        roomId: '!r',
        content,
      });
    expect(seen(true, { url: 'mxc://a/b' })).to.equal(true);
    expect(seen(true, {})).to.equal(false);
    expect(seen(false, { url: 'mxc://a/b' })).to.equal(false);
    expect(seen(false, {})).to.equal(true);
  });

  it('know when nothing can pass', () => {
    expect(matchesNothing(parseRoomEvents({ types: [] }))).to.equal(true);
    expect(matchesNothing(parseRoomEvents({ senders: [] }))).to.equal(true);
    expect(matchesNothing(parseRoomEvents({ types: ['x'] }))).to.equal(false);
  });

  it('have bounded limits', () => {
    const limit = (value: number): number => timelineLimit(parse({ room: { timeline: { limit: value } } }));
    expect(limit(5)).to.equal(5);
    expect(limit(0)).to.equal(0);
    expect(limit(1_000_000)).to.equal(FILTER_LIMIT_MAX);
  });

  it('read flags', () => {
    const filter = parse({
      room: {
        include_leave: true,
        state: { lazy_load_members: true, include_redundant_members: true },
        timeline: { unread_thread_notifications: true },
      },
    });
    expect(filter.room.includeLeave).to.equal(true);
    expect(filter.room.state).to.include({ lazyLoadMembers: true, includeRedundantMembers: true });
    expect(filter.room.timeline.unreadThreadNotifications).to.equal(true);
  });

  const refusals: readonly (readonly [JsonObject, string, string])[] = [
    [{ room: [] }, 'M_BAD_JSON', 'room'],
    [{ room: { timeline: 5 } }, 'M_BAD_JSON', 'room.timeline'],
    [{ room: { timeline: { limit: '5' } } }, 'M_BAD_JSON', 'room.timeline.limit'],
    [{ room: { timeline: { limit: -1 } } }, 'M_INVALID_PARAM', 'room.timeline.limit'],
    [{ room: { state: { types: 'x' } } }, 'M_BAD_JSON', 'room.state.types'],
    [{ room: { state: { types: [1] } } }, 'M_BAD_JSON', 'room.state.types'],
    [{ room: { account_data: { not_rooms: {} } } }, 'M_BAD_JSON', 'room.account_data.not_rooms'],
    [{ room: { ephemeral: { lazy_load_members: 'yes' } } }, 'M_BAD_JSON', 'room.ephemeral.lazy_load_members'],
    [{ room: { include_leave: 1 } }, 'M_BAD_JSON', 'room.include_leave'],
    [{ presence: { senders: null } }, 'M_BAD_JSON', 'presence.senders'],
    [{ account_data: 'x' }, 'M_BAD_JSON', 'account_data'],
    [{ event_fields: 'x' }, 'M_BAD_JSON', 'event_fields'],
    [{ event_format: 'xml' }, 'M_INVALID_PARAM', 'event_format'],
    [{ event_format: 5 }, 'M_BAD_JSON', 'event_format'],
    [{ presence: { types: Array.from({ length: 1_001 }, () => 'x') } }, 'M_INVALID_PARAM', 'presence.types'],
    [{ presence: { types: ['x'.repeat(1_025)] } }, 'M_INVALID_PARAM', 'presence.types'],
  ];
  for (const [json, errcode, field] of refusals) {
    it(`are refused with ${errcode} for ${JSON.stringify(json).slice(0, 50)}`, () => {
      const refusal = parseSyncFilter(json);
      expect(refusal).to.include({ kind: 'refused', errcode });
      expect(isRefusal(refusal) ? refusal.error.split(' ')[0] : '').to.equal(field);
    });
  }

  it('ignore unknown keys', () => {
    expect(isRefusal(parseSyncFilter({ room: { timeline: { 'org.x': 1 } }, more: [] }))).to.equal(false);
  });
});
