import { type EventsRow, readEventRows, type RoomChange } from '../../db/rooms/stream-reader.ts';
import type { Fact } from './fact.ts';
import { defineDurableStream, type WakeKey } from './stream.ts';

function isMember(
  row: Exclude<EventsRow, { readonly kind: 'room' }>,
): row is Exclude<EventsRow, { readonly kind: 'room' }> & { readonly stateKey: string } {
  return row.type === 'm.room.member' && row.stateKey !== null;
}

/** What was deleted may stand in any cache, by whatever key. */
function factsOfRoomChange(roomId: string, change: RoomChange): readonly Fact[] {
  return change === 'left' || change === 'joined'
    ? [{ fact: 'room-changed', roomId, members: [] }]
    : [{ fact: 'everything' }];
}

/** Timeline events and changes of current state; owned by `rooms`. */
export const eventsStream = defineDurableStream<'events', EventsRow>({
  name: 'events',
  letter: 's',
  owner: 'rooms',
  tables: [
    { table: 'events', column: 'event_nid' },
    { table: 'events', column: 'stream_ordering' },
    { table: 'state_changes', column: 'position' },
    { table: 'local_memberships', column: 'position' },
    { table: 'room_changes', column: 'position' },
    { table: 'resolved_states', column: 'position' },
    { table: 'partial_placements', column: 'position' },
    { table: 'ended_memberships', column: 'position' },
    { table: 'sticky_events', column: 'position' },
  ],
  read: readEventRows,
  wakes(row) {
    const room: WakeKey = `room:${row.roomId}`;
    if (row.kind === 'room') return [room];
    return isMember(row) ? [room, `user:${row.stateKey}`] : [room];
  },
  invalidates(row) {
    if (row.kind === 'room') return factsOfRoomChange(row.roomId, row.change);
    const { roomId, type, stateKey } = row;
    const facts: Fact[] = [];
    if (stateKey !== null) facts.push({ fact: 'room-state', roomId, type, stateKey });
    if (isMember(row)) facts.push({ fact: 'membership', roomId, userId: row.stateKey });
    if (row.kind === 'event' && row.redacts !== null)
      facts.push({ fact: 'event', roomId, eventId: row.redacts });
    if (row.kind === 'event' && row.isLate === true)
      facts.push({ fact: 'event', roomId, eventId: row.eventId });
    if (row.kind === 'event')
      for (const eventId of row.parents ?? []) facts.push({ fact: 'relations', roomId, eventId });
    return facts;
  },
});
