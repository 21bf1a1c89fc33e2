import { replaceProgress, storeFailing, storeProgress } from '../../db/federation-sender/writer.ts';
import { step, type WriteStep } from '../../db/kit/write-set.ts';
import { commit } from '../commit.ts';
import type { Destination } from './destination.ts';
import type { SenderDesk } from './sender-desk.ts';

/** Servers whose state is written in one write set. */
const DESTINATIONS_PER_WRITE_MAX = 500;

function needsWrite({ isChanged, unnoted }: Destination): boolean {
  return isChanged || unnoted.size > 0;
}

/** The steps for one server, and what is true of it once they are committed. */
function stepsOf(destination: Destination): { readonly steps: WriteStep[]; readonly committed: () => void } {
  const { name, sentUpTo, lastHeardTs, unnoted, events, mayHaveNotes } = destination;
  const noted = [...unnoted];
  destination.isChanged = false;
  const unsent = noted.map(([roomId, eventNid]) => ({ roomId, eventNid }));
  const steps = storeProgress({ destination: name, sentUpTo, lastHeardTs, unsent });
  if (noted.length > 0) destination.mayHaveNotes = true;
  const hasSentAll = noted.length === 0 && events.size === 0 && mayHaveNotes && !destination.isCatchingUp;
  return {
    steps,
    committed() {
      for (const [roomId, eventNid] of noted) if (unnoted.get(roomId) === eventNid) unnoted.delete(roomId);
      if (hasSentAll && unnoted.size === 0 && events.size === 0) destination.mayHaveNotes = false;
    },
  };
}

async function write(desk: SenderDesk, destinations: readonly Destination[]): Promise<boolean> {
  const written = destinations.map(stepsOf);
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
