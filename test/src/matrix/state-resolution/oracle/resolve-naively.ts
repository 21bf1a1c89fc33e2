import { createHash } from 'node:crypto';
import { edgeIds } from '../../../../../src/matrix/events/pdu.ts';
import { authorise } from '../../../../../src/matrix/rooms/auth-rules.ts';
import { powerLevels } from '../../../../../src/matrix/rooms/power-levels.ts';
import type {
  ResolutionEvent,
  ResolutionInput,
} from '../../../../../src/matrix/state-resolution/resolution.ts';
import type { StateMap } from '../../../../../src/matrix/state-resolution/state-map.ts';

/*
 * State resolution once more, sentence by sentence from the specification's prose (room versions 1, 2 and 12), with sets and recursion
 * and no care for time. It shares with the product only the authorisation rules and the power levels, which have tests of their own.
 */

type Ids = ReadonlySet<string>;

/** Resolves states by the algorithm of the room version. */
export function resolveNaively(input: ResolutionInput): StateMap {
  return input.version.stateResolution === 'v1' ? resolveFirst(input) : resolveSecond(input);
}

function eventOf(input: ResolutionInput, id: string): ResolutionEvent {
  return input.source.event(id);
}

function authEventsOf(input: ResolutionInput, id: string): readonly ResolutionEvent[] {
  return edgeIds(eventOf(input, id).pdu.auth_events).map((authId) => eventOf(input, authId));
}

function placeOf(input: ResolutionInput, id: string): string {
  const { type, state_key: stateKey } = eventOf(input, id).pdu;
  return `${type}\u0000${stateKey}`;
}

/** "The auth chain of an event": its auth events, and their auth chains. */
function authChain(input: ResolutionInput, id: string): Ids {
  const chain = new Set<string>();
  const add = (of: string): void => {
    for (const { eventId } of authEventsOf(input, of)) {
      if (chain.has(eventId)) continue;
      chain.add(eventId);
      add(eventId);
    }
  };
  add(id);
  return chain;
}

/** The events of a state and their auth chains. */
function fullAuthChain(input: ResolutionInput, state: StateMap): Ids {
  return new Set([...state.values()].flatMap((id) => [id, ...authChain(input, id)]));
}

function resolveSecond(input: ResolutionInput): StateMap {
  const { states } = input;
  const isRevised = input.version.stateResolution === 'v2.1';
  const places = new Set(states.flatMap((state) => [...state.keys()]));
  const unconflicted = new Map<string, string>();
  const conflictedStateSet = new Set<string>();
  for (const place of places) {
    const values = states.map((state) => state.get(place));
    const [value] = values;
    if (value !== undefined && values.every((other) => other === value)) unconflicted.set(place, value);
    else for (const id of values) if (id !== undefined) conflictedStateSet.add(id);
  }
  const chains = states.map((state) => fullAuthChain(input, state));
  const difference = [...new Set(chains.flatMap((chain) => [...chain]))].filter(
    (id) => !chains.every((chain) => chain.has(id)),
  );
  const full = new Set([...conflictedStateSet, ...difference]);
  if (isRevised) for (const id of subgraphOf(input, conflictedStateSet)) full.add(id);

  const x = new Set<string>();
  for (const id of full) {
    if (!isPowerful(input, id)) continue;
    x.add(id);
    for (const below of authChain(input, id)) if (full.has(below)) x.add(below);
  }
  const start: StateMap = isRevised ? new Map() : unconflicted;
  const partial = check(input, start, reverseTopologicalPowerOrder(input, x));
  const rest = [...full].filter((id) => !x.has(id));
  const mainline = mainlineOf(input, partial.get('m.room.power_levels\u0000'));
  const result = check(input, partial, mainlineOrder(input, rest, mainline));
  return new Map([...result, ...unconflicted]);
}

/** All events on paths between any two conflicted events, by looking at every pair. */
function subgraphOf(input: ResolutionInput, conflicted: Ids): Ids {
  const subgraph = new Set<string>();
  for (const from of conflicted) {
    const chain = authChain(input, from);
    for (const to of conflicted) {
      if (!chain.has(to)) continue;
      for (const id of chain) if (id === to || authChain(input, id).has(to)) subgraph.add(id);
      subgraph.add(from);
    }
  }
  return subgraph;
}

function isPowerful(input: ResolutionInput, id: string): boolean {
  const { type, sender, state_key: stateKey, content } = eventOf(input, id).pdu;
  if (stateKey === undefined) return false;
  if (['m.room.power_levels', 'm.room.join_rules'].includes(type)) return true;
  const { membership } = content;
  return type === 'm.room.member' && (membership === 'leave' || membership === 'ban') && sender !== stateKey;
}

function levelOfSender(input: ResolutionInput, id: string): number {
  const { version, roomId } = input;
  const authEvents = authEventsOf(input, id);
  const create = version.createInAuthEvents
    ? authEvents.find(({ pdu }) => pdu.type === 'm.room.create')
    : eventOf(input, `$${roomId.slice(1)}`);
  const levels = authEvents.find(({ pdu }) => pdu.type === 'm.room.power_levels' && pdu.state_key === '');
  const { sender } = eventOf(input, id).pdu;
  if (create === undefined && levels === undefined) return 0;
  const anyCreate = create ?? eventOf(input, levels?.eventId ?? '');
  return powerLevels(version, anyCreate.pdu, levels?.pdu).ofUser(sender);
}

/** By Unicode code points, which is the order of the UTF-8 bytes. */
function compareIds(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}

function reverseTopologicalPowerOrder(input: ResolutionInput, ids: Ids): readonly string[] {
  const before = (left: string, right: string): number => {
    const [leftLevel, rightLevel] = [levelOfSender(input, left), levelOfSender(input, right)];
    if (leftLevel > rightLevel) return -1;
    if (leftLevel < rightLevel) return 1;
    const [leftTs, rightTs] = [left, right].map((id) => eventOf(input, id).pdu.origin_server_ts);
    return Number(leftTs) - Number(rightTs) || compareIds(left, right);
  };
  const order: string[] = [];
  const left = new Set(ids);
  while (left.size > 0) {
    const candidates = [...left].filter((id) =>
      authEventsOf(input, id).every(({ eventId }) => !left.has(eventId)),
    );
    const [next = ''] = candidates.toSorted(before);
    order.push(next);
    left.delete(next);
  }
  return order;
}

function levelsCitedBy(input: ResolutionInput, id: string): string | undefined {
  return authEventsOf(input, id).find(({ pdu }) => pdu.type === 'm.room.power_levels' && pdu.state_key === '')
    ?.eventId;
}

function mainlineOf(input: ResolutionInput, levels: string | undefined): readonly string[] {
  return levels === undefined ? [] : [levels, ...mainlineOf(input, levelsCitedBy(input, levels))];
}

function mainlineOrder(
  input: ResolutionInput,
  ids: readonly string[],
  mainline: readonly string[],
): readonly string[] {
  const positionOf = (id: string): number => {
    const first = mainlineOf(input, levelsCitedBy(input, id)).find((levels) => mainline.includes(levels));
    return first === undefined ? Number.MAX_SAFE_INTEGER : mainline.indexOf(first);
  };
  return ids.toSorted((left, right) => {
    const [leftTs, rightTs] = [left, right].map((id) => eventOf(input, id).pdu.origin_server_ts);
    return (
      positionOf(right) - positionOf(left) || Number(leftTs) - Number(rightTs) || compareIds(left, right)
    );
  });
}

/** The iterative auth checks. */
function check(input: ResolutionInput, start: StateMap, ids: readonly string[]): StateMap {
  const { version, roomId } = input;
  const state = new Map(start);
  for (const id of ids) {
    const { pdu, isRejected } = eventOf(input, id);
    const find = (type: string, stateKey: string): ResolutionEvent['pdu'] | undefined => {
      if (type === 'm.room.create' && !version.createInAuthEvents) {
        return eventOf(input, `$${roomId.slice(1)}`).pdu;
      }
      const standing = state.get(`${type}\u0000${stateKey}`);
      if (standing !== undefined) return eventOf(input, standing).pdu;
      return authEventsOf(input, id).find(
        (event) => !event.isRejected && event.pdu.type === type && event.pdu.state_key === stateKey,
      )?.pdu;
    };
    const isAllowed = authorise(version, { roomId, pdu }, { find }).allowed;
    if (isAllowed && !isRejected && pdu.state_key !== undefined) state.set(placeOf(input, id), id);
  }
  return state;
}

function resolveFirst(input: ResolutionInput): StateMap {
  const { version, roomId, states } = input;
  const r = new Map<string, string>();
  const conflicts = new Map<string, readonly string[]>();
  for (const place of new Set(states.flatMap((state) => [...state.keys()]))) {
    const ids = [...new Set(states.flatMap((state) => state.get(place) ?? []))];
    const [only] = ids;
    if (ids.length === 1 && only !== undefined) r.set(place, only);
    else conflicts.set(place, ids);
  }
  const depthOf = (id: string): number => eventOf(input, id).pdu.depth;
  const sha1 = (id: string): string => createHash('sha1').update(id, 'utf8').digest('hex');
  const oldestFirst = (left: string, right: string): number =>
    depthOf(left) - depthOf(right) || (sha1(left) > sha1(right) ? -1 : 1);
  const isAllowed = (id: string, state: StateMap): boolean => {
    const find = (type: string, stateKey: string): ResolutionEvent['pdu'] | undefined => {
      const standing = state.get(`${type}\u0000${stateKey}`);
      return standing === undefined ? undefined : eventOf(input, standing).pdu;
    };
    return authorise(version, { roomId, pdu: eventOf(input, id).pdu }, { find }).allowed;
  };
  for (const pass of ['m.room.power_levels', 'm.room.join_rules', 'm.room.member']) {
    const before = new Map(r);
    for (const [place, ids] of conflicts) {
      if (place.split('\u0000')[0] !== pass) continue;
      conflicts.delete(place);
      const own = new Map(before);
      for (const id of ids.toSorted(oldestFirst)) {
        if (own.has(place) && !isAllowed(id, own)) break;
        own.set(place, id);
        r.set(place, id);
      }
    }
  }
  const before = new Map(r);
  for (const [place, ids] of conflicts) {
    const youngestFirst = ids.toSorted(oldestFirst).toReversed();
    const chosen = youngestFirst.find((id) => isAllowed(id, before)) ?? youngestFirst.at(-1);
    if (chosen !== undefined) r.set(place, chosen);
  }
  return r;
}
