import { expect } from 'chai';
import { seededRandom } from '../../../../../src/kit/random.ts';
import { openStoredRoom, type StoredRoom } from '../../../../support/stored-room.ts';
import type { ThreadCaches } from '../../../../../src/streams/cache.ts';
import { pathOf } from '../../../../support/http-client.ts';
import { type Answer, openSyncWorld, type Person, type SyncWorld } from '../../../sync/sync-world.ts';
import {
  lastIn,
  makeHistory,
  MAKER,
  mayKnow,
  membershipsOf,
  type ModelEvent,
  type ModelHistory,
  type ModelState,
  placeOf,
} from './visibility-model.ts';

const CLIENT = '/_matrix/client/v3';
const EVENTS = 26;
const FIRST_GROUP = 1_000_000;
/** Fixed ones, so that a failure comes again, and a new one every time, which the title tells. */
const SEEDS = [2, 100, 117, 125, 133, process.pid];

const place = (name: string): [string, string] => {
  const bar = name.indexOf('|');
  return [name.slice(0, bar), name.slice(bar + 1)];
};
const entriesOf = (state: ModelState): [string, string, string][] =>
  [...state].map(([name, eventId]) => [...place(name), eventId]);

/** Writes the events with the groups that a server would make of their states. */
function storeEvents(stored: StoredRoom, history: ModelHistory): void {
  const groups = new Map<string, number>();
  let group = FIRST_GROUP + (history.events[0]?.position ?? 0);
  for (const event of history.events) {
    const [first] = event.prevEvents;
    let before = first === undefined ? null : (groups.get(first) ?? null);
    const firstState = first === undefined ? new Map<string, string>() : history.get(first).after;
    const differing = entriesOf(event.before).filter(
      ([type, key, id]) => firstState.get(`${type}|${key}`) !== id,
    );
    if (differing.length > 0) {
      stored.addGroup((group += 1), before, differing);
      before = group;
    }
    const isState = event.stateKey !== undefined;
    const stateGroup = isState ? (group += 1) : before;
    const { stateKey, ...rest } = event;
    stored.addEvent({
      ...rest,
      ...(stateKey === undefined ? {} : { stateKey }),
      ...(event.isOurs ? {} : { receivedFrom: 'other.example' }),
      ...(stateGroup === null ? {} : { stateGroup }),
    });
    if (stateKey !== undefined) stored.addGroup(group, before, [[event.type, stateKey, event.eventId]]);
    if (stateGroup !== null) groups.set(event.eventId, stateGroup);
  }
}

function storeHistory(path: string, roomId: string, history: ModelHistory, users: readonly string[]): void {
  const stored = openStoredRoom(path, roomId, MAKER);
  storeEvents(stored, history);
  for (const change of history.changes)
    stored.addStateChange(change.position, ...place(change.place), change.eventId);
  stored.setCurrentState(entriesOf(history.current));
  for (const userId of users) {
    const eventId = history.current.get(`m.room.member|${userId}`);
    if (eventId === undefined) continue;
    const membership = history.get(eventId).content['membership'] as string;
    stored.setLocalMembership(userId, membership, eventId, beganAt(history, userId));
  }
  stored.close();
}

/** When the user's present membership began. */
function beganAt(history: ModelHistory, userId: string): number {
  const memberships = membershipsOf(history, userId);
  const last = memberships.at(-1)?.membership;
  const lastOther = memberships.findLastIndex((one) => one.membership !== last);
  return memberships[lastOther + 1]?.position ?? 0;
}

const ids = (events: Answer): string[] => events.map((event: Answer) => event.event_id);
const byPlace = (a: ModelEvent, b: ModelEvent): number => a.depth - b.depth || a.position - b.position;

describe('what users may see of rooms with branches', function () {
  this.timeout(30_000);
  let world: SyncWorld;
  let people: readonly Person[];
  let users: readonly string[];
  before(async () => {
    world = await openSyncWorld();
    people = await Promise.all(['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => world.person(name)));
    users = people.map(({ userId }) => userId);
  });
  after(() => world.stop());

  /** Makes room on the events stream and writes a history there; erin has nothing to do with it. */
  async function storeRandom(
    seed: number,
  ): Promise<{ readonly roomId: string; readonly history: ModelHistory }> {
    const count = EVENTS * 10;
    const advance = { stream: 'events', count };
    const outcome = await world.host
      .ref('committer')
      .ask('committer.write', { owner: 'rooms', advance, steps: [] });
    if (outcome.kind !== 'committed' || outcome.position === null) throw new Error('no positions');
    const history = makeHistory(seededRandom(seed), users.slice(0, 4), EVENTS, outcome.position);
    expect(history.end).to.be.lessThan(outcome.position + count);
    const roomId = `!model${seed}:example.org`;
    storeHistory(world.database.path, roomId, history, users);
    // Nobody has told the caches, and everybody's view comes past the history.
    (world.services.cached as ThreadCaches).clear();
    const [alice] = people as [Person];
    await alice.room();
    return { roomId, history };
  }

  /** Compares everything for one user with the model. */
  async function compare(person: Person, roomId: string, history: ModelHistory): Promise<void> {
    const { userId } = person;
    const may = (event: ModelEvent): boolean => mayKnow(history, userId, event);
    const visible = history.events.filter(may);
    const inOrder = visible.toSorted(byPlace);
    for (const event of history.events) {
      const what = `${userId} ${event.eventId}`;
      const answer = await person.http.get(CLIENT + pathOf`/rooms/${roomId}/event/${event.eventId}`);
      expect(answer.status, what).to.equal(may(event) ? 200 : 404);
      const around = await person.http.get(CLIENT + pathOf`/rooms/${roomId}/context/${event.eventId}`, {
        query: { limit: 400 },
      });
      expect(around.status, what).to.equal(may(event) ? 200 : 404);
      if (!may(event)) continue;
      const body = answer.body as Answer;
      const old = event.stateKey === undefined ? undefined : event.before.get(placeOf(event) ?? '');
      expect(body.unsigned.replaces_state, what).to.equal(old);
      expect(body.unsigned.prev_content, what).to.deep.equal(
        old === undefined ? undefined : history.get(old).content,
      );
      const context = around.body as Answer;
      const here = inOrder.indexOf(event);
      expect(ids(context.events_before).toReversed(), what).to.deep.equal(
        inOrder.slice(0, here).map((one) => one.eventId),
      );
      expect(ids(context.events_after), what).to.deep.equal(
        inOrder.slice(here + 1).map((one) => one.eventId),
      );
      const last = inOrder.at(-1) ?? event;
      expect(ids(context.state), what).to.have.members([...last.after.values()]);
    }
    await compareRoom(person, roomId, history, visible);
  }

  async function compareRoom(
    person: Person,
    roomId: string,
    history: ModelHistory,
    visible: readonly ModelEvent[],
  ): Promise<void> {
    const { userId, http } = person;
    const contentOf = (name: string) => history.get(history.current.get(name) ?? '$none').content;
    const isReadable =
      history.current.has('m.room.history_visibility|') &&
      contentOf('m.room.history_visibility|')['history_visibility'] === 'world_readable';
    const isIn =
      history.current.has(`m.room.member|${userId}`) &&
      contentOf(`m.room.member|${userId}`)['membership'] === 'join';
    const stay = lastIn(history, userId);
    const mayRead = isIn || isReadable || stay !== null;
    const state = await http.get(CLIENT + pathOf`/rooms/${roomId}/state`);
    const messages = await http.get(CLIENT + pathOf`/rooms/${roomId}/messages`, {
      query: { dir: 'b', limit: 400 },
    });
    const members = (at: number) =>
      http.get(CLIENT + pathOf`/rooms/${roomId}/members`, { query: { at: `h1_${at}` } });
    const present = await http.get(CLIENT + pathOf`/rooms/${roomId}/members`);
    const allowed = mayRead ? 200 : 403;
    expect([state.status, messages.status, present.status], userId).to.deep.equal([
      allowed,
      allowed,
      allowed,
    ]);
    if (!mayRead) return;
    const isNow = isIn || isReadable;
    const lastBy = (position: number): ModelEvent | undefined =>
      history.events.findLast((event) => event.position <= position);
    const expectedState = isNow ? history.current : lastBy(stay ?? 0)?.after;
    expect(ids(state.body), userId).to.have.members([...(expectedState ?? new Map()).values()]);
    const ownPosition = beganAt(history, userId);
    const deepest = Math.max(
      ...history.events.filter(({ position }) => isNow || position <= ownPosition).map(({ depth }) => depth),
    );
    const limit = isNow ? Infinity : (lastBy(ownPosition)?.position ?? 0);
    const expected = visible
      .filter(({ depth, position }) => depth < deepest || (depth === deepest && position <= limit))
      .toSorted(byPlace)
      .map(({ eventId }) => eventId);
    expect(ids((messages.body as Answer).chunk).toReversed(), userId).to.deep.equal(expected);
    const forward = await person.get(pathOf`/rooms/${roomId}/messages`, { dir: 'f', limit: 400 });
    expect(ids(forward.chunk), userId).to.deep.equal(expected);
    for (const { position } of history.events.filter((_, index) => index % 4 === 1)) {
      const by = lastBy(isNow ? position : Math.min(position, stay ?? 0));
      const answer = await members(position);
      const isKnown = by !== undefined && mayKnow(history, userId, by);
      expect(answer.status, `${userId} at ${position}`).to.equal(isKnown ? 200 : 403);
      const then = [...(by?.after ?? [])]
        .filter(([name]) => name.startsWith('m.room.member|'))
        .map(([, id]) => id);
      if (isKnown) expect(ids((answer.body as Answer).chunk)).to.have.members(then);
    }
    await compareSync(person, roomId, history, { visible, isIn, stay });
  }

  async function compareSync(
    person: Person,
    roomId: string,
    history: ModelHistory,
    seen: { readonly visible: readonly ModelEvent[]; readonly isIn: boolean; readonly stay: number | null },
  ): Promise<void> {
    const filter = JSON.stringify({
      room: { include_leave: true, rooms: [roomId], timeline: { limit: 400 } },
    });
    const { rooms } = await person.sync({ filter });
    const membership = membershipsOf(history, person.userId).at(-1)?.membership;
    const section = seen.isIn ? rooms?.join?.[roomId] : rooms?.leave?.[roomId];
    if (!seen.isIn && membership !== 'leave' && membership !== 'ban') {
      expect(section, person.userId).to.equal(undefined);
      return;
    }
    const end = seen.isIn ? history.end : beganAt(history, person.userId);
    // The present member event of who has left is told wherever it stands.
    const own = history.current.get(`m.room.member|${person.userId}`);
    const expected = seen.visible.filter(({ position }) => position <= end).map(({ eventId }) => eventId);
    const told = ids(section.timeline.events).filter((id) => id !== own);
    expect(told, person.userId).to.deep.equal(expected.filter((id) => id !== own));
  }

  for (const seed of SEEDS)
    it(`is what the rules say in a random history (seed ${seed})`, async () => {
      const { roomId, history } = await storeRandom(seed);
      for (const person of people) await compare(person, roomId, history);
    });

  it('covers branches, merges, losers, and all ways to stand to a room', async () => {
    const histories = SEEDS.slice(0, 5).map((seed) =>
      makeHistory(seededRandom(seed), users.slice(0, 4), EVENTS, 1),
    );
    const count = (is: (history: ModelHistory) => boolean): number => histories.filter(is).length;
    expect(count(({ events }) => events.some(({ prevEvents }) => prevEvents.length > 1))).to.be.greaterThan(
      2,
    );
    expect(count(({ changes }) => changes.length > 0)).to.be.greaterThan(2);
    expect(
      count((history) => history.events.some((event) => event.isOurs && event.prevEvents.length > 1)),
    ).to.be.greaterThan(1);
    await Promise.resolve();
  });
});
