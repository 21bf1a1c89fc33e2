import { internStateKey, STATE_KEY_NID } from '../interning/queries.ts';
import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** One entry in which a state differs from the one it was made from. */
export interface StateGroupChange {
  readonly type: string;
  readonly stateKey: string;
  /** An event that is stored already or by an earlier step; null: the entry is gone. */
  readonly eventId: string | null;
}

/** A state as it shall be stored: one that exists, or a new one. */
export type StateGroupWrite =
  | { readonly kind: 'existing'; readonly stateGroup: number }
  | {
      readonly kind: 'new';
      /** Greater than that of any group that exists. */
      readonly stateGroup: number;
      /** The group that it differs from, stored already or by an earlier step; null: it is made of nothing but its changes. */
      readonly parent: number | null;
      /** No two of the same place. */
      readonly changes: readonly StateGroupChange[];
      /** True: reading this group shall need no other. False: the store decides, see {@link storeStateGroup}. */
      readonly isCheckpoint: boolean;
      /** By how much it has more entries than its parent, where the writer knows that; looked up when absent. */
      readonly entriesAdded?: number;
    };

/** The refusal of the guard of {@link storeStateGroup}. */
export type StateGroupGuard = 'state-group-is-gone';

/**
 * A checkpoint is written when the changes since the last one are this many times the entries of the state. A change then costs, amortised,
 * two thirds of an entry of a checkpoint, however large the state is; reading a state reads at most two and a half times its entries.
 */
export const CHECKPOINT_FACTOR = 1.5;
/** Below this many changes a checkpoint would save nothing. */
export const DELTAS_MIN = 16;
/**
 * Whenever the changes since the checkpoint pass a multiple of one of these, the group repeats what changed since the multiple before and
 * follows the group that stood there. A chain is then at most {@link HOPS_MAX} groups long (129 at 10,000 entries) instead of as long as
 * there were changes; a change is written once more for each of the first two.
 *
 * Measured at 10,000 entries and 30,000 changes of random ones, numbers of three bytes (bytes for each change with all indices; longest
 * chain; one entry of an old state, median and 95 %): plain chains with a checkpoint every 5,000 changes 93 bytes, 4,999 groups,
 * 1.5 and 3.3 ms; spans 16, 256, 4,096 120, 46, 0.03 and 0.06; 32, 1,024 102, 75, 0.04 and 0.08; these 99, 127, 0.05 and 0.08; one of
 * 100 93, 198, 0.11 and 0.17. The whole state takes 5 to 8 ms in all of them before its texts are read.
 */
export const SPANS = [64, 4_096, 262_144] as const;
/** Groups that a group is stored over at most: 63 for each span. One more for every 262,144 changes where a state has as many entries. */
export const HOPS_MAX = SPANS.length * (SPANS[0] - 1);

type OfGroup = { readonly stateGroup: number };
type OfRoom = { readonly roomNid: number };
type OfParent = OfGroup & { readonly parent: number };

const AFTER = '(SELECT deltas FROM state_groups WHERE state_group = :stateGroup)';
// A number that is bound is a REAL, and divides as one.
const BEFORE = `(${AFTER} - CAST(:changes AS INTEGER))`;
const passes = (span: number): string => `${AFTER} / ${span} > ${BEFORE} / ${span}`;
const stoodBefore = (span: number): string =>
  `WHEN ${passes(span)} THEN g.deltas / ${span} = ${BEFORE} / ${span}`;
const IS_CHECKPOINT = `(:isCheckpoint OR n.deltas IS NULL OR n.deltas >= max(n.entries * ${CHECKPOINT_FACTOR}, ${DELTAS_MIN}))`;

export const insertFirstStateGroup = defineQuery<OfGroup & OfRoom>({
  name: 'rooms.insert-first-state-group',
  sql: `
    INSERT INTO state_groups (state_group, room_nid, parent, entries, deltas)
    VALUES (:stateGroup, :roomNid, NULL, 0, 0)`,
});

export const insertStateGroup = defineQuery<
  OfParent & OfRoom & { readonly changes: number; readonly entriesAdded: number }
>({
  name: 'rooms.insert-state-group',
  sql: `
    INSERT INTO state_groups (state_group, room_nid, parent, entries, deltas)
    SELECT :stateGroup, :roomNid, state_group, entries + :entriesAdded, deltas + :changes
      FROM state_groups WHERE state_group = :parent`,
});

/**
 * Gives the new group the ancestor that it shall follow, or makes it a checkpoint; nothing for most groups, at the cost of one look at the row. Decided
 * here and not by the writer, who cannot see groups that wait for their commit.
 */
export const raiseStateGroup = defineQuery<
  OfParent & { readonly changes: number; readonly isCheckpoint: number }
>({
  name: 'rooms.raise-state-group',
  sql: `
    WITH RECURSIVE passed (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :parent
      UNION ALL
      SELECT g.state_group, g.parent
        FROM passed c
        CROSS JOIN state_groups g ON g.state_group = c.parent
       WHERE CASE ${SPANS.toReversed().map(stoodBefore).join(' ')} END)
    UPDATE state_groups AS n
       SET parent = CASE WHEN ${IS_CHECKPOINT} THEN NULL ELSE (SELECT min(state_group) FROM passed) END,
           deltas = CASE WHEN ${IS_CHECKPOINT} THEN 0 ELSE n.deltas END
     WHERE n.state_group = :stateGroup AND (${IS_CHECKPOINT} OR ${passes(SPANS[0])})`,
  scans: ['c', 'passed'],
});

const STORED_PARENT = 'coalesce((SELECT parent FROM state_groups WHERE state_group = :stateGroup), 0)';

/** What lies between the given parent and the stored one; nothing when they are the same. */
export const copyStateEntries = defineQuery<OfParent>({
  name: 'rooms.copy-state-entries',
  sql: `
    WITH RECURSIVE passed (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :parent AND state_group > ${STORED_PARENT}
      UNION ALL
      SELECT g.state_group, g.parent
        FROM passed c CROSS JOIN state_groups g ON g.state_group = c.parent
       WHERE g.state_group > ${STORED_PARENT})
    INSERT INTO state_group_entries (state_group, state_key_nid, event_nid)
    SELECT :stateGroup, state_key_nid, event_nid
      FROM (SELECT n.state_key_nid, n.event_nid, max(n.state_group)
              FROM passed c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
             GROUP BY n.state_key_nid) latest
     WHERE event_nid IS NOT NULL OR ${STORED_PARENT} > 0`,
  scans: ['passed', 'c', 'latest'],
});

/** Before the entry is replaced: counts it in, or out. */
export const countStateEntry = defineQuery<
  OfGroup & { readonly type: string; readonly stateKey: string; readonly isSet: number }
>({
  name: 'rooms.count-state-entry',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
    UPDATE state_groups SET entries = entries + :isSet - coalesce((
      SELECT n.event_nid IS NOT NULL
        FROM chain c CROSS JOIN state_group_entries n ON n.state_group = c.state_group
       WHERE n.state_key_nid = ${STATE_KEY_NID}
       ORDER BY n.state_group DESC LIMIT 1), 0)
     WHERE state_group = :stateGroup`,
  scans: ['chain', 'c'],
});

/** A checkpoint is counted as a whole, whatever was known of its parent. */
export const countStateCheckpoint = defineQuery<OfGroup>({
  name: 'rooms.count-state-checkpoint',
  sql: `
    UPDATE state_groups
       SET entries = (SELECT count(event_nid) FROM state_group_entries WHERE state_group = :stateGroup)
     WHERE state_group = :stateGroup AND parent IS NULL`,
});

export const replaceStateEntry = defineQuery<
  OfGroup & { readonly type: string; readonly stateKey: string; readonly eventId: string | null }
>({
  name: 'rooms.replace-state-entry',
  sql: `
    INSERT INTO state_group_entries (state_group, state_key_nid, event_nid)
    VALUES (:stateGroup, ${STATE_KEY_NID}, (SELECT event_nid FROM events WHERE event_id = :eventId))
    ON CONFLICT (state_group, state_key_nid) DO UPDATE SET event_nid = excluded.event_nid`,
});

function insertSteps(roomNid: number, write: StateGroupWrite & { readonly kind: 'new' }): WriteStep[] {
  const { stateGroup, parent, entriesAdded = 0 } = write;
  if (parent === null) return [step(insertFirstStateGroup, { roomNid, stateGroup })];
  const changes = write.changes.length;
  const guard = { expectChanges: 1, refusal: 'state-group-is-gone' satisfies StateGroupGuard };
  return [
    step(insertStateGroup, { roomNid, stateGroup, parent, changes, entriesAdded }, guard),
    step(raiseStateGroup, { stateGroup, parent, changes, isCheckpoint: write.isCheckpoint ? 1 : 0 }),
    step(copyStateEntries, { stateGroup, parent }),
  ];
}

/**
 * The steps that store a state. What its changes name must be stored by then. Nothing for a group that exists.
 *
 * What is stored as its parent may be an ancestor of the one that is given, the entries between them repeated: see {@link SPANS} and
 * {@link CHECKPOINT_FACTOR}. Whatever the layout, a state is its entries over those of the groups that `parent` leads to.
 * Guard: `state-group-is-gone`, when the parent is not stored.
 */
export function storeStateGroup(roomNid: number, write: StateGroupWrite): WriteStep[] {
  if (write.kind === 'existing') return [];
  const { stateGroup, parent, changes, entriesAdded } = write;
  const steps = insertSteps(roomNid, write);
  for (const { type, stateKey, eventId } of changes) {
    const isSet = eventId === null ? 0 : 1;
    if (eventId !== null) steps.push(step(internStateKey, { type, stateKey }));
    if (entriesAdded === undefined && parent !== null)
      steps.push(step(countStateEntry, { stateGroup, type, stateKey, isSet }));
    steps.push(step(replaceStateEntry, { stateGroup, type, stateKey, eventId }));
  }
  steps.push(step(countStateCheckpoint, { stateGroup }));
  return steps;
}
