import type { TroupeContext, Environment } from '../../../actors/environment.ts';
import type { ActorInstance, AnyActorDefinition } from '../../../actors/kit/actor.ts';
import { defineCommitter } from '../../../actors/committer/actor.ts';
import type { CommitterProtocol } from '../../../actors/committer/protocol.ts';
import { defineActor } from '../../../actors/environment.ts';
import { ownDurableStream, ownMemoryStream } from '../../../actors/stream-owner.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import type { ViewsProtocol } from '../../../actors/views/protocol.ts';
import type { StreamOwnerProtocol, StreamPosition, StreamRows } from '../../../src/streams/message.ts';
import { defineViewsActor } from '../../../actors/views/actor.ts';
import { storeAccountData } from '../../../db/account-data/writer.ts';
import type { WriteOutcome } from '../../../db/kit/write-set.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { accountDataStream } from '../../../src/streams/account-data-stream.ts';
import type { Fact } from '../../../src/streams/fact.ts';
import type { ThreadCaches } from '../../../src/streams/cache.ts';
import { createThreadCaches } from '../../../src/streams/cache-store.ts';
import type { Stream } from '../../../src/streams/stream.ts';
import type { ApplyStep } from '../../../src/streams/stream-view.ts';
import { createThreadViews } from '../../../src/streams/thread-views.ts';
import { typingStream } from '../../../src/streams/typing-stream.ts';
import type { ThreadViews } from '../../../src/streams/view.ts';
import {
  type ActorHost,
  type ActorModule,
  createActorHost,
  type Transport,
} from '../../support/actor-host.ts';
import { createTestDatabase, type TestDatabase } from '../../support/database.ts';
import { createFakeClock, type FakeClock } from '../../support/fake-clock.ts';
import { createFigures, type Figures } from '../../src/streams/figures.ts';

type Definition = AnyActorDefinition<ActorMap, Environment>;

/** A message as a subscriber's mailbox got it. */
export type Heard = { readonly subscriber: string } & (
  ({ readonly kind: 'rows' } & StreamRows) | ({ readonly kind: 'position' } & StreamPosition)
);

/** One subscriber: a thread's views and caches, as if it had a thread of its own. */
export interface Seat {
  readonly name: string;
  readonly views: ThreadViews;
  readonly caches: ThreadCaches;
  readonly figures: Figures;
  readonly facts: Fact[];
  clears: number;
}

/** Owners, a committer, and subscribers, under the real kit with the real database. */
export interface StreamWorld {
  readonly host: ActorHost<ActorMap>;
  readonly database: TestDatabase;
  readonly clock: FakeClock;
  readonly heard: Heard[];
  seat(name: string): Seat;
  /** Commits account data of one user through its owner, one position each. */
  write(...types: string[]): Promise<WriteOutcome>;
  /** Appends to the typing stream through its owner. */
  type(roomId: string, ...userIds: string[]): { readonly epoch: number; readonly position: number };
  /** What the committer says instead of writing, once per entry. */
  readonly faults: WriteOutcome[];
  stop(): Promise<void>;
}

export interface WorldOptions {
  readonly seats?: readonly string[];
  /** Further actors, before the seats. */
  readonly actors?: readonly (Definition | ActorModule)[];
  /** What is in the database before anything starts. */
  readonly before?: (database: TestDatabase) => Promise<unknown>;
  /** Where actors that are given as modules live. */
  readonly transport?: Transport;
  readonly streams?: readonly Stream[];
  readonly applyOrder?: readonly ApplyStep[];
}

/** The program's committer, before the database of the world, which outlives it. */
function committerOf(database: TestDatabase, faults: WriteOutcome[]): Definition {
  const definition = defineCommitter(() => ({ ...database.write, close: () => undefined }));
  return {
    ...definition,
    async start(context: TroupeContext): Promise<ActorInstance<CommitterProtocol>> {
      const { handlers, ...rest } = await definition.start(context);
      const write = handlers['committer.write'];
      return { ...rest, handlers: { ...handlers, 'committer.write': (set) => faults.shift() ?? write(set) } };
    },
  };
}

/** Notes what its mailbox gives it, and lives with an environment of its own. */
function seated(seat: Seat, db: TestDatabase['db'], heard: Heard[]): Definition {
  const definition = defineViewsActor(seat.name);
  return {
    ...definition,
    async start(context: TroupeContext): Promise<ActorInstance<ViewsProtocol>> {
      const env = { ...context.env, db, streams: seat.views, caches: seat.caches };
      const { handlers, ...rest } = await definition.start({
        ...context,
        env,
        metrics: seat.figures.metrics,
      });
      const subscriber = context.name;
      return {
        ...rest,
        handlers: {
          'stream.rows'(message) {
            heard.push({ subscriber, kind: 'rows', ...message });
            return handlers['stream.rows'](message);
          },
          'stream.position'(message) {
            heard.push({ subscriber, kind: 'position', ...message });
            return handlers['stream.position'](message);
          },
        },
      };
    },
  };
}

function takeSeat(
  name: string,
  world: { database: TestDatabase; clock: FakeClock },
  options: WorldOptions,
): Seat {
  const figures = createFigures();
  const { db } = world.database;
  const caches = createThreadCaches({ db, metrics: figures.metrics });
  const facts: Fact[] = [];
  const watched: ThreadCaches = {
    ...caches,
    applyFacts(of) {
      facts.push(...of);
      caches.applyFacts(of);
    },
    clear() {
      seat.clears += 1;
      caches.clear();
    },
  };
  const seat: Seat = {
    name,
    figures,
    facts,
    caches: watched,
    clears: 0,
    views: createThreadViews({
      subscriber: `views@${name}`,
      db,
      caches: watched,
      clock: world.clock,
      metrics: figures.metrics,
      log: silentLogger,
      streams: options.streams ?? [accountDataStream, typingStream],
      ...(options.applyOrder === undefined ? {} : { applyOrder: options.applyOrder }),
    }),
  };
  return seat;
}

/** What actors find that look at no stream and read no table; the rest of an environment is of no concern to owners. */
export function bareEnvironment(): Environment {
  return { streams: null, caches: null } as unknown as Environment;
}

/** Starts a world. Stop it at the end of the test. */
export async function createStreamWorld(options: WorldOptions = {}): Promise<StreamWorld> {
  const database = await createTestDatabase();
  await options.before?.(database);
  const clock = createFakeClock();
  const heard: Heard[] = [];
  const faults: WriteOutcome[] = [];
  const seats = (options.seats ?? ['a']).map((name) => takeSeat(name, { database, clock }, options));
  let write: StreamWorld['write'] | null = null;
  let type: StreamWorld['type'] | null = null;
  const keeper = defineActor<StreamOwnerProtocol>({
    name: 'account-data',
    mailbox: { limit: 10_000, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    async start(context) {
      const { owner, handlers } = await ownDurableStream(context, accountDataStream);
      write = (...types) =>
        owner.write({
          count: types.length,
          steps: types.flatMap((each, offset) =>
            storeAccountData({ userId: '@a:x', roomId: '', type: each, content: '{}' }).map((step) => ({
              ...step,
              positionOffset: offset,
            })),
          ),
          rows: () => types.map((each) => [{ userId: '@a:x', roomId: null, type: each }]),
        });
      return { handlers };
    },
  });
  const typist = defineActor<StreamOwnerProtocol>({
    name: 'typing',
    mailbox: { limit: 10_000, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start(context) {
      const { owner, handlers } = ownMemoryStream(context, typingStream);
      type = (roomId, ...userIds) => ({ epoch: owner.epoch, position: owner.append({ roomId, userIds }) });
      return { handlers };
    },
  });
  const host = await createActorHost<ActorMap, Environment>({
    transport: options.transport ?? 'same-thread',
    workerEnv: { module: import.meta.url, exportName: 'bareEnvironment' },
    actors: [
      committerOf(database, faults),
      keeper,
      typist,
      ...(options.actors ?? []),
      ...seats.map((seat) => seated(seat, database.db, heard)),
    ],
    env: bareEnvironment(),
    clock,
  });
  await host.idle();
  return {
    host,
    database,
    clock,
    heard,
    faults,
    seat(name) {
      const seat = seats.find((each) => each.name === name);
      if (seat === undefined) throw new Error(`no seat ${name}`);
      return seat;
    },
    write(...types) {
      if (write === null) throw new Error('account-data has not started');
      return write(...types);
    },
    type(roomId, ...userIds) {
      if (type === null) throw new Error('typing has not started');
      return type(roomId, ...userIds);
    },
    async stop() {
      await host.stop();
      for (const { views } of seats) views.close();
      database.close();
    },
  };
}
