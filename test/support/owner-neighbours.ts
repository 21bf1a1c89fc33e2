import type { CachesProtocol } from '../../actors/caches/protocol.ts';
import type { CommitterProtocol } from '../../actors/committer/protocol.ts';
import type { Environment } from '../../actors/environment.ts';
import type { FederationProtocol, OutgoingEdu } from '../../actors/federation/protocol.ts';
import type { ActorDefinition } from '../../actors/kit/actor.ts';
import type { FederationSenderProtocol } from '../../actors/federation-sender/protocol.ts';
import type { InputOf, Protocol } from '../../actors/kit/protocol.ts';
import type { ActorMap } from '../../actors/protocols.ts';
import type { RoomsProtocol } from '../../actors/rooms/protocol.ts';
import type { StorageFault } from '../../db/kit/write-set.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { StreamPosition, StreamRows } from '../../src/streams/message.ts';
import type { TestDatabase } from './database.ts';
import type { FakeClock } from './fake-clock.ts';

/** What the subscriber of a world heard of a stream. */
export type Heard =
  ({ readonly kind: 'rows' } & StreamRows) | ({ readonly kind: 'position' } & StreamPosition);

/** An actor that stands in for one that owners ask or tell. */
export type Neighbour<P extends Protocol> = ActorDefinition<P, ActorMap, Environment>;

/** It takes whatever comes. */
export const EVERYTHING = {
  mailbox: { limit: 100_000, whenFull: 'refuse' },
  order: { kind: 'interleaved' },
} as const;

/** What a world holds, whichever life its actors are in. */
export interface WorldState {
  readonly database: TestDatabase;
  readonly clock: FakeClock;
  readonly heard: Heard[];
  readonly edus: { readonly roomId: string; readonly edu: OutgoingEdu }[];
  readonly directEdus: { readonly destination: string; readonly edu: OutgoingEdu }[];
  readonly facts: Fact[];
  readonly stored: InputOf<FederationSenderProtocol, 'federation-sender.note-stored'>[];
  fault: StorageFault | null;
  commits: number;
  places: number;
}

/** A committer over the database of the world, which can be told to fail. */
export function committerOf(state: WorldState): Neighbour<CommitterProtocol> {
  return {
    name: 'committer',
    ...EVERYTHING,
    start: () => ({
      handlers: {
        async 'committer.write'(set) {
          if (state.fault !== null) return { kind: 'unavailable', fault: state.fault, detail: 'of the test' };
          const outcome = await state.database.write.write(set);
          if (outcome.kind === 'committed') state.commits += 1;
          return outcome;
        },
        async 'committer.read-position'({ stream }) {
          await state.database.write.settled();
          return { position: state.database.write.position(stream) };
        },
      },
    }),
  };
}

/** Notes the EDUs that it is told of. */
export function federationOf(state: WorldState): Neighbour<FederationProtocol> {
  const handlers = {
    'federation.queue-room-edu': (told: WorldState['edus'][number]) => void state.edus.push(told),
    'federation.queue-rooms-edu': (told: {
      readonly roomIds: readonly string[];
      readonly edu: OutgoingEdu;
    }) => told.roomIds.forEach((roomId) => state.edus.push({ roomId, edu: told.edu })),
    'federation.queue-edu': (told: WorldState['directEdus'][number]) => void state.directEdus.push(told),
  };
  return { name: 'federation', ...EVERYTHING, start: () => ({ handlers: handlers as never }) };
}

/** Notes what it is told that is stored for other servers. */
export function senderOf(state: WorldState): Neighbour<FederationSenderProtocol> {
  const handlers = {
    'federation-sender.note-stored': (told: WorldState['stored'][number]) => void state.stored.push(told),
  };
  return { name: 'federation-sender', ...EVERYTHING, start: () => ({ handlers: handlers as never }) };
}

/** Notes the facts that it is told of. */
export function cachesOf(state: WorldState): Neighbour<CachesProtocol> {
  const handlers = {
    'caches.invalidate': ({ facts }: { readonly facts: readonly Fact[] }) => void state.facts.push(...facts),
  };
  return { name: 'caches', ...EVERYTHING, start: () => ({ handlers: handlers as never }) };
}

/** An owner of rooms that has nothing to tell: what it would tell, tests tell in its place. */
export function roomsOf(): Neighbour<RoomsProtocol> {
  const ignore = (): void => undefined;
  const handlers = { 'stream.subscribe': ignore, 'stream.unsubscribe': ignore };
  return { name: 'rooms', ...EVERYTHING, start: () => ({ handlers: handlers as never }) };
}
