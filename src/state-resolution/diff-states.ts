import type { ReadDb } from '../../db/kit/read-db.ts';
import { isRefusal, type Refusal } from '../matrix/refusal.ts';
import { type StateMap, stateName } from '../matrix/state-resolution/state-map.ts';
import { readSummaries } from './event-summary.ts';
import {
  DIFFERENCE_LIMIT_MAX,
  type DifferenceQuestion,
  type EntryDifference,
  type StateDifference,
} from './explanation.ts';
import { findKnownRoom, findStateAt } from './state-at.ts';
import { differenceBetween, readStateMap } from './stored-states.ts';

interface Change {
  readonly kind: EntryDifference['kind'];
  readonly type: string;
  readonly stateKey: string;
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/** In the order of types, then of state keys: the same for every page. */
function byPlace(left: Change, right: Change): number {
  if (left.type !== right.type) return left.type < right.type ? -1 : 1;
  return left.stateKey < right.stateKey ? -1 : 1;
}

function changesBetween(from: StateMap, to: StateMap): readonly Change[] {
  const changes = differenceBetween(from, to).map(({ type, stateKey, eventId }): Change => {
    const before = from.get(stateName(type, stateKey));
    const after = eventId ?? undefined;
    const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
    return { kind, type, stateKey, before, after };
  });
  return changes.toSorted(byPlace);
}

/**
 * Says in what two states of a room differ, a page at a time. All reads see one world.
 *
 * @returns refused with M_NOT_FOUND when the room or an event is not known, or the state at an event is not
 */
export function diffStates(db: ReadDb, question: DifferenceQuestion): Promise<StateDifference | Refusal> {
  return db.snapshot(async (world) => {
    const room = await findKnownRoom(world, question.roomId);
    if (isRefusal(room)) return room;
    const start = await findStateAt(world, room, question.from);
    if (isRefusal(start)) return start;
    const end = await findStateAt(world, room, question.to);
    if (isRefusal(end)) return end;
    const from = await readStateMap(world, start.stateGroup);
    const to = await readStateMap(world, end.stateGroup);
    const changes = changesBetween(from, to);
    const { offset } = question;
    const next = offset + Math.min(question.limit, DIFFERENCE_LIMIT_MAX);
    const page = changes.slice(offset, next);
    const ids = page.flatMap(({ before, after }) => [before, after]).filter((id) => id !== undefined);
    const summaryOf = await readSummaries(world, ids);
    const count = (kind: Change['kind']): number => changes.filter((change) => change.kind === kind).length;
    return {
      room_id: room.roomId,
      from: { at: question.from, entries: from.size },
      to: { at: question.to, entries: to.size },
      added: count('added'),
      changed: count('changed'),
      removed: count('removed'),
      changes: page.map(({ kind, type, stateKey, before, after }) => ({
        kind,
        type,
        state_key: stateKey,
        before: before === undefined ? null : summaryOf(before),
        after: after === undefined ? null : summaryOf(after),
      })),
      next_offset: next < changes.length ? next : null,
    };
  });
}
