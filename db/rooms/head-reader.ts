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

/** How large a state is, and how far from the last checkpoint its group is. */
export interface StateGroupSize {
  /** Entries of the state. Null: the group was written before sizes were kept. */
  readonly entries: number | null;
  /** Changes since the last checkpoint; 0 for a checkpoint. Null: the group was written before sizes were kept. */
  readonly deltas: number | null;
}

/** The highest numbers that were given out, those of deleted rows included; 0 when none was. */
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

export const readSizeOfState = defineQuery<{ readonly stateGroup: number }, StateGroupSize>({
  name: 'rooms.read-state-size',
  sql: 'SELECT entries, deltas FROM state_groups WHERE state_group = :stateGroup',
});

export const readHighestNumbersEver = defineQuery<Record<string, never>, HighestNumbers>({
  name: 'rooms.read-highest-numbers',
  sql: `
    SELECT max(coalesce((SELECT max(room_nid) FROM rooms), 0),
               coalesce((SELECT room_nid FROM deleted_numbers WHERE only_row = 1), 0)) AS roomNid,
           max(coalesce((SELECT max(state_group) FROM state_groups), 0),
               coalesce((SELECT state_group FROM deleted_numbers WHERE only_row = 1), 0)) AS stateGroup`,
});

/** The events that a room's next event follows. */
export function readExtremities(db: ReadDb, roomNid: number): Promise<readonly ForwardExtremity[]> {
  return db.all(readExtremitiesOfRoom, { roomNid });
}

/** How large the state of a group is. The group must exist. */
export function readStateGroupSize(db: ReadDb, stateGroup: number): Promise<StateGroupSize> {
  return db.get(readSizeOfState, { stateGroup });
}

/** Where the owner of rooms goes on counting after a restart. */
export function readHighestNumbers(db: ReadDb): Promise<HighestNumbers> {
  return db.get(readHighestNumbersEver, {});
}
