import { type EventsRow, readEventRows } from '../../db/rooms/stream-reader.ts';
import type { Fact } from './fact.ts';
import { defineDurableStream, type WakeKey } from './stream.ts';

function isMember(row: EventsRow): row is EventsRow & { readonly stateKey: string } {
  return row.type === 'm.room.member' && row.stateKey !== null;
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
  ],
  read: readEventRows,
  wakes(row) {
    const room: WakeKey = `room:${row.roomId}`;
    return isMember(row) ? [room, `user:${row.stateKey}`] : [room];
  },
  invalidates(row) {
    const { roomId, type, stateKey } = row;
    const facts: Fact[] = [];
    if (stateKey !== null) facts.push({ fact: 'room-state', roomId, type, stateKey });
    if (isMember(row)) facts.push({ fact: 'membership', roomId, userId: row.stateKey });
    if (row.kind === 'event' && row.redacts !== null)
      facts.push({ fact: 'event', roomId, eventId: row.redacts });
    return facts;
  },
});
