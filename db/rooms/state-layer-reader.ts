import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { readSizeOfState } from './head-reader.ts';
import { readStateAbove, readStateOfGroup, type StateChange, type StateEntry } from './state-reader.ts';

/** A state as what it changes in another one, which many states of its time have in common. */
export interface StateLayer {
  readonly base: number;
  /** Each place once; empty where the group is its own base. */
  readonly changes: readonly StateChange[];
}

/**
 * Groups between two multiples of this, counted in changes since the checkpoint, have one base. The more they are, the fewer whole states are kept
 * in memory and the more each one differs from them.
 */
export const LAYER_CHANGES_MAX = 512;

const LAYER = `deltas / ${LAYER_CHANGES_MAX}`;

export const findBaseOfGroup = defineQuery<{ readonly stateGroup: number }, { readonly base: number | null }>(
  {
    name: 'rooms.find-base-of-group',
    sql: `
    WITH RECURSIVE passed (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent
        FROM passed c CROSS JOIN state_groups g ON g.state_group = c.parent
       WHERE g.${LAYER} = (SELECT ${LAYER} FROM state_groups WHERE state_group = :stateGroup))
    SELECT min(state_group) AS base FROM passed`,
    scans: ['passed', 'c'],
  },
);

/** The state of a group, over the one that it shares most with. A group that does not exist is its own base. */
export function readStateLayer(db: ReadDb, stateGroup: number): Promise<StateLayer> {
  // In one world: a purge may give groups other parents.
  return db.snapshot(async (world) => {
    const { base } = await world.get(findBaseOfGroup, { stateGroup });
    if (base === null || base === stateGroup) return { base: stateGroup, changes: [] };
    return { base, changes: await readStateAbove(world, stateGroup, base) };
  });
}

/** The whole state of a group; undefined where there is no such group, any more or ever. */
export function findWholeState(db: ReadDb, stateGroup: number): Promise<readonly StateEntry[] | undefined> {
  return db.snapshot(async (world) => {
    if ((await world.find(readSizeOfState, { stateGroup })) === undefined) return undefined;
    return readStateOfGroup(world, stateGroup);
  });
}
