import type { TroupeContext } from '../../actors/environment.ts';
import type { Protocol } from '../../actors/kit/protocol.ts';
import type { ActorRef, AskOptions } from '../../actors/kit/ref.ts';
import type { WriteSet } from '../../db/kit/write-set.ts';
import type { CacheDefinition, Drops, ThreadCaches } from '../../src/streams/cache.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { StreamPosition, StreamRows } from '../../src/streams/message.ts';
import type { ApplyStep } from '../../src/streams/stream-view.ts';
import type { ThreadViews } from '../../src/streams/view.ts';
import type { Mutation } from './mutation.ts';
import type { ChangeContext } from './wire.ts';

function swapped(name: string, noticedBy: RegExp, applyOrder: readonly ApplyStep[]): Mutation {
  return { name, noticedBy, seat: () => ({ applyOrder }) };
}

/** The same context, with other refs. */
function withRefs(change: (ref: ActorRef<Protocol>, name: string) => ActorRef<Protocol>): ChangeContext {
  return (context) => ({
    ...context,
    ref: ((name: string) =>
      change(context.ref(name as 'rooms') as ActorRef<Protocol>, name)) as TroupeContext['ref'],
  });
}

/** Changes what an owner tells its subscribers. */
function telling(change: <Said extends StreamPosition | StreamRows>(said: Said) => Said): ChangeContext {
  return withRefs((ref, name) =>
    name.startsWith('views@')
      ? {
          ...ref,
          name,
          ask: (message, input, options) => ref.ask(message, input, options),
          tell: (message, input) => ref.tell(message, change(input) as never),
        }
      : ref,
  );
}

/** The owner answers itself with the positions that it expects, and publishes, while its write is still on its way. */
const publishBeforeCommit: Mutation = {
  name: 'publishing before the commit',
  noticedBy: /^rule 1/,
  contexts: ({ committed }) => ({
    rooms: (context) => {
      let next = 0;
      return withRefs((ref, name) =>
        name !== 'committer'
          ? ref
          : {
              ...ref,
              name,
              tell: (message, input) => ref.tell(message, input),
              ask: ((message: never, input: never, options: AskOptions | undefined) => {
                const answer = ref.ask(message, input, options);
                const { advance } = input as WriteSet;
                if (String(message) !== 'committer.write' || advance === undefined) return answer;
                answer.catch(() => undefined);
                next = Math.max(next, committed.head('events'));
                const position = next + 1;
                next += advance.count;
                return Promise.resolve({ kind: 'committed', position, returned: {} });
              }) as ActorRef<Protocol>['ask'],
            },
      )(context);
    },
  }),
};

/** A POSITION says what is committed, though the rows up to there were not told yet. */
const positionIsCommitted: Mutation = {
  name: 'POSITION answered with the committed instead of the last published position',
  noticedBy: /^(3\.[135]|6\.1)/,
  contexts: ({ committed }) =>
    Object.fromEntries(
      ['rooms', 'ledger', 'account-data', 'receipts'].map((owner) => [
        owner,
        telling((said) =>
          'rows' in said ? said : { ...said, position: Math.max(said.position, committed.head(said.stream)) },
        ),
      ]),
    ),
};

/** Rows that come before the POSITION of their connection are taken as they are. */
const rowsBeforePosition: Mutation = {
  name: 'rows before POSITION are not dropped',
  noticedBy: /^(3\.[35]|6\.1)/,
  seat: () => ({
    wrapViews(views): ThreadViews {
      const connected = new Set<string>();
      const owners = new Map<string, Set<string>>();
      for (const { owner, streams } of views.subscriptions()) owners.set(owner, new Set(streams));
      return {
        ...views,
        connect(link) {
          connected.clear();
          views.connect(link);
        },
        disconnect(owner) {
          for (const stream of owners.get(owner) ?? []) connected.delete(stream);
          views.disconnect(owner);
        },
        receivePosition(message) {
          connected.add(message.stream);
          views.receivePosition(message);
        },
        receiveRows(message) {
          const { stream, owner, epoch } = message;
          if (connected.has(stream) || epoch !== views.epoch(stream)) return views.receiveRows(message);
          const current = views.currentToken(stream);
          if (message.position <= current) return undefined;
          views.receivePosition({ stream, owner, epoch, prev: current, position: current });
          return views.receiveRows({ ...message, prev: current });
        },
      };
    },
  }),
};

function dropsOf({ dependsOn }: CacheDefinition<string, unknown>, fact: Fact): Drops<string> {
  const find = dependsOn[fact.fact] as ((fact: Fact) => Drops<string>) | undefined;
  return find?.(fact) ?? [];
}

/** What a load brings is kept, although a fact came meanwhile. */
function keepLostFills(caches: ThreadCaches): ThreadCaches {
  const kept = new Map<string, unknown>();
  const definitions = new Map<string, CacheDefinition<string, unknown>>();
  const keyOf = (cache: string, key: string): string => `${cache} ${key}`;
  return {
    ...caches,
    get<Key extends string, Value>(cache: CacheDefinition<Key, Value>, key: Key): Promise<Value> {
      const at = keyOf(cache.name, key);
      if (kept.has(at)) return Promise.resolve(kept.get(at) as Value);
      definitions.set(cache.name, cache as unknown as CacheDefinition<string, unknown>);
      const before = caches.generation(cache);
      const value = caches.get(cache, key);
      void value.then(
        (loaded) => caches.generation(cache) !== before && kept.set(at, loaded),
        () => undefined,
      );
      return value;
    },
    peek: <Key extends string, Value>(cache: CacheDefinition<Key, Value>, key: Key) =>
      (kept.get(keyOf(cache.name, key)) as Value | undefined) ?? caches.peek(cache, key),
    applyFacts(facts) {
      for (const fact of facts)
        for (const definition of definitions.values()) {
          const drops = dropsOf(definition, fact);
          if (drops === 'all') kept.clear();
          else for (const key of drops) kept.delete(keyOf(definition.name, key));
        }
      caches.applyFacts(facts);
    },
    clear() {
      kept.clear();
      caches.clear();
    },
  };
}

/** All its lives begin in the same moment, by the same chance. */
const sameEpoch: ChangeContext = (context) => ({
  ...context,
  incarnation: 1,
  clock: {
    now: () => 1_700_000_000_000,
    monotonic: () => context.clock.monotonic(),
    after: (delayMs, action) => context.clock.after(delayMs, action),
    cancel: (timer) => context.clock.cancel(timer),
  },
  random: { ...context.random, integer: () => 0 },
});

/** What one sender acknowledges counts for both. */
const acknowledgeForAll: ChangeContext = withRefs((ref, name) =>
  name !== 'federation'
    ? ref
    : {
        ...ref,
        name,
        ask: (message, input, options) => ref.ask(message, input, options),
        tell(message, input) {
          if (message === 'stream.acknowledge')
            for (const subscriber of ['views@sender-1', 'views@sender-2'])
              ref.tell(message, { ...(input as object), subscriber });
          return ref.tell(message, input);
        },
      },
);

/** Every retry of a client is a new transaction. */
const forgetTransactions: ChangeContext = withRefs((ref, name) =>
  name !== 'rooms'
    ? ref
    : {
        ...ref,
        name,
        tell: (message, input) => ref.tell(message, input),
        ask: (message, input, options) =>
          ref.ask(
            message,
            (message === 'rooms.send-event' ? { ...(input as object), transaction: null } : input) as never,
            options,
          ),
      },
);

/** Ways to be wrong, each of which some invariant notices. */
export const MUTATIONS: readonly Mutation[] = [
  swapped('(a) and (b) swapped: the token advances before the caches are invalidated', /^6\.1/, [
    'advance',
    'invalidate',
    'wake',
    'release',
  ]),
  swapped('(b) and (c) swapped: polls are woken before the token advances', /^6\.1/, [
    'invalidate',
    'wake',
    'advance',
    'release',
  ]),
  swapped('(c) and (d) swapped: replies are released before polls are woken', /^1\.6/, [
    'invalidate',
    'advance',
    'release',
    'wake',
  ]),
  swapped('(a) last: polls are woken before the caches are invalidated', /^6\.1/, [
    'advance',
    'wake',
    'release',
    'invalidate',
  ]),
  swapped('(a) left out', /^6\.1/, ['advance', 'wake', 'release']),
  swapped('(c) left out', /^6\.1/, ['invalidate', 'advance', 'release']),
  swapped('(d) left out', /^1\.6/, ['invalidate', 'advance', 'wake']),
  publishBeforeCommit,
  positionIsCommitted,
  rowsBeforePosition,
  {
    name: 'a cache fill that lost its race is stored',
    noticedBy: /^6\.1/,
    seat: () => ({ wrapCaches: keepLostFills }),
  },
  {
    name: 'the owner of typing keeps its epoch over a restart',
    noticedBy: /^2\.3/,
    contexts: () => ({ typing: sameEpoch }),
  },
  {
    name: 'rows travel without their invalidations',
    noticedBy: /^6\.1/,
    contexts: () => ({
      rooms: telling((said) => ('rows' in said ? { ...said, invalidations: [] } : said)),
    }),
  },
  {
    name: 'a row is left out of its message',
    noticedBy: /^3\.3/,
    contexts: () => ({
      rooms: telling((said) =>
        'rows' in said && said.rows.length > 1 ? { ...said, rows: said.rows.slice(1) } : said,
      ),
    }),
  },
  {
    name: 'trimming passes the slower sender',
    noticedBy: /^2\.7/,
    contexts: () => ({ 'views@sender-1': acknowledgeForAll, 'views@sender-2': acknowledgeForAll }),
  },
  {
    name: 'transactions are forgotten',
    noticedBy: /^1\.4/,
    contexts: () => ({ 'http@gateway-1': forgetTransactions, 'http@gateway-2': forgetTransactions }),
  },
];
