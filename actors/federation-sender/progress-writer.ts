import { readUnsentOfRooms, type UnsentEvent } from '../../db/federation-sender/reader.ts';
import { replaceProgress, storeFailing, storeProgress } from '../../db/federation-sender/writer.ts';
import { step, type WriteStep } from '../../db/kit/write-set.ts';
import { commit } from '../commit.ts';
import { type Destination, forgetUnnoted } from './destination.ts';
import type { SenderDesk } from './sender-desk.ts';

/** Servers whose state is written in one write set. */
const DESTINATIONS_PER_WRITE_MAX = 500;

function needsWrite({ isChanged, unnoted }: Destination): boolean {
  return isChanged || unnoted.size > 0;
}

/** By room, what is noted for a server already. */
type Noted = ReadonlyMap<string, readonly number[]>;

async function readNoted(
  desk: SenderDesk,
  destinations: readonly Destination[],
): Promise<ReadonlyMap<string, Noted>> {
  const rooms = destinations.flatMap(({ name, mayHaveNotes, unnoted }) =>
    mayHaveNotes ? [...unnoted.keys()].map((roomId) => ({ destination: name, roomId })) : [],
  );
  const noted = new Map<string, Map<string, number[]>>();
  for (const { destination, roomId, eventNid } of await readUnsentOfRooms(desk.context.env.db, rooms)) {
    const ofServer = noted.get(destination) ?? new Map<string, number[]>();
    noted.set(destination, ofServer.set(roomId, [...(ofServer.get(roomId) ?? []), eventNid]));
  }
  return noted;
}

/** What is not to be noted of what waits, as others lead back to it. */
async function findCovered(
  desk: SenderDesk,
  { unnoted }: Destination,
  noted: Noted | undefined,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const covered = new Map<string, ReadonlySet<number>>();
  for (const [roomId, fresh] of unnoted) {
    const waiting = { noted: noted?.get(roomId) ?? [], fresh: [...fresh] };
    // One after another: what was found for one server stands for the next.
    covered.set(roomId, await desk.branches.findCovered(waiting));
  }
  return covered;
}

/** The steps for one server, and what is true of it once they are committed. */
function stepsOf(
  destination: Destination,
  covered: ReadonlyMap<string, ReadonlySet<number>>,
): { readonly steps: WriteStep[]; readonly committed: () => void } {
  const { name, sentUpTo, lastHeardTs, unnoted, events } = destination;
  const settled = new Set(destination.settled);
  const unsent: UnsentEvent[] = [];
  for (const [roomId, ofRoom] of unnoted) {
    const known = covered.get(roomId);
    for (const eventNid of known ?? []) settled.add(eventNid);
    forgetUnnoted(destination, roomId, known ?? []);
    // What came while it was being found out waits for the next time.
    for (const eventNid of known === undefined ? [] : ofRoom) unsent.push({ roomId, eventNid });
  }
  destination.isChanged = false;
  if (unsent.length > 0) destination.mayHaveNotes = true;
  const steps = storeProgress({
    destination: name,
    sentUpTo,
    lastHeardTs,
    unsent,
    settled: destination.mayHaveNotes ? [...settled] : [],
  });
  return {
    steps,
    committed() {
      for (const eventNid of settled) destination.settled.delete(eventNid);
      for (const { roomId, eventNid } of unsent) forgetUnnoted(destination, roomId, [eventNid]);
      const hasSentAll = unsent.length === 0 && destination.settled.size === 0 && events.size === 0;
      if (hasSentAll && unnoted.size === 0 && !destination.isCatchingUp) destination.mayHaveNotes = false;
    },
  };
}

async function write(desk: SenderDesk, destinations: readonly Destination[]): Promise<boolean> {
  const noted = await readNoted(desk, destinations);
  const covered = await Promise.all(
    destinations.map((destination) => findCovered(desk, destination, noted.get(destination.name))),
  );
  const written = destinations.map((destination, index) =>
    stepsOf(destination, covered[index] ?? new Map<string, ReadonlySet<number>>()),
  );
  const outcome = await commit(
    desk.context,
    written.flatMap(({ steps }) => steps),
  );
  if (outcome.kind === 'refused') throw new Error(`progress has no guard, yet ${outcome.refusal}`);
  if (outcome.kind === 'committed') for (const { committed } of written) committed();
  else for (const destination of destinations) destination.isChanged = true;
  return outcome.kind === 'committed';
}

/** Writes who is out of reach and who is not any more, and tells all threads. */
async function writeFailing({ context, failing, changedFailing }: SenderDesk): Promise<boolean> {
  const names = [...changedFailing];
  if (names.length === 0) return true;
  changedFailing.clear();
  const outcome = await commit(
    context,
    names.map((name) => storeFailing(name, failing.get(name) ?? null)),
  );
  if (outcome.kind === 'refused') throw new Error(`reach has no guard, yet ${outcome.refusal}`);
  if (outcome.kind === 'unavailable') for (const name of names) changedFailing.add(name);
  else
    context.ref('caches').tell('caches.invalidate', {
      facts: names.map((serverName) => ({ fact: 'reach', serverName })),
    });
  return outcome.kind === 'committed';
}

/**
 * Writes all that changed since the last time.
 *
 * @param eventsUpTo up to where all events of ours are sent or waiting; null: as far as before
 * @returns false when something could not be written: it is tried again the next time
 */
export async function writeProgress(desk: SenderDesk, eventsUpTo: number | null): Promise<boolean> {
  const changed = [...desk.destinations.values()].filter(needsWrite);
  let isWritten = await writeFailing(desk);
  for (let from = 0; from < changed.length; from += DESTINATIONS_PER_WRITE_MAX) {
    const chunk = changed.slice(from, from + DESTINATIONS_PER_WRITE_MAX);
    // One after another: what follows is true only once all of them are written.
    isWritten = (await write(desk, chunk)) && isWritten;
  }
  if (!isWritten || eventsUpTo === null) return isWritten;
  const outcome = await commit(desk.context, [step(replaceProgress, { eventsUpTo })]);
  return outcome.kind === 'committed';
}

/** Writes what waits for one server, so that it can be read in order. False when it could not be written. */
export function writeDestination(desk: SenderDesk, destination: Destination): Promise<boolean> {
  return needsWrite(destination) ? write(desk, [destination]) : Promise.resolve(true);
}
