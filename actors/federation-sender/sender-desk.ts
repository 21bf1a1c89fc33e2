import {
  destinationsWithEvents,
  type FailingDestination,
  failingDestinations,
  readAllPages,
} from '../../db/federation-sender/reader.ts';
import { destinationsWithDeviceLists } from '../../db/device-lists/outbound-reader.ts';
import { destinationsWithMessages } from '../../db/to-device/outbound-reader.ts';
import { type BackoffPolicy, backoffMs } from '../../src/kit/backoff.ts';
import { parseServerName } from '../../src/matrix/identifiers/server-name.ts';
import type { TroupeContext } from '../environment.ts';
import { type Branches, createBranches } from './branches.ts';
import { createPduReader, type ReadPdu } from './outgoing-pdus.ts';
import { beginCatchUp, createDestination, type Destination, FAILURES_TO_CATCH_UP } from './destination.ts';

/** Waits between tries to reach a server that does not take what it is sent. */
export const DESTINATION_BACKOFF: BackoffPolicy = {
  initialMs: 5_000,
  factor: 2,
  maxMs: 24 * 60 * 60 * 1_000,
};
/** Servers of which it is remembered that they do not answer; those longest known make room, unless something waits for them. */
export const FAILING_DESTINATIONS_MAX = 20_000;
/** What is told of a failure, in characters. */
const ERROR_LENGTH_MAX = 300;
const PAGE_ROWS = 1_000;

/** What is known in this life of the servers that something is sent to. */
export interface SenderDesk {
  readonly context: TroupeContext;
  readonly pduOf: ReadPdu;
  readonly branches: Branches;
  /** Those that something waits for. */
  readonly destinations: ReadonlyMap<string, Destination>;
  /** Those that do not take what they are sent, or do not answer. */
  readonly failing: ReadonlyMap<string, FailingDestination>;
  /** Of {@link failing}: those whose row is to be written, or deleted. */
  readonly changedFailing: Set<string>;
  /** One of them, made where it is not here. Undefined for what is no server, and for this one. */
  readonly destination: (name: string) => Destination | undefined;
  forget(destination: Destination): void;
  /** It is not to be tried now. */
  isHeldBack(name: string): boolean;
  /** It is tried again later, and later each time. Of several failures at one time the first counts. */
  noteFailure(name: string, reason: string, isAnswering: boolean): void;
  /** It is not failing any more. True when it was. */
  noteSuccess(name: string): boolean;
}

/** Makes room for one more. */
function makeRoom(
  failing: Map<string, FailingDestination>,
  destinations: ReadonlyMap<string, Destination>,
  changed: Set<string>,
): void {
  if (failing.size < FAILING_DESTINATIONS_MAX) return;
  const spare = [...failing.keys()].find((name) => !destinations.has(name));
  if (spare === undefined) return;
  failing.delete(spare);
  changed.add(spare);
}

/** Opens the desk of one life, with what the database knows. */
export async function openSenderDesk(context: TroupeContext): Promise<SenderDesk> {
  const { clock, random, env } = context;
  const { db, config } = env;
  const destinations = new Map<string, Destination>();
  const changedFailing = new Set<string>();
  const rows = await readAllPages((page) => db.all(failingDestinations, page), PAGE_ROWS);
  const failing = new Map(rows.map((row) => [row.destination, row]));

  function destination(name: string): Destination | undefined {
    const known = destinations.get(name);
    if (known !== undefined) return known;
    if (name === config.server.name || parseServerName(name) === undefined) return undefined;
    const made = createDestination(name);
    destinations.set(name, made);
    return made;
  }

  const desk: SenderDesk = {
    context,
    pduOf: createPduReader(),
    branches: createBranches(db),
    destinations,
    failing,
    changedFailing,
    destination,
    forget: ({ name }) => void destinations.delete(name),
    isHeldBack(name) {
      const known = failing.get(name);
      return known !== undefined && known.retryTs > clock.now();
    },
    noteFailure(name, reason, isAnswering) {
      const now = clock.now();
      const known = failing.get(name);
      if (known !== undefined && known.retryTs > now) return;
      if (known === undefined) makeRoom(failing, destinations, changedFailing);
      const failures = (known?.failures ?? 0) + 1;
      failing.set(name, {
        destination: name,
        failingSinceTs: known?.failingSinceTs ?? now,
        retryTs: now + Math.ceil(backoffMs(DESTINATION_BACKOFF, failures, random)),
        failures,
        isAnswering: isAnswering ? 1 : 0,
        lastError: reason.slice(0, ERROR_LENGTH_MAX),
      });
      changedFailing.add(name);
      const waiting = destinations.get(name);
      waiting?.edus.dropMomentary();
      if (waiting !== undefined && waiting.events.size > 0 && failures >= FAILURES_TO_CATCH_UP)
        beginCatchUp(waiting);
    },
    noteSuccess(name) {
      const wasFailing = failing.delete(name);
      if (wasFailing) changedFailing.add(name);
      return wasFailing;
    },
  };
  await loadWaiting(desk);
  return desk;
}

/** Finds for whom something is stored. */
async function loadWaiting({ context, destination }: SenderDesk): Promise<void> {
  const { db } = context.env;
  const [withEvents, withMessages, withDeviceLists] = await Promise.all([
    readAllPages((page) => db.all(destinationsWithEvents, page), PAGE_ROWS),
    readAllPages((page) => db.all(destinationsWithMessages, page), PAGE_ROWS),
    readAllPages((page) => db.all(destinationsWithDeviceLists, page), PAGE_ROWS),
  ]);
  for (const { destination: name } of withEvents) {
    const one = destination(name);
    if (one !== undefined) Object.assign(one, { isCatchingUp: true, mayHaveNotes: true });
  }
  for (const { destination: name } of withMessages) {
    const one = destination(name);
    if (one !== undefined) one.mayHaveMessages = true;
  }
  for (const { destination: name } of withDeviceLists) {
    const one = destination(name);
    if (one !== undefined) one.mayHaveDeviceLists = true;
  }
}
