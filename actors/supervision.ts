import type { Config } from '../src/config/config.ts';
import {
  MAIN_THREAD,
  SUPERVISION_DEFAULTS,
  type SupervisionTree,
  type ThreadSpec,
} from './kit/supervision-tree.ts';
import type { ActorProtocols } from './protocols.ts';

type ActorName = keyof ActorProtocols;

/** Where the committer lives, and beside it the owners unless they are placed elsewhere. */
const STORE_THREAD = 'store';

/** In start order: an owner may ask those before it while it starts. */
const OWNERS: readonly ActorName[] = [
  'caches',
  'federation',
  'typing',
  'presence',
  'device-lists',
  'to-device',
  'keys',
  'key-backup',
  'push-rules',
  'thread-subscriptions',
  'account-data',
  'receipts',
  'rooms',
  'delayed-events',
  'search',
  'push',
  'push-sender',
  'accounts',
  'server-notices',
  'user-directory',
  'reports',
  'media',
];

/** Where slow peers delay nobody. */
const COURIERS_THREAD = 'couriers';

/** Those that speak to other servers. */
const COURIERS: readonly ActorName[] = [
  'server-keys',
  'policy-servers',
  'federation-sender',
  'federation-receiver',
  'remote-rooms',
  'remote-devices',
];

/** Those that own nothing: beside the supervisor, away from the owners. */
const UNOWNING: readonly ActorName[] = ['pool', 'previews'];

/** Actors that `[actors] placement` may move: all but those that a thread cannot do without. */
export const PLACEABLE: readonly ActorName[] = [...OWNERS, ...COURIERS, ...UNOWNING];

/** The name of a gateway thread. */
export function gatewayThread(number: number): string {
  return `gateway-${number}`;
}

/** `[actors] placement` names an actor that does not exist or cannot be moved. */
export class PlacementError extends Error {
  constructor(actor: string) {
    super(`actors.placement: there is no actor "${actor}" to place; there are: ${PLACEABLE.join(', ')}`);
    this.name = 'PlacementError';
  }
}

function threadSpec(name: string, actors: readonly string[]): ThreadSpec {
  return { name, actors: actors.map((actor) => ({ name: actor })) };
}

/**
 * A thread with owners on it sees the streams as well: owners read through caches. One that only computes does not, since every
 * announcement would wake it for nothing.
 */
function workingThread(name: string, actors: readonly ActorName[]): ThreadSpec {
  const hasOwners = actors.some((actor) => !UNOWNING.includes(actor));
  return threadSpec(name, hasOwners ? [`views@${name}`, ...actors] : actors);
}

function homeOf(actor: ActorName): string {
  if (COURIERS.includes(actor)) return COURIERS_THREAD;
  return UNOWNING.includes(actor) ? MAIN_THREAD : STORE_THREAD;
}

/**
 * The whole tree as data. The store comes up first and ends last, so that all others may ask it while they start and stop; gateways
 * come last, so that nobody knocks before there is somebody to answer.
 *
 * @throws PlacementError when the configuration places an actor that cannot be placed
 */
export function supervisionTree(config: Config): SupervisionTree {
  const { placement } = config.actors;
  for (const actor of Object.keys(placement)) {
    if (!PLACEABLE.some((name) => name === actor)) throw new PlacementError(actor);
  }
  const threadOf = (actor: ActorName): string => placement[actor] ?? homeOf(actor);
  const placedOn = (thread: string): readonly ActorName[] =>
    PLACEABLE.filter((actor) => threadOf(actor) === thread);
  const gateways = Array.from({ length: config.server.gateways }, (_, index) => gatewayThread(index + 1));
  const known = new Set([MAIN_THREAD, STORE_THREAD, ...gateways]);
  const others = [...new Set(PLACEABLE.map(threadOf))].filter((thread) => !known.has(thread));
  return {
    ...SUPERVISION_DEFAULTS,
    threads: [
      threadSpec(STORE_THREAD, ['committer', `views@${STORE_THREAD}`, ...placedOn(STORE_THREAD)]),
      workingThread(MAIN_THREAD, ['inspector', 'control', ...placedOn(MAIN_THREAD)]),
      ...others.map((thread) => workingThread(thread, placedOn(thread))),
      ...gateways.map((thread) =>
        threadSpec(thread, [`views@${thread}`, ...placedOn(thread), `http@${thread}`]),
      ),
    ],
  };
}

/** Those that a server without listeners does without: they only speak to other machines. */
const TO_OTHERS: readonly string[] = [...COURIERS, 'push-sender', 'previews', 'inspector'];

/** Of {@link supervisionTree}, what carries out a command while no server runs: everything that owns something. */
export function headlessTree(config: Config): SupervisionTree {
  const tree = supervisionTree(config);
  const isNeeded = (name: string): boolean => !TO_OTHERS.includes(name) && !name.startsWith('http@');
  const threads = tree.threads
    .map(({ name, actors }) => ({ name, actors: actors.filter((actor) => isNeeded(actor.name)) }))
    // One that has nothing left but its view of the streams has nobody to look at it.
    .filter(({ actors }) => actors.some(({ name }) => !name.startsWith('views@')));
  return { ...tree, threads, absent: TO_OTHERS };
}
