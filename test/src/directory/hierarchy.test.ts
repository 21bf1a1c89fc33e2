import { expect } from 'chai';
import type { RoomDescription } from '../../../src/directory/caches/room-description.ts';
import type { SpaceChild } from '../../../src/directory/caches/space-children.ts';
import {
  HIERARCHY_DEPTH_MAX,
  HIERARCHY_PAGE_MAX,
  type HierarchyRequest,
  readHierarchy,
  type HierarchyServices,
} from '../../../src/directory/hierarchy.ts';
import { HIERARCHY_ROOMS_MAX } from '../../../src/directory/hierarchy-token.ts';
import type { Seeker } from '../../../src/directory/room-discovery.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { isRefusal, refuse } from '../../../src/matrix/refusal.ts';
import { getRoomVersion } from '../../../src/matrix/rooms/room-versions.ts';
import type { Caches } from '../../../src/streams/cache.ts';

/** A room of a made-up space: its children in order, and who may know of it. */
interface ModelRoom {
  joinRule: string;
  readonly isSpace: boolean;
  children: { readonly roomId: string; readonly isSuggested: boolean }[];
}

type Model = Map<string, ModelRoom>;

const ROOT = '!0:example.org';
const SEEKER: Seeker = { memberships: new Map([['!1:example.org', 'join']]), isStranger: false };
const ALLOWED = ['!1:example.org'];

function describe12(roomId: string, { joinRule, isSpace }: ModelRoom): RoomDescription {
  return {
    roomId,
    version: getRoomVersion('12'),
    joined: 1,
    name: null,
    topic: null,
    canonicalAlias: null,
    avatarUrl: null,
    joinRule,
    allowedRoomIds: joinRule === 'restricted' ? ALLOWED : [],
    isWorldReadable: false,
    guestsCanJoin: false,
    roomType: isSpace ? 'm.space' : null,
    encryption: null,
    searchable: '',
  };
}

function toChild({ roomId, isSuggested }: ModelRoom['children'][number]): SpaceChild {
  return { roomId, isSuggested, event: { state_key: roomId } };
}

const NOBODY_TELLS = {
  space: () => Promise.resolve(refuse('M_UNKNOWN', 'There are no other servers.')),
};

function servicesOf(model: Model): HierarchyServices {
  const get = (cache: { readonly name: string }, key: string): Promise<unknown> => {
    const room = model.get(key);
    if (cache.name === 'room-description')
      return Promise.resolve(room === undefined ? null : describe12(key, room));
    return Promise.resolve((room?.children ?? []).map(toChild));
  };
  return { cached: { get } as unknown as Caches, remoteQueries: NOBODY_TELLS };
}

function requestOf(change: Partial<HierarchyRequest> = {}): HierarchyRequest {
  const scope = { roomId: ROOT, userId: '@a:example.org', suggestedOnly: false, maxDepth: null };
  return { ...scope, limit: null, from: null, ...change };
}

const idOf = (room: JsonObject): string => room['room_id'] as string;

async function page(
  model: Model,
  request: HierarchyRequest,
): Promise<{ readonly ids: readonly string[]; readonly next: string | null }> {
  const answer = await readHierarchy(servicesOf(model), SEEKER, request);
  if (isRefusal(answer)) throw new Error(answer.error);
  return { ids: answer.rooms.map(idOf), next: answer.next_batch ?? null };
}

/** All pages, with something happening after each. */
async function readAll(
  model: Model,
  request: HierarchyRequest,
  between: () => void = () => undefined,
): Promise<readonly string[]> {
  const ids: string[] = [];
  let from: string | null = null;
  do {
    const { ids: more, next }: Awaited<ReturnType<typeof page>> = await page(model, { ...request, from });
    ids.push(...more);
    from = next;
    between();
  } while (from !== null);
  return ids;
}

function isKnown(roomId: string, { joinRule }: ModelRoom): boolean {
  return joinRule !== 'invite' || roomId === '!1:example.org';
}

/** The rooms that can be reached over known rooms, breadth first: what every hierarchy must hold, in whatever order. */
function reachable(model: Model, suggestedOnly: boolean, depthMax: number): Set<string> {
  const found = new Set<string>();
  let level = [ROOT];
  for (let depth = 0; depth <= depthMax && level.length > 0; depth += 1) {
    const next: string[] = [];
    for (const roomId of level) {
      const room = model.get(roomId);
      if (found.has(roomId) || room === undefined || !isKnown(roomId, room)) continue;
      found.add(roomId);
      if (!room.isSpace) continue;
      next.push(...room.children.filter((c) => c.isSuggested || !suggestedOnly).map((c) => c.roomId));
    }
    level = next;
  }
  return found;
}

/** The naive walk: where nothing is cut off by depth, this is the order. */
function depthFirst(model: Model, roomId: string, seen = new Set<string>()): readonly string[] {
  const room = model.get(roomId);
  if (seen.has(roomId) || room === undefined || !isKnown(roomId, room)) return [];
  seen.add(roomId);
  const below = room.isSpace ? room.children.flatMap((c) => depthFirst(model, c.roomId, seen)) : [];
  return [roomId, ...below];
}

/** Numbers below a bound, the same for the same seed. */
function numbersOf(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 4_294_967_296) * below);
  };
}

function randomModel(next: (below: number) => number): Model {
  const count = 2 + next(14);
  const rules = ['public', 'public', 'restricted', 'knock', 'invite'];
  const id = (index: number): string => `!${index}:example.org`;
  return new Map(
    Array.from({ length: count }, (_, index) => [
      id(index),
      {
        joinRule: index === 0 ? 'public' : (rules[next(rules.length)] ?? 'public'),
        isSpace: index === 0 || next(3) > 0,
        // Some name themselves, those above them, or rooms that are not known here.
        children: Array.from({ length: next(5) }, () => next(count + 2))
          .filter((child, place, all) => all.indexOf(child) === place)
          .map((child) => ({ roomId: id(child), isSuggested: next(2) === 0 })),
      },
    ]),
  );
}

describe('the hierarchy of a space', () => {
  for (let seed = 1; seed <= 150; seed += 1)
    it(`holds what the oracle finds, over pages of any size (seed ${seed})`, async () => {
      const next = numbersOf(seed);
      const model = randomModel(next);
      for (const suggestedOnly of [false, true])
        for (const maxDepth of [null, 0, 1, 2, 3]) {
          const ids = await readAll(model, requestOf({ suggestedOnly, maxDepth, limit: 1 + next(5) }));
          const expected = reachable(model, suggestedOnly, maxDepth ?? HIERARCHY_DEPTH_MAX);
          expect(ids.toSorted()).to.deep.equal([...expected].toSorted());
        }
      expect(await readAll(model, requestOf({ limit: 2 }))).to.deep.equal(depthFirst(model, ROOT));
    });

  for (let seed = 1; seed <= 100; seed += 1)
    it(`gives each room once while the space changes (seed ${seed})`, async () => {
      const next = numbersOf(seed * 7_919);
      const model = randomModel(next);
      const steady = reachable(model, false, HIERARCHY_DEPTH_MAX);
      const ids = await readAll(model, requestOf({ limit: 1 }), () => {
        const rooms = [...model.values()];
        const room = rooms[next(rooms.length)];
        if (room === undefined) return;
        // Order changes, ways are added, hidden rooms come to light: what could be reached can be reached still.
        const kind = next(3);
        if (kind === 0) room.children = room.children.toReversed();
        else if (kind === 1 && room.joinRule === 'invite') room.joinRule = 'public';
        else
          room.children = [
            { roomId: `!${next(rooms.length)}:example.org`, isSuggested: true },
            ...room.children,
          ];
      });
      expect(new Set(ids).size).to.equal(ids.length);
      for (const roomId of steady) expect(ids).to.include(roomId);
    });

  it('takes a token for one request only', async () => {
    const child = { roomId: '!1:example.org', isSuggested: true };
    const model: Model = new Map([
      [ROOT, { joinRule: 'public', isSpace: true, children: [child] }],
      ['!1:example.org', { joinRule: 'public', isSpace: false, children: [] }],
    ]);
    const { next: from } = await page(model, requestOf({ limit: 1 }));
    const attempt = async (change: Partial<HierarchyRequest>): Promise<string> => {
      const answer = await readHierarchy(servicesOf(model), SEEKER, requestOf({ from, ...change }));
      return isRefusal(answer) ? `${answer.status} ${answer.errcode}` : 'page';
    };
    expect(await attempt({})).to.equal('page');
    expect(await attempt({ limit: 7 })).to.equal('page');
    for (const change of [
      { suggestedOnly: true },
      { maxDepth: 2 },
      { userId: '@b:example.org' },
      { from: 'x' },
      { from: '' },
      { from: `${from}AAAAA` },
      { from: 'A'.repeat(12_000) },
    ])
      expect(await attempt(change), JSON.stringify(change)).to.equal('400 M_INVALID_PARAM');
    expect(await attempt({ roomId: '!none:example.org' })).to.equal('403 M_FORBIDDEN');
  });

  it('ends after a thousand rooms, a hundred at a time, in tokens that fit into a URL', async () => {
    const ids = Array.from({ length: HIERARCHY_ROOMS_MAX + 50 }, (_, index) => `!${index + 1}:example.org`);
    const room = { joinRule: 'public', isSpace: false, children: [] };
    const model: Model = new Map(ids.map((roomId) => [roomId, { ...room }]));
    const children = ids.map((roomId) => ({ roomId, isSuggested: false }));
    model.set(ROOT, { joinRule: 'public', isSpace: true, children });
    const { ids: first } = await page(model, requestOf({ limit: 5_000 }));
    expect(first).to.have.length(HIERARCHY_PAGE_MAX);
    const all = await readAll(model, requestOf({ limit: 5_000 }));
    expect(new Set(all).size).to.equal(HIERARCHY_ROOMS_MAX);
    expect(all.length).to.equal(HIERARCHY_ROOMS_MAX);
  });
});
