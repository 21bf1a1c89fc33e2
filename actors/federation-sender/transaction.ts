import { readOutgoingEvents } from '../../db/federation-sender/event-reader.ts';
import { readUnsentEvents } from '../../db/federation-sender/reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { type Destination, noteDelivered } from './destination.ts';
import { takeDeviceLists, takeMessages } from './device-edus.ts';
import { writeDestination } from './progress-writer.ts';
import type { SenderDesk } from './sender-desk.ts';

/** The most that one transaction has. Server-Server API v1.19, "Transactions". */
export const PDUS_MAX = 50;
export const EDUS_MAX = 100;

/** What one server is sent at once. */
export interface Transaction {
  readonly pdus: readonly JsonObject[];
  readonly edus: readonly JsonObject[];
  /** The server has it. False when that could not be stored: some of it is sent again. */
  settle(): Promise<boolean>;
}

interface TakenEvents {
  readonly eventNids: readonly number[];
  readonly isCatchUp: boolean;
}

/** The events that are next. Where the server was away for long they stand in the database, of each room the ends of its branches. */
async function takeEvents(desk: SenderDesk, destination: Destination): Promise<TakenEvents> {
  const { events, name } = destination;
  if (!destination.isCatchingUp) {
    // In their order: what was found after a restart may have come behind what is new.
    const eventNids = [...events.keys()].toSorted((one, other) => one - other).slice(0, PDUS_MAX);
    return { eventNids, isCatchUp: false };
  }
  const isWritten = await writeDestination(desk, destination);
  const unsent = await readUnsentEvents(desk.context.env.db, name, PDUS_MAX);
  if (unsent.length === 0 && isWritten && destination.unnoted.size === 0) {
    destination.isCatchingUp = false;
    destination.mayHaveNotes = false;
  }
  return { eventNids: unsent.map(({ eventNid }) => eventNid), isCatchUp: true };
}

/** Puts together what is next for a server. All of it may be empty: then it is settled without being sent. */
export async function composeTransaction(desk: SenderDesk, destination: Destination): Promise<Transaction> {
  const { context } = desk;
  const { eventNids, isCatchUp } = await takeEvents(desk, destination);
  const found = await readOutgoingEvents(context.env.db, eventNids);
  // Before the messages: whoever gets one from a device that it does not know has to ask.
  const deviceLists = await takeDeviceLists(context, destination);
  const messages = await takeMessages(context, destination);
  const stored = [...deviceLists.edus, ...messages.edus];
  const { edus, taken } = destination.edus.take(EDUS_MAX - stored.length);
  return {
    pdus: eventNids.flatMap((eventNid) => {
      const event = found.get(eventNid);
      // Purged since.
      return event === undefined ? [] : [desk.pduOf(event)];
    }),
    edus: [...stored, ...edus],
    async settle() {
      destination.edus.remove(taken);
      noteDelivered(destination, eventNids);
      const areEventsSettled = !isCatchUp || (await writeDestination(desk, destination));
      const areListsSettled = await deviceLists.settle();
      return (await messages.settle()) && areListsSettled && areEventsSettled;
    },
  };
}
