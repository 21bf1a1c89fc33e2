import type { StreamOwnerProtocol, StreamSubscriberProtocol } from '../src/streams/message.ts';
import { createOwnedDurableStream, type DurableStreamOwner } from '../src/streams/owned-durable-stream.ts';
import {
  createOwnedMemoryStream,
  type MemoryStreamOwner,
  nextEpoch,
} from '../src/streams/owned-memory-stream.ts';
import type { OwnedStreamOptions, StreamServer } from '../src/streams/owned-stream.ts';
import type { DurableStream, MemoryStream } from '../src/streams/stream.ts';
import { commit } from './commit.ts';
import type { TroupeContext } from './environment.ts';
import type { Handlers } from './kit/actor.ts';
import type { ActorRef } from './kit/ref.ts';

export type { DurableStreamOwner } from '../src/streams/owned-durable-stream.ts';
export type { MemoryStreamOwner } from '../src/streams/owned-memory-stream.ts';

/** The messages of {@link StreamOwnerProtocol}, to be spread into an actor's handlers. */
export type StreamOwnerHandlers = Handlers<StreamOwnerProtocol>;

/** A stream in the hands of an actor. */
export interface OwnedStream<Owner> {
  readonly owner: Owner;
  /** Answers for this stream alone: an actor with several streams combines them with {@link combineStreams}. */
  readonly handlers: StreamOwnerHandlers;
  readonly server: StreamServer;
}

function handlersOf(servers: readonly StreamServer[]): StreamOwnerHandlers {
  return {
    'stream.subscribe'(input) {
      for (const server of servers) if (input.streams.includes(server.stream)) server.subscribe(input);
    },
    'stream.unsubscribe'(input) {
      for (const server of servers) server.unsubscribe(input);
    },
    'stream.acknowledge'(input) {
      for (const server of servers) if (input.stream === server.stream) server.acknowledge(input);
    },
    'stream.read'(input) {
      const server = servers.find(({ stream }) => stream === input.stream);
      if (server === undefined) throw new Error(`${input.stream} is not owned here`);
      return server.read(input);
    },
  };
}

/** The handlers of an actor that owns several streams. */
export function combineStreams(...owned: readonly { readonly server: StreamServer }[]): StreamOwnerHandlers {
  return handlersOf(owned.map(({ server }) => server));
}

function optionsOf(context: TroupeContext): OwnedStreamOptions {
  // Who subscribes has said that it understands these messages; its name is data.
  const subscriber = (name: string): ActorRef<StreamSubscriberProtocol> =>
    context.ref(name as `views@${string}`);
  return {
    owner: context.name,
    transport: {
      tellRows: (name, message) => subscriber(name).tell('stream.rows', message),
      tellPosition: (name, message) => subscriber(name).tell('stream.position', message),
    },
    caches: context.env.caches,
    clock: context.clock,
    metrics: context.metrics,
    crash: (error) => context.crash(error),
  };
}

function handOver<Owner>(
  context: TroupeContext,
  made: { readonly owner: Owner; readonly server: StreamServer },
): OwnedStream<Owner> {
  // It may have ended while its start waited for the committer: then nobody tells us any more.
  if (context.ended.aborted) made.server.close();
  context.ended.addEventListener('abort', () => made.server.close(), { once: true });
  return { ...made, handlers: handlersOf([made.server]) };
}

/**
 * Makes the actor the owner of a durable stream, from where its last life ended.
 *
 * @param context of the actor that `stream.owner` names
 */
export async function ownDurableStream<Row>(
  context: TroupeContext,
  stream: DurableStream<string, Row>,
): Promise<OwnedStream<DurableStreamOwner<Row>>> {
  const start = await context.ref('committer').ask('committer.read-position', { stream: stream.name });
  return handOver(
    context,
    createOwnedDurableStream({
      ...optionsOf(context),
      stream,
      start: start.position,
      write: ({ steps, advance }) => commit(context, steps, advance),
    }),
  );
}

/**
 * Makes the actor the owner of an in-memory stream, in a new epoch.
 *
 * @param context of the actor that `stream.owner` names
 * @param bounds `rowsMax`: how many rows it holds, the kit's bound when absent
 */
export function ownMemoryStream<Row>(
  context: TroupeContext,
  stream: MemoryStream<string, Row>,
  bounds: { readonly rowsMax?: number } = {},
): OwnedStream<MemoryStreamOwner<Row>> {
  const epoch = nextEpoch(context.clock, context.random, context.incarnation);
  return handOver(context, createOwnedMemoryStream({ ...optionsOf(context), ...bounds, stream, epoch }));
}
