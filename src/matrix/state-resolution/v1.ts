import { hash } from 'node:crypto';
import { compareCodePoints } from '../events/canonical-json.ts';
import { ALLOWED } from '../rooms/auth-decision.ts';
import type { AuthDecision } from '../rooms/auth-decision.ts';
import { authorise } from '../rooms/auth-rules.ts';
import type { ResolutionInput, ResolutionStep, ResolutionTrace } from './resolution.ts';
import { splitStates } from './split-states.ts';
import { stateKeyOf, stateName } from './state-map.ts';
import type { StateMap } from './state-map.ts';

/** The types that others are authorised by, in the order in which conflicts about them are settled. */
const PASSES: readonly string[] = ['m.room.power_levels', 'm.room.join_rules', 'm.room.member'];

/**
 * Resolves states by algorithm 1. Room version 1, "State resolution", v1.19.
 *
 * Power levels are settled first: the oldest event counts, and each younger one that is allowed after it; likewise join rules,
 * then memberships. Of the rest the youngest that is allowed counts; when none is, the oldest: the page does not say, and the servers
 * that wrote it do so. The conflicts of one pass do not see each other's outcome: the specification orders the passes only, and the
 * result must not hang on the order in which conflicts are met.
 */
export function resolveV1(input: ResolutionInput, onTrace?: (trace: ResolutionTrace) => void): StateMap {
  const { unconflicted, conflicted } = splitStates(input.states, 'v1');
  const steps: ResolutionStep[] = [];
  const resolved = new Map(unconflicted);
  const note = (eventId: string, decision: AuthDecision): boolean => {
    if (onTrace !== undefined) steps.push({ eventId, pass: 'v1', decision });
    return decision.allowed;
  };
  /** Checks an event at what is resolved so far, with another event at its own place. */
  const allows = (eventId: string, place: string, standsThere?: string): boolean =>
    note(
      eventId,
      decide(input, eventId, (name) => (name === place ? standsThere : resolved.get(name))),
    );
  const settle = (
    isOfPass: (type: string) => boolean,
    choose: (name: string, eventIds: readonly string[]) => string | undefined,
  ): void => {
    const chosen = new Map<string, string>();
    for (const [name, eventIds] of conflicted) {
      if (!isOfPass(stateKeyOf(name).type)) continue;
      const eventId = choose(name, sortByAge(input, eventIds));
      if (eventId !== undefined) chosen.set(name, eventId);
    }
    for (const [name, eventId] of chosen) resolved.set(name, eventId);
  };
  for (const passType of PASSES) {
    settle(
      (type) => type === passType,
      (name, eventIds) =>
        lastOfUnbrokenLine(eventIds, (eventId, before) =>
          before === undefined ? note(eventId, ALLOWED) : allows(eventId, name, before),
        ),
    );
  }
  settle(
    (type) => !PASSES.includes(type),
    (name, eventIds) => eventIds.findLast((eventId) => allows(eventId, name)) ?? eventIds[0],
  );
  onTrace?.({ algorithm: 'v1', conflicted, authDifference: [], conflictedSubgraph: [], steps });
  return resolved;
}

/** The last event before the first that is not allowed after the one before it. */
function lastOfUnbrokenLine(
  eventIds: readonly string[],
  isAllowedAfter: (eventId: string, before: string | undefined) => boolean,
): string | undefined {
  let last: string | undefined;
  for (const eventId of eventIds) {
    if (!isAllowedAfter(eventId, last)) break;
    last = eventId;
  }
  return last;
}

/** By ascending depth, then by descending SHA-1 of the id. */
function sortByAge({ source }: ResolutionInput, eventIds: readonly string[]): readonly string[] {
  return eventIds
    .map((eventId) => ({
      eventId,
      depth: source.event(eventId).pdu.depth,
      sha1: hash('sha1', eventId, 'hex'),
    }))
    .toSorted((left, right) => left.depth - right.depth || compareCodePoints(right.sha1, left.sha1))
    .map(({ eventId }) => eventId);
}

function decide(
  { version, roomId, source }: ResolutionInput,
  eventId: string,
  standing: (name: string) => string | undefined,
): AuthDecision {
  const { pdu } = source.event(eventId);
  return authorise(
    version,
    { roomId, pdu },
    {
      find(type, stateKey) {
        const found = standing(stateName(type, stateKey));
        return found === undefined ? undefined : source.event(found).pdu;
      },
    },
  );
}
