import { readAwaitedIds } from '../../db/rooms/inbound-reader.ts';
import { recordResolvedState, storeInboundEvent } from '../../db/rooms/inbound-writer.ts';
import { findRoom, type RoomRecord } from '../../db/rooms/room-reader.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { createEventIdOfRoom } from '../../src/matrix/identifiers/room-id.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { findReleased } from './held-redactions.ts';
import { type JudgedOutlier, judgeOutliers } from './judge-outliers.ts';
import { writeReleased } from './place-event.ts';
import type { OutlierOutcome, ReceivedEvent, RoomsProtocol } from './protocol.ts';
import { parseReceived, type ReceivedPdu } from './received-pdu.ts';
import type { RoomsDesk } from './rooms-desk.ts';

type ReceiveOutliers = InputOf<RoomsProtocol, 'rooms.receive-outliers'>;
/** What became of events outside of the timeline. */
export type OutliersStored = OutputOf<RoomsProtocol, 'rooms.receive-outliers'>;

/** Events that one write set stores. */
const OUTLIERS_PER_WRITE_MAX = 500;

interface Ledger {
  readonly rows: (EventsRow | null)[];
  readonly steps: WriteStep[];
  readonly facts: Fact[];
}

/** The steps that store an event outside of the timeline at one position; none for one that was decided about before. */
function storeOutlier(
  roomNid: number,
  { event, known, outcome, rejection, missing }: JudgedOutlier,
  receivedFrom: string | null,
  positionOffset: number,
): WriteStep[] {
  if (outcome === 'known') return [];
  const { eventId, pdu, json } = event;
  return storeInboundEvent(
    {
      roomNid,
      eventId,
      isStored: known !== null,
      isVisible: false,
      depth: pdu.depth,
      originServerTs: pdu.origin_server_ts,
      type: pdu.type,
      stateKey: pdu.state_key ?? null,
      rejection,
      stateGroup: null,
      receivedFrom,
      pdu: json,
      missing,
    },
    positionOffset,
  );
}

async function createIdOf(
  desk: Pick<RoomsDesk, 'db'>,
  roomId: string,
  version: RoomVersion,
): Promise<string | undefined> {
  if (version.roomIdFormat === 'create-event') return createEventIdOfRoom(roomId);
  return (await findCurrentStateEvent(desk.db, roomId, 'm.room.create', ''))?.eventId;
}

async function writeOutliers(
  desk: RoomsDesk,
  room: RoomRecord,
  outliers: readonly JudgedOutlier[],
  receivedFrom: string | null,
): Promise<Refusal | undefined> {
  const { roomNid, roomId } = room;
  const version = getRoomVersion(room.roomVersion);
  const ledger: Ledger = { rows: [], steps: [], facts: [] };
  const awaited = await readAwaitedIds(
    desk.db,
    outliers.map(({ event }) => event.eventId),
  );
  let hasRedacted = false;
  let hasRevealed = false;
  for (const outlier of outliers) {
    const { eventId, pdu } = outlier.event;
    ledger.steps.push(...storeOutlier(roomNid, outlier, receivedFrom, ledger.rows.length));
    ledger.rows.push(null);
    if (outlier.known !== null && outlier.outcome !== 'missing')
      ledger.facts.push({ fact: 'event', roomId, eventId });
    if (outlier.outcome !== 'accepted' || !awaited.has(eventId)) continue;
    const released = await findReleased(desk.db, version, roomId, { eventId, pdu });
    writeReleased(ledger, roomId, { eventId, pdu }, released);
    hasRedacted ||= released.length > 0;
    hasRevealed ||= released.some(({ isRevealed }) => isRevealed);
  }
  const inMemory = hasRedacted ? await desk.rooms.find(roomId) : undefined;
  // What is seen from here on has the state that there was when it came.
  if (hasRevealed && typeof inMemory?.stateGroup === 'number')
    ledger.steps.push(recordResolvedState(roomNid, inMemory.stateGroup, ledger.rows.length - 1));
  const outcome = await desk.commit({ roomId, ...ledger, isOurs: false });
  if (inMemory !== undefined) desk.rooms.discard(inMemory);
  return isRefusal(outcome) ? outcome : undefined;
}

function parseAll(
  version: RoomVersion,
  roomId: string,
  events: readonly ReceivedEvent[],
): { readonly parsed: readonly ReceivedPdu[]; readonly malformed: readonly string[] } {
  const parsed: ReceivedPdu[] = [];
  const malformed: string[] = [];
  for (const event of events) {
    const pdu = parseReceived(version, roomId, event);
    if (isRefusal(pdu)) malformed.push(event.eventId);
    else parsed.push(pdu);
  }
  return { parsed, malformed };
}

/**
 * Stores events outside of the timeline, and looks at nothing that waits for them. Nothing of the room is under way.
 *
 * @returns refused with M_NOT_FOUND for a room that is not known, and when storage is not available: what was written by then stays
 */
export async function storeOutliers(
  desk: RoomsDesk,
  input: Omit<ReceiveOutliers, 'receivedFrom'> & { readonly receivedFrom: string | null },
): Promise<OutliersStored> {
  const { roomId, receivedFrom } = input;
  const room = await findRoom(desk.db, roomId);
  if (room === undefined) return refuse('M_NOT_FOUND', `there is no room ${roomId} that this server knows`);
  const version = getRoomVersion(room.roomVersion);
  const { parsed, malformed } = parseAll(version, roomId, input.events);
  const createId = await createIdOf(desk, roomId, version);
  const judged = await judgeOutliers(
    desk.db,
    { roomId, version, ...(createId !== undefined && { createId }) },
    parsed,
  );
  const fresh = judged.filter(({ outcome }) => outcome !== 'known');
  for (let start = 0; start < fresh.length; start += OUTLIERS_PER_WRITE_MAX) {
    const some = fresh.slice(start, start + OUTLIERS_PER_WRITE_MAX);
    const refusal = await writeOutliers(desk, room, some, receivedFrom);
    if (refusal !== undefined) return refusal;
  }
  const outcomes: OutlierOutcome[] = judged.map(({ event, outcome }) => ({
    eventId: event.eventId,
    outcome,
  }));
  for (const eventId of malformed) outcomes.push({ eventId, outcome: 'rejected' });
  return { kind: 'stored', outcomes };
}
