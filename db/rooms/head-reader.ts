import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** An event that no other event has followed yet. */
export interface ForwardExtremity {
  readonly eventId: string;
  readonly depth: number;
  /** The state after it. */
  readonly stateGroup: number | null;
  readonly pdu: string;
}

/** What decides when the next checkpoint of a room's state is due. */
export interface StateGroupSize {
  /** Entries of the current state. */
  readonly entries: number;
  /** Groups since, and without, the last checkpoint. */
  readonly deltas: number;
}

/** The highest numbers that were given out; 0 when none was. */
export interface HighestNumbers {
  readonly roomNid: number;
  readonly stateGroup: number;
}

export const readExtremitiesOfRoom = defineQuery<{ readonly roomNid: number }, ForwardExtremity>({
  name: 'rooms.read-extremities',
  sql: `
    SELECT e.event_id AS eventId, e.depth, e.state_group AS stateGroup, e.pdu
      FROM forward_extremities f JOIN events e ON e.event_nid = f.event_nid
     WHERE f.room_nid = :roomNid
     ORDER BY f.event_nid`,
});

export const readSizeOfState = defineQuery<
  { readonly roomNid: number; readonly stateGroup: number },
  StateGroupSize
>({
  name: 'rooms.read-state-size',
  sql: `
    WITH RECURSIVE chain (state_group, parent) AS (
      SELECT state_group, parent FROM state_groups WHERE state_group = :stateGroup
      UNION ALL
      SELECT g.state_group, g.parent FROM chain c JOIN state_groups g ON g.state_group = c.parent)
    SELECT (SELECT count(*) FROM current_state WHERE room_nid = :roomNid) AS entries,
           (SELECT count(*) FROM chain WHERE parent IS NOT NULL) AS deltas`,
  scans: ['chain', 'c'],
});

export const readHighestNumbersEver = defineQuery<Record<string, never>, HighestNumbers>({
  name: 'rooms.read-highest-numbers',
  sql: `
    SELECT coalesce((SELECT max(room_nid) FROM rooms), 0) AS roomNid,
           coalesce((SELECT max(state_group) FROM state_groups), 0) AS stateGroup`,
});

/** The events that a room's next event follows. */
export function readExtremities(db: ReadDb, roomNid: number): Promise<readonly ForwardExtremity[]> {
  return db.all(readExtremitiesOfRoom, { roomNid });
}

/** How large a room's current state is, and how far its group is from the last checkpoint. Cost: both. */
export function readStateGroupSize(db: ReadDb, roomNid: number, stateGroup: number): Promise<StateGroupSize> {
  return db.get(readSizeOfState, { roomNid, stateGroup });
}

/** Where the owner of rooms goes on counting after a restart. */
export function readHighestNumbers(db: ReadDb): Promise<HighestNumbers> {
  return db.get(readHighestNumbersEver, {});
}
