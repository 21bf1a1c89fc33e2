import { type EndedMembership, readEndedMemberships } from '../../db/rooms/deletion-reader.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import { toClientEvent } from '../matrix/events/client-event.ts';
import { getRoomVersion } from '../matrix/rooms/room-versions.ts';
import { matchesRoom, matchesRoomEvent } from '../matrix/sync-filter.ts';
import { formatToken } from '../streams/token.ts';
import { selectFieldsOfText } from './filtering.ts';
import { eventsText, listText, objectText } from './json-text.ts';
import type { SyncContext } from './sync-context.ts';

const EVENTS = 'events';

/** The section of a room that is gone: the member event with which the user's stay ended, and no more. */
function leftRoomText(context: SyncContext, ended: EndedMembership): string {
  const { filter, range, services, stateForm } = context;
  const { eventId, roomId, roomVersion } = ended;
  const pdu = JSON.parse(ended.pdu) as Pdu;
  const ageMs = Math.max(0, services.clock.now() - pdu.origin_server_ts);
  const options = { includeRoomId: false, ageMs };
  const event = toClientEvent(getRoomVersion(roomVersion), eventId, roomId, pdu, options);
  const { type, sender, content } = pdu;
  const text = selectFieldsOfText(filter, JSON.stringify(event));
  const isShown = matchesRoomEvent(filter.room.timeline, { roomId, type, sender, content });
  const timeline = objectText([
    ['events', listText(isShown ? [text] : [])],
    ['limited', 'true'],
    ['prev_batch', JSON.stringify(formatToken(range.upTo))],
  ]);
  return objectText([
    [stateForm, stateForm === 'state' ? null : eventsText([text])],
    ['timeline', timeline],
  ]);
}

/**
 * The rooms that were deleted within the range, as far as the client is to learn that the user is in them no more: it may have been away
 * when the user left. Who came back to one since is told of that instead.
 *
 * @param known ids of the rooms that are told of anyway
 * @returns the texts by room id, for `rooms.leave`
 */
export async function readDeletedRooms(
  context: SyncContext,
  known: ReadonlySet<string>,
): Promise<ReadonlyMap<string, string>> {
  const { caller, filter, range, services } = context;
  const [from, to] = [range.from(EVENTS), range.to(EVENTS)];
  if (range.isInitial || from >= to) return new Map();
  const ended = await readEndedMemberships(services.db, caller.userId, from, to);
  const wanted = ended.filter(({ roomId }) => !known.has(roomId) && matchesRoom(filter.room, roomId));
  return new Map(wanted.map((one) => [one.roomId, leftRoomText(context, one)]));
}
