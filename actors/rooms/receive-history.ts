import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { EventsRow } from '../../db/rooms/stream-reader.ts';
import type { Fact } from '../../src/streams/fact.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { DurableStreamOwner } from '../stream-owner.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { placePast, type StoreStates } from './place-past.ts';
import type { RoomsProtocol } from './protocol.ts';
import { type RoomsDesk, withRoom } from './rooms-desk.ts';
import { storeOutliers } from './store-outliers.ts';

type ReceiveHistory = InputOf<RoomsProtocol, 'rooms.receive-history'>;
type HistoryStored = OutputOf<RoomsProtocol, 'rooms.receive-history'>;

/** A write into the past of the timeline. */
export interface HistoryWrite {
  /** Positions it takes, at least 1: offset 0 is the newest of them. */
  readonly count: number;
  readonly steps: readonly WriteStep[];
  /** What became true of events that were stored before. */
  readonly facts: readonly Fact[];
}

/** How the past of the timeline is written. */
export interface HistoryWriter {
  /** At positions below all others, of which nobody is told. */
  write(write: HistoryWrite): Promise<Refusal | undefined>;
  readonly storeStates: StoreStates;
}

/** Makes the one way in which the past of the events stream is written. */
export function createHistoryWriter(
  context: TroupeContext,
  owner: DurableStreamOwner<EventsRow>,
): HistoryWriter {
  function refusalOf(outcome: WriteOutcome): Refusal | undefined {
    if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
    if (outcome.kind === 'refused') throw new Error(`history was refused: ${outcome.refusal}`);
    return undefined;
  }
  return {
    async write({ count, steps, facts }) {
      const refusal = refusalOf(await owner.writeBackward({ count, steps }));
      if (refusal === undefined && facts.length > 0)
        context.ref('caches').tell('caches.invalidate', { facts });
      return refusal;
    },
    storeStates: async (steps) => refusalOf(await commit(context, steps)),
  };
}

/**
 * Takes events into the past of a room's timeline, in one turn of the room. They are stored outside of it first, where their auth events
 * decide about them; then those that can be placed get their states and their places in one write set.
 * Server-Server API v1.19, "Backfilling and retrieving missing events".
 */
export async function receiveHistory(
  desk: RoomsDesk,
  writer: HistoryWriter,
  { roomId, events, receivedFrom }: ReceiveHistory,
): Promise<HistoryStored> {
  await desk.settled(roomId);
  return withRoom<HistoryStored | Promise<HistoryStored>>(
    desk,
    roomId,
    () => refuse('M_NOT_FOUND', `this server is in no room ${roomId}`),
    async (room) => {
      // What the states of the past are made of is not whole, and what follows the join is decided about once more.
      if (room.isPartial)
        return refuse('M_UNKNOWN', `the members of ${roomId} are not all known yet`, { status: 503 });
      const stored = await storeOutliers(desk, {
        roomId,
        events: events.map(({ event }) => event),
        receivedFrom,
      });
      if (isRefusal(stored)) return stored;
      const placed = await placePast(desk, room, writer.storeStates, { events, receivedFrom });
      if (isRefusal(placed)) return placed;
      const { visible, ...past } = placed;
      const refusal = past.count === 0 ? undefined : await writer.write(past);
      return refusal ?? { kind: 'stored', events: visible };
    },
  );
}
