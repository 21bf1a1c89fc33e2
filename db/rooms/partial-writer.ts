import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

type OfRoom = { readonly roomNid: number };

export const insertPartialRoom = defineQuery<
  OfRoom & { readonly joinEventId: string; readonly joinedVia: string; readonly servers: string }
>({
  name: 'rooms.insert-partial-room',
  sql: `
    INSERT INTO partial_rooms (room_nid, join_event_id, joined_via, servers)
    VALUES (:roomNid, :joinEventId, :joinedVia, :servers)`,
});

export const deletePartialRoom = defineQuery<OfRoom>({
  name: 'rooms.delete-partial-room',
  sql: 'DELETE FROM partial_rooms WHERE room_nid = :roomNid',
});

export const deletePlacements = defineQuery<OfRoom>({
  name: 'rooms.delete-partial-placements',
  sql: 'DELETE FROM partial_placements WHERE room_nid = :roomNid',
});

export const insertPlacement = defineQuery<
  OfRoom & {
    readonly position: number;
    readonly eventId: string;
    readonly isGiven: number;
    readonly isWaiting: number;
  }
>({
  name: 'rooms.insert-partial-placement',
  sql: `
    INSERT INTO partial_placements (position, room_nid, event_nid, is_given, is_waiting)
    SELECT :position, :roomNid, event_nid, :isGiven, :isWaiting FROM events WHERE event_id = :eventId`,
});

/** A room that this server joins without its members. */
export interface PartialRoomWrite {
  readonly roomNid: number;
  readonly joinEventId: string;
  readonly joinedVia: string;
  readonly servers: readonly string[];
}

/** How an event of a room whose state is not whole was decided about. */
export interface Placement {
  /** The state before it was given, whole. */
  readonly isGiven: boolean;
  /** It is rejected until its auth events come. */
  readonly isWaiting: boolean;
}

/** An event that follows others, all of whose auth events are known: what most are. */
export const PLAIN_PLACEMENT: Placement = { isGiven: false, isWaiting: false };

/** The step that marks a room as one whose state lacks members. MSC3902. */
export function storePartialRoom({ servers, ...room }: PartialRoomWrite): WriteStep {
  return step(insertPartialRoom, { ...room, servers: JSON.stringify(servers) });
}

/** The steps after which nothing says of a room that its state is not whole: it is now, or it is not known at all. */
export function forgetPartialRoom(roomNid: number): WriteStep[] {
  return [step(deletePartialRoom, { roomNid }), step(deletePlacements, { roomNid })];
}

/**
 * The step that remembers that an event came into the graph of a room whose state is not whole, after those that store it.
 *
 * @param positionOffset of the position at which it was decided about: no other event's
 */
export function notePlacement(
  roomNid: number,
  eventId: string,
  { isGiven, isWaiting }: Placement,
  positionOffset: number,
): WriteStep {
  const flags = { isGiven: isGiven ? 1 : 0, isWaiting: isWaiting ? 1 : 0 };
  return step(insertPlacement, { roomNid, eventId, ...flags }, { positionOffset });
}
