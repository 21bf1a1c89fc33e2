import type { TroupeContext } from '../../../actors/environment.ts';
import { walkFromEvent } from '../../../db/federation-sender/branch-reader.ts';
import type { ReadDb } from '../../../db/kit/read-db.ts';
import type { Protocol } from '../../../actors/kit/protocol.ts';
import type { ActorRef, AskOptions } from '../../../actors/kit/ref.ts';
import type {
  FederationAnswer,
  FederationClient,
  FederationRequest,
} from '../../../src/federation/federation-client.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import type { ChangeContext } from '../wire.ts';
import type { FederationMutation } from './federation-mutation.ts';

/** Another client: each request and its answer may be changed. */
function asking(
  change: (
    request: FederationRequest,
    ask: (request: FederationRequest) => Promise<FederationAnswer>,
  ) => Promise<FederationAnswer>,
): (client: FederationClient) => FederationClient {
  return (client) => ({
    ...client,
    request: (request) => change(request, (changed) => client.request(changed)),
  });
}

/** Changes what an actor asks another one. */
function withAsk(
  of: string,
  change: (
    message: string,
    input: JsonObject,
    ask: (input: JsonObject) => Promise<unknown>,
  ) => Promise<unknown>,
): ChangeContext {
  const wrap = (ref: ActorRef<Protocol>): ActorRef<Protocol> => ({
    name: ref.name,
    tell: (message, input) => ref.tell(message, input),
    ask: ((message: string, input: JsonObject, options?: AskOptions) =>
      change(message, input, (changed) =>
        ref.ask(message as never, changed, options),
      )) as ActorRef<Protocol>['ask'],
  });
  return (context) => ({
    ...context,
    ref: ((name: string) => {
      const ref = context.ref(name as 'rooms') as ActorRef<Protocol>;
      return name === of ? wrap(ref) : ref;
    }) as TroupeContext['ref'],
  });
}

interface Walk {
  readonly from: number;
  readonly oldest: number;
}

function positionsBetween(first: number, last: number): readonly { readonly position: number }[] {
  return Array.from({ length: last - first + 1 }, (_, index) => ({ position: first + index }));
}

/** Changes what is found when somebody walks back from an event. */
function withWalk(walked: (walk: Walk) => readonly { readonly position: number }[]): ChangeContext {
  return (context) => {
    const { db } = context.env;
    const all: ReadDb['all'] = async (query, ...parameters) => {
      const rows = await db.all(query, ...parameters);
      return query.name === walkFromEvent.name
        ? (walked(parameters[0] as unknown as Walk) as unknown as typeof rows)
        : rows;
    };
    return { ...context, env: { ...context.env, db: { ...db, all } } };
  };
}

function isSend({ path }: FederationRequest): boolean {
  return path.startsWith('/_matrix/federation/v1/send/');
}

const NOTHING_TAKEN: FederationAnswer = { kind: 'answered', body: { pdus: {} } };

/** What the servers do wrong, and what notices it. */
export const FEDERATION_MUTATIONS: readonly FederationMutation[] = [
  {
    name: 'a transaction without an answer counts as delivered',
    noticedBy: /^(events|state|kept|liveness)/,
    client: asking(async (request, ask) => {
      const answer = await ask(request);
      return isSend(request) && answer.kind === 'unreachable' ? NOTHING_TAKEN : answer;
    }),
  },
  {
    name: 'the last event of each transaction is left out',
    noticedBy: /^(events|state|kept)/,
    client: asking((request, ask) => {
      const pdus = request.body?.['pdus'];
      if (!isSend(request) || !Array.isArray(pdus)) return ask(request);
      return ask({ ...request, body: { ...request.body, pdus: pdus.slice(0, -1) } });
    }),
  },
  {
    name: 'no event that is missing can be had',
    noticedBy: /^(events|state|kept)/,
    client: asking((request, ask) =>
      /get_missing_events|\/backfill\/|\/state_ids\/|\/state\//.test(request.path)
        ? Promise.resolve({ kind: 'unreachable', reason: 'says the mutation', retryTs: null })
        : ask(request),
    ),
  },
  {
    name: 'requests go without a signature',
    noticedBy: /^entry/,
    client: asking((request, ask) =>
      ask(request.isSigned === false ? request : { ...request, isSigned: false }),
    ),
  },
  {
    name: 'a message that is sent again is another one',
    noticedBy: /^once/,
    contexts: () => ({
      'http@gateway-1': withAsk('rooms', async (message, input, ask) => {
        if (message !== 'rooms.send-event') return ask(input);
        return ask({ ...input, transaction: null });
      }),
    }),
  },
  {
    name: 'the newest of the events that wait counts as leading back to the others of its room',
    noticedBy: /^(events|state|kept)/,
    contexts: () => ({ 'federation-sender': withWalk(({ from, oldest }) => positionsBetween(oldest, from)) }),
  },
];
