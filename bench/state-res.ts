import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import type { JsonObject } from '../src/kit/json.ts';
import { eventIdOf } from '../src/matrix/events/event-id.ts';
import type { Pdu } from '../src/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../src/matrix/identifiers/room-id.ts';
import { authEventKeys } from '../src/matrix/rooms/auth-events.ts';
import { getRoomVersion } from '../src/matrix/rooms/room-versions.ts';
import type { RoomVersion } from '../src/matrix/rooms/room-versions.ts';
import { createMemorySource } from '../src/matrix/state-resolution/memory-source.ts';
import type { ResolutionEvent } from '../src/matrix/state-resolution/resolution.ts';
import { resolveState } from '../src/matrix/state-resolution/resolve-state.ts';
import { stateName } from '../src/matrix/state-resolution/state-map.ts';
import type { StateMap } from '../src/matrix/state-resolution/state-map.ts';
import { percentile, report } from './kit/figures.ts';
import type { BenchRow } from './kit/figures.ts';

/** How many events are in conflict, and how often that is resolved. */
const SIZES = [
  { conflicted: 10, runs: 200 },
  { conflicted: 1_000, runs: 30 },
  { conflicted: 10_000, runs: 11 },
] as const;
const MAIN = new URL('main.ts', import.meta.url).pathname;
const VERSIONS = ['10', '12'];
const MODERATORS = 20;
/** After so many events of a branch somebody changes the levels; then everything stands on a longer chain. */
const EVENTS_PER_LEVELS = 40;
const CREATOR = '@creator:a.example';

const moderator = (index: number): string => `@moderator${index % MODERATORS}:a.example`;
const member = (index: number): string => `@member${index}:server${index % 97}.example`;

/** Two branches of one room, with their events as JSON: each run parses them anew, as a loader does. */
interface Room {
  readonly version: RoomVersion;
  readonly roomId: string;
  readonly texts: ReadonlyMap<string, string>;
  readonly states: readonly StateMap[];
}

/**
 * Time to resolve two branches of a busy room that did not see each other: bans, changes of levels, joins, renames, other state.
 * It needs no server, so it measures itself; flags for Node it gives to a process of its own.
 */
export function benchStateRes(nodeFlags: readonly string[]): Promise<void> {
  if (nodeFlags.length === 0) measureAll();
  else execFileSync(process.execPath, [...nodeFlags, MAIN, 'state-res'], { stdio: 'inherit' });
  return Promise.resolve();
}

function measureAll(): void {
  const rows: BenchRow[] = [];
  for (const versionId of VERSIONS) {
    let before = Number.NaN;
    for (const { conflicted, runs } of SIZES) {
      const room = makeRoom(getRoomVersion(versionId), conflicted);
      const { floorMs, resolveMs, looked, places } = measure(room, runs);
      const ofFloor = resolveMs / floorMs;
      rows.push({
        name: `${room.version.stateResolution}, ${conflicted} conflicted, state of ${places}`,
        figures: {
          'p50 ms': resolveMs,
          'looked at': looked,
          'ns/conflicted': (resolveMs * 1e6) / conflicted,
          'floor ms': floorMs,
          'of floor': ofFloor,
          'growth against floor': ofFloor / before,
        },
      });
      before = ofFloor;
    }
  }
  console.log(
    'floor: JSON.parse and SHA-256 of as many events as are looked at; it grows by 1, and so does linear work',
  );
  report('state-res', rows);
}

function measure(
  room: Room,
  runs: number,
): {
  readonly floorMs: number;
  readonly resolveMs: number;
  readonly looked: number;
  readonly places: number;
} {
  const { version, roomId, states } = room;
  const floors: number[] = [];
  const times: number[] = [];
  let looked: readonly string[] = [];
  for (let run = -2; run < runs; run += 1) {
    const events = new Map<string, ResolutionEvent>();
    for (const [eventId, text] of room.texts) {
      events.set(eventId, { eventId, pdu: JSON.parse(text) as Pdu, isRejected: false });
    }
    const input = { version, roomId, states, source: createMemorySource(events) };
    if (run < 0) {
      resolveState(input, ({ steps }) => (looked = steps.map(({ eventId }) => eventId)));
      continue;
    }
    const before = performance.now();
    resolveState(input);
    times.push(performance.now() - before);
    floors.push(floorOf(room, looked));
  }
  const places = states[0]?.size ?? 0;
  return {
    floorMs: percentile(floors, 0.5),
    resolveMs: percentile(times, 0.5),
    looked: looked.length,
    places,
  };
}

function floorOf({ texts }: Room, eventIds: readonly string[]): number {
  const before = performance.now();
  for (const eventId of eventIds) {
    const text = texts.get(eventId) ?? '';
    JSON.parse(text);
    createHash('sha256').update(text).digest('base64url');
  }
  return performance.now() - before;
}

interface Draft {
  readonly sender: string;
  readonly type: string;
  readonly stateKey: string;
  readonly content: JsonObject;
}

function makeRoom(version: RoomVersion, conflicted: number): Room {
  const isHashRoom = version.roomIdFormat === 'create-event';
  const create: Pdu = {
    type: 'm.room.create',
    state_key: '',
    sender: CREATOR,
    content: { room_version: version.id, ...(version.creatorInContent ? { creator: CREATOR } : {}) },
    ...(isHashRoom ? {} : { room_id: '!room:a.example' }),
    depth: 1,
    origin_server_ts: 1,
    prev_events: [],
    auth_events: [],
    hashes: { sha256: '' },
    signatures: {},
  };
  const createId = eventIdOf(version, create) ?? '';
  const roomId = isHashRoom ? roomIdOfCreateEvent(createId) : '!room:a.example';
  const texts = new Map([[createId, JSON.stringify(create)]]);
  const base = new Map([[stateName('m.room.create', ''), createId]]);
  const send = (state: Map<string, string>, { sender, type, stateKey, content }: Draft): void => {
    const authEvents = authEventKeys(version, { sender, type, content, state_key: stateKey })
      .map((key) => state.get(stateName(key.type, key.stateKey)))
      .filter((eventId) => eventId !== undefined);
    const ts = texts.size + 1;
    const eventId = `$${createHash('sha256').update(`event ${ts}`).digest('base64url')}`;
    const pdu: Pdu = {
      type,
      sender,
      content,
      state_key: stateKey,
      room_id: roomId,
      depth: ts,
      origin_server_ts: ts,
      prev_events: [],
      auth_events: authEvents,
      hashes: { sha256: createHash('sha256').update(eventId).digest('base64url') },
      signatures: { 'a.example': { 'ed25519:1': 'x'.repeat(86) } },
    };
    texts.set(eventId, JSON.stringify(pdu));
    state.set(stateName(type, stateKey), eventId);
  };
  for (const draft of beginning(version, conflicted)) send(base, draft);
  const branches = [new Map(base), new Map(base)];
  branches.forEach((state, side) => {
    for (let index = 0; index < conflicted / 2; index += 1) {
      if (index % EVENTS_PER_LEVELS === EVENTS_PER_LEVELS - 1) send(state, levels(version, index + side));
      send(state, happening(index, side));
    }
  });
  return { version, roomId, texts, states: branches };
}

/** A public room with a member for every event that will be disputed, and as many that nothing happens to. */
function beginning(version: RoomVersion, members: number): readonly Draft[] {
  const joins = [CREATOR, ...Array.from({ length: MODERATORS }, (_, index) => moderator(index))];
  for (let index = 0; index < members; index += 1) joins.push(member(index));
  const [creator, ...others] = joins.map((user) => membership(user, user, 'join'));
  return [
    ...(creator === undefined ? [] : [creator]),
    levels(version, 0),
    { sender: CREATOR, type: 'm.room.join_rules', stateKey: '', content: { join_rule: 'public' } },
    ...others,
  ];
}

/** What happens to one place on one side: the other side does something else there. */
function happening(index: number, side: number): Draft {
  const user = member(index);
  const kind = (index + side * 3) % 10;
  if (kind === 0) return membership(moderator(index), user, 'ban');
  if (kind === 1) return membership(moderator(index), user, 'leave');
  if (kind === 2)
    return { sender: moderator(index), type: 'm.room.pinned', stateKey: `${index}`, content: { side } };
  if (kind === 3) return membership(user, user, 'leave');
  return membership(user, user, 'join', `Member ${index} of side ${side}`);
}

function membership(sender: string, target: string, value: string, displayname = 'Somebody'): Draft {
  return { sender, type: 'm.room.member', stateKey: target, content: { membership: value, displayname } };
}

function levels(version: RoomVersion, change: number): Draft {
  const moderators = Array.from({ length: MODERATORS }, (_, index) => [moderator(index), 50] as const);
  const creator = version.creatorsArePrivileged ? [] : [[CREATOR, 100] as const];
  const users = Object.fromEntries([...creator, ...moderators]);
  const content = { users, events: { 'm.room.name': 50, 'm.room.custom': change % 50 }, invite: 0 };
  return { sender: CREATOR, type: 'm.room.power_levels', stateKey: '', content };
}
