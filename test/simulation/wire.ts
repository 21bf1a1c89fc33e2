import type { Environment, TroupeContext } from '../../actors/environment.ts';
import type { AnyActorDefinition } from '../../actors/kit/actor.ts';
import { type Handlers, Later } from '../../actors/kit/actor.ts';
import type { Protocol } from '../../actors/kit/protocol.ts';
import type { ActorRef, TellOutcome } from '../../actors/kit/ref.ts';
import type { ActorMap } from '../../actors/protocols.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { StreamPosition, StreamRows } from '../../src/streams/message.ts';
import type { StreamPage } from '../../src/streams/stream.ts';
import type { Verdict } from './verdict.ts';

/** An actor of the simulation. */
export type Definition = AnyActorDefinition<ActorMap, Environment>;

/** The living incarnations, by actor: a fault is done to one of them. */
export type LivingContexts = Map<string, TroupeContext>;

/** An actor whose next message throws, before or after it is handled. */
export type CrashFlags = Map<string, 'before' | 'after'>;

/** Changes what an actor is given: for mutations. */
export type ChangeContext = (context: TroupeContext) => TroupeContext;

/** What owners told their subscribers, and what must hold of it. */
export interface Wire {
  /** The same actor, its every word to subscribers judged. */
  watch(definition: Definition): Definition;
  /** Rows of an in-memory stream that an epoch has said, as text, by position. */
  said(stream: string, epoch: number): ReadonlyMap<number, string>;
  /** Pokes told for each room. */
  pokes(roomId: string): number;
}

interface WireOptions {
  readonly verdict: Verdict;
  readonly contexts: LivingContexts;
  readonly flags: CrashFlags;
  readonly changeContext: Readonly<Record<string, ChangeContext>>;
}

function isDurable(epoch: number): boolean {
  return epoch === 0;
}

/** One conversation: what one incarnation of an owner has told one subscriber of one stream. */
interface Conversation {
  /** Null: it is to begin with a POSITION. */
  told: number | null;
}

function createJudge({ verdict }: WireOptions) {
  const said = new Map<string, Map<number, string>>();
  const pokes = new Map<string, Set<number>>();

  const note = (stream: string, epoch: number, position: number, row: unknown): void => {
    const key = `${stream} ${epoch}`;
    const rows = said.get(key) ?? new Map<number, string>();
    said.set(key, rows);
    const text = JSON.stringify(row);
    const before = rows.get(position);
    if (before !== undefined && before !== text)
      verdict.blame(
        '2.3',
        `${stream} said two things at ${position} of epoch ${epoch}: ${before} and ${text}`,
      );
    rows.set(position, text);
  };
  const notePoke = (position: number, facts: readonly Fact[]): void => {
    for (const fact of facts) {
      if (fact.fact !== 'room-changed') continue;
      const at = pokes.get(fact.roomId) ?? new Set();
      pokes.set(fact.roomId, at.add(position));
    }
  };
  const judgeContent = (message: StreamRows): void => {
    const { stream, epoch, prev, position, rows } = message;
    let last = prev;
    for (const { position: at, row } of rows) {
      if (at < last || at <= prev || at > position)
        verdict.blame('3.5', `${stream} told a row at ${at} after ${last}, in (${prev}, ${position}]`);
      last = at;
      if (!isDurable(epoch)) note(stream, epoch, at, row);
      if (stream === 'caches') notePoke(at, (row as { readonly facts: readonly Fact[] }).facts);
    }
  };
  return {
    note,
    said: (stream: string, epoch: number) => said.get(`${stream} ${epoch}`) ?? new Map<number, string>(),
    pokes: (roomId: string) => pokes.get(roomId)?.size ?? 0,
    /** Judges a message that was sent. */
    judge(conversation: Conversation, subscriber: string, message: StreamPosition | StreamRows): void {
      const { stream, owner, epoch, prev, position } = message;
      const what = `${owner} told ${subscriber} of ${stream} (${prev}, ${position}]`;
      if (isDurable(epoch) && position > verdict.committed.head(stream))
        verdict.blame('rule 1', `${what}, committed up to ${verdict.committed.head(stream)}`);
      if (prev > position) verdict.blame('3.7', what);
      const { told } = conversation;
      // A POSITION alone may begin the conversation anew at any time.
      const isAnew = !('rows' in message) && prev === position;
      if (told !== null && prev !== told && !isAnew) verdict.blame('3.1', `${what} after ${told}`);
      if ('rows' in message) {
        if (told === null) verdict.blame('3.1', `${what} before any POSITION`);
        judgeContent(message);
      }
      conversation.told = position;
    },
  };
}

function crashing(name: string, handlers: Handlers<Protocol>, flags: CrashFlags): Handlers<Protocol> {
  return new Proxy(handlers, {
    get(target, message, receiver) {
      const handler = Reflect.get(target, message, receiver) as ((input: unknown) => unknown) | undefined;
      const flag = flags.get(name);
      if (flag === undefined || handler === undefined) return handler;
      flags.delete(name);
      return async (input: unknown) => {
        const output = flag === 'after' ? await handler(input) : undefined;
        // Nobody is left to hear of it.
        if (output instanceof Later) output.answer.catch(() => undefined);
        throw new Error(`crashed by the simulation, ${flag} ${String(message)}`);
      };
    },
  });
}

/** Watches what owners say. */
export function createWire(options: WireOptions): Wire {
  const { contexts, flags, changeContext } = options;
  const judge = createJudge(options);

  const watchContext = (context: TroupeContext): TroupeContext => {
    const conversations = new Map<string, Conversation>();
    const conversation = (subscriber: string, stream: string): Conversation => {
      const key = `${subscriber} ${stream}`;
      const known = conversations.get(key) ?? { told: null };
      conversations.set(key, known);
      return known;
    };
    const watchRef = (ref: ActorRef<Protocol>): ActorRef<Protocol> => ({
      name: ref.name,
      ask: (message, input, options_) => ref.ask(message, input, options_),
      tell(message, input): TellOutcome {
        const outcome = ref.tell(message, input);
        if (message !== 'stream.rows' && message !== 'stream.position') return outcome;
        const said = input as StreamPosition | StreamRows;
        const talk = conversation(ref.name, said.stream);
        if (outcome === 'sent') judge.judge(talk, ref.name, said);
        else talk.told = null;
        return outcome;
      },
    });
    return {
      ...context,
      ref: ((name: string) => {
        const ref = context.ref(name as 'rooms') as ActorRef<Protocol>;
        return name.startsWith('views@') ? watchRef(ref) : ref;
      }) as TroupeContext['ref'],
    };
  };
  const noteReads = (handlers: Handlers<Protocol>): Handlers<Protocol> => {
    type Page = StreamPage<unknown> & { readonly epoch: number };
    // Owners answer pages at once.
    const read = handlers['stream.read'] as unknown as ((input: unknown) => Page) | undefined;
    if (read === undefined) return handlers;
    return {
      ...handlers,
      'stream.read'(input: { readonly stream: string }) {
        const page = read(input);
        for (const { position, row } of page.rows) judge.note(input.stream, page.epoch, position, row);
        return page as never;
      },
    };
  };

  return {
    watch: (definition) => ({
      ...definition,
      async start(context) {
        contexts.set(definition.name, context);
        const change = changeContext[definition.name];
        const watched = watchContext(context);
        const instance = await definition.start(change?.(watched) ?? watched);
        return {
          handlers: crashing(definition.name, noteReads(instance.handlers), flags),
          stop: () => instance.stop?.(),
        };
      },
    }),
    said: judge.said,
    pokes: judge.pokes,
  };
}
