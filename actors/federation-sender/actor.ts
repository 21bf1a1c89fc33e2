import { storedDestinations } from '../../db/federation-sender/reader.ts';
import { parseServerName } from '../../src/matrix/identifiers/server-name.ts';
import type { FederationRow } from '../../src/streams/federation-stream.ts';
import type { Timer } from '../../src/kit/clock.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import { type Couriers, createCouriers } from './couriers.ts';
import { addEvent, isIdle } from './destination.ts';
import { createEventMark, type EventMark } from './event-mark.ts';
import { writeProgress } from './progress-writer.ts';
import type { DestinationState, FederationSenderProtocol } from './protocol.ts';
import { followQueue, type QueueFollower } from './queue-follower.ts';
import { recoverEvents } from './recovery.ts';
import { openSenderDesk, type SenderDesk } from './sender-desk.ts';

type NoteStored = InputOf<FederationSenderProtocol, 'federation-sender.note-stored'>;
type ReadDestinations = InputOf<FederationSenderProtocol, 'federation-sender.read-destinations'>;

const MAILBOX_LIMIT = 10_000;
/** How often what waits patiently goes, what failed is looked at again, and what changed is written. */
export const TICK_MS = 1_000;
/** Destinations that one answer lists at most. */
const LISTED_MAX = 1_000;

/** The parts of one life. */
interface Sender {
  readonly context: TroupeContext;
  readonly desk: SenderDesk;
  readonly couriers: Couriers;
  readonly queue: QueueFollower;
  readonly mark: EventMark;
  /** Looks in the database for events that the queue does not have. */
  readonly findLost: () => void;
}

function addRow(desk: SenderDesk, couriers: Couriers, row: FederationRow, position: number): void {
  const destination = desk.destination(row.destination);
  if (destination === undefined) return;
  if (row.kind === 'event') {
    addEvent(destination, row.eventPosition, row.roomId);
  } else destination.edus.add({ type: row.type, content: row.content, key: row.key, position });
  couriers.poke(destination, { isUrgentOnly: true });
}

/** Up to where the queue may forget: events are noted by now, EDUs are delivered or wait for who is out of reach. */
function acknowledgeable({ desk }: Sender, position: number): number {
  let upTo = position;
  for (const { name, edus } of desk.destinations.values())
    if (!desk.failing.has(name)) upTo = Math.min(upTo, edus.firstPosition() - 1);
  return upTo;
}

function tidy({ desk, couriers }: Sender): void {
  for (const destination of desk.destinations.values()) {
    if (isIdle(destination)) desk.forget(destination);
    else couriers.poke(destination, { isUrgentOnly: false });
  }
}

async function tick(sender: Sender): Promise<void> {
  const { desk, queue, mark } = sender;
  queue.check();
  mark.advance();
  tidy(sender);
  const [epoch, position] = [queue.epoch(), queue.position()];
  if (await writeProgress(desk, mark.take())) {
    // What came meanwhile is not written yet.
    if (queue.epoch() === epoch) queue.acknowledge(acknowledgeable(sender, position));
  }
}

async function readDestinations(
  { context, desk }: Sender,
  { after, limit }: ReadDestinations,
): Promise<readonly DestinationState[]> {
  const page = { after: after ?? '', limit: Math.min(limit, LISTED_MAX) };
  const stored = await context.env.db.all(storedDestinations, page);
  const rows = new Map(stored.map((row) => [row.destination, row]));
  const end = stored.length < page.limit ? undefined : stored.at(-1)?.destination;
  const isOnPage = (name: string): boolean => name > page.after && (end === undefined || name <= end);
  const names = new Set(
    [...rows.keys(), ...desk.failing.keys(), ...desk.destinations.keys()].filter(isOnPage),
  );
  return [...names]
    .toSorted((one, other) => (one < other ? -1 : 1))
    .slice(0, page.limit)
    .map((name) => {
      const [row, failing, waiting] = [rows.get(name), desk.failing.get(name), desk.destinations.get(name)];
      return {
        destination: name,
        failingSinceTs: failing?.failingSinceTs ?? null,
        retryTs: failing?.retryTs ?? null,
        lastError: failing?.lastError ?? null,
        lastHeardTs: waiting?.lastHeardTs ?? row?.lastHeardTs ?? null,
        queuedEvents: waiting?.events.size ?? 0,
        queuedEdus: waiting?.edus.size ?? 0,
        eventsSentUpTo: Math.max(waiting?.sentUpTo ?? 0, row?.eventsSentUpTo ?? 0),
      };
    });
}

/** It is in reach again: what waits for it goes at once. */
function retry({ desk, couriers }: Sender, serverName: string): boolean {
  const wasFailing = desk.noteSuccess(serverName);
  const destination = desk.destinations.get(serverName);
  if (destination !== undefined) couriers.poke(destination, { isUrgentOnly: false });
  return wasFailing || destination !== undefined;
}

function noteHeard(sender: Sender, serverName: string, isAnswer: boolean): void {
  const { desk, context } = sender;
  const failing = desk.failing.get(serverName);
  // It answers, that is known: but it does not take what it is sent.
  if (isAnswer && failing?.isAnswering === 1) return;
  const destination = desk.destinations.get(serverName);
  if (destination !== undefined) destination.lastHeardTs = context.clock.now();
  if (failing !== undefined) retry(sender, serverName);
}

function noteStored({ desk, couriers }: Sender, { destinations, what }: NoteStored): void {
  for (const name of destinations) {
    const destination = desk.destination(name);
    if (destination === undefined) continue;
    if (what === 'messages') destination.mayHaveMessages = true;
    else destination.mayHaveDeviceLists = true;
    couriers.poke(destination, { isUrgentOnly: true });
  }
}

/** Looks in the database for what the queue has lost, or had before this life. */
async function recover(desk: SenderDesk, couriers: Couriers): Promise<void> {
  couriers.hold(true);
  await recoverEvents(desk);
  couriers.hold(false);
}

async function startSender(context: TroupeContext): Promise<Sender> {
  const desk = await openSenderDesk(context);
  const couriers = createCouriers(desk);
  let recovery = recover(desk, couriers);
  // Before rows come that are newer than what it finds.
  await recovery;
  const findLost = (): void => {
    // What is new must not go before what was lost.
    couriers.hold(true);
    mark.reset();
    recovery = recovery
      .then(() => recover(desk, couriers))
      .catch((error: unknown) => {
        if (!context.ended.aborted) context.crash(error);
      });
  };
  const queue = followQueue(context, {
    add: (row, position) => addRow(desk, couriers, row, position),
    noteLoss() {
      for (const { edus } of desk.destinations.values()) edus.forgetPositions();
      findLost();
    },
  });
  const mark = createEventMark(context, queue);
  return { context, desk, couriers, queue, mark, findLost };
}

/** Ticks until the life ends. */
function tickRegularly(sender: Sender): () => Promise<void> {
  const { clock, ended } = sender.context;
  let timer: Timer;
  let last = Promise.resolve();
  const run = async (): Promise<void> => {
    try {
      await tick(sender);
    } catch (error) {
      if (!ended.aborted) sender.context.crash(error);
    }
    if (!ended.aborted) timer = clock.after(TICK_MS, next);
  };
  const next = (): void => void (last = run());
  timer = clock.after(TICK_MS, next);
  ended.addEventListener('abort', () => clock.cancel(timer));
  return async () => {
    clock.cancel(timer);
    await last;
  };
}

/**
 * Sends transactions to other servers. Events wait in memory and are noted in the database as unsent when that takes longer than a moment; what
 * is neither sent nor noted when a life ends, the next one finds among the events of ours. EDUs that are true for a moment only are told to
 * who can be told. Server-Server API v1.19, "Transactions".
 */
export const federationSenderActor = defineActor<FederationSenderProtocol>({
  name: 'federation-sender',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
  async start(context) {
    const sender = await startSender(context);
    const { desk, couriers, queue } = sender;
    const stopTicking = tickRegularly(sender);
    return {
      handlers: {
        'federation-sender.note-heard': ({ serverName, isAnswer = false }) =>
          noteHeard(sender, serverName, isAnswer),
        'federation-sender.note-unreachable'({ serverName, reason }) {
          if (serverName === context.env.config.server.name || parseServerName(serverName) === undefined)
            return;
          desk.noteFailure(serverName, reason, false);
        },
        'federation-sender.note-stored': (stored) => noteStored(sender, stored),
        'federation-sender.note-loss': () => sender.findLost(),
        'federation-sender.read-destinations': (page) => readDestinations(sender, page),
        'federation-sender.retry-now': ({ destination }) => ({
          kind: 'retried',
          isKnown: retry(sender, destination),
        }),
        'stream.rows': (message) => queue.receiveRows(message),
        'stream.position': (message) => queue.receivePosition(message),
      },
      async stop() {
        couriers.hold(true);
        await stopTicking();
        await writeProgress(desk, null);
      },
    };
  },
});
