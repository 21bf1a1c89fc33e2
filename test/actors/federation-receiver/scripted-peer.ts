import type {
  FederationAnswer,
  FederationClient,
  FederationRequest,
} from '../../../src/federation/federation-client.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { edgeIds } from '../../../src/matrix/events/pdu.ts';
import type { ForeignEvent, ForeignRoom } from '../rooms/foreign-events.ts';

/** Other servers as a client sees them: all of them know the foreign view of one room. */
export interface ScriptedPeers {
  readonly client: FederationClient;
  /** `<destination> <what>`, in order; `what` is the part of the path after the version. */
  readonly asked: string[];
  /** The room that they are asked about. */
  room: ForeignRoom | null;
  /** Events that they have not, or do not give. */
  readonly withheld: Set<string>;
  /** Questions that they do not answer: `get_missing_events`, `state`, …, or `<destination> state` of one of them. */
  readonly silent: Set<string>;
  /** What is given in the place of an event, by its id. */
  readonly forged: Map<string, JsonObject>;
  /** Waited for before each answer. */
  delay: (request: FederationRequest) => Promise<void>;
}

const NOT_FOUND: FederationAnswer = {
  kind: 'refused',
  status: 404,
  errcode: 'M_NOT_FOUND',
  error: 'not found',
  body: {},
};

/** Makes peers that know nothing yet. */
export function createScriptedPeers(): ScriptedPeers {
  const given = ({ eventId, pdu }: ForeignEvent): JsonObject => peers.forged.get(eventId) ?? pdu;
  const has = (id: string): boolean => peers.room?.events.has(id) === true && !peers.withheld.has(id);
  const roomOf = (): ForeignRoom => {
    if (peers.room === null) throw new Error('the peers know no room');
    return peers.room;
  };

  /** Breadth first, going back; what is withheld is not passed. */
  function walk(from: readonly string[], stopAt: ReadonlySet<string>, limit: number): readonly string[] {
    const seen = new Set<string>();
    let level = from;
    while (level.length > 0 && seen.size < limit) {
      const next: string[] = [];
      for (const id of level) {
        if (seen.has(id) || stopAt.has(id) || !has(id) || seen.size >= limit) continue;
        seen.add(id);
        next.push(...edgeIds(roomOf().get(id).pdu.prev_events));
      }
      level = next;
    }
    return [...seen];
  }

  function authChain(ids: readonly string[]): readonly string[] {
    const chain = new Set<string>();
    const stack = [...ids];
    for (let id = stack.pop(); id !== undefined; id = stack.pop())
      for (const auth of edgeIds(roomOf().get(id).pdu.auth_events))
        if (!chain.has(auth)) {
          chain.add(auth);
          stack.push(auth);
        }
    return [...chain];
  }

  const give = (ids: readonly string[]): readonly JsonObject[] =>
    ids.filter((id) => has(id)).map((id) => given(roomOf().get(id)));

  function answer(what: string, parts: readonly string[], request: FederationRequest): JsonObject | null {
    const query = request.query ?? {};
    if (what === 'get_missing_events') {
      const body = request.body as unknown as Record<'earliest_events' | 'latest_events', string[]> & {
        limit: number;
      };
      const from = body.latest_events.flatMap((id) => edgeIds(roomOf().get(id).pdu.prev_events));
      return { events: give(walk(from, new Set(body.earliest_events), body.limit)) };
    }
    if (what === 'backfill') {
      const from = [query['v'] ?? []].flat();
      return { pdus: give(walk(from, new Set(), Number(query['limit']))) };
    }
    if (what === 'event') return has(parts[0] ?? '') ? { pdus: give([parts[0] ?? '']) } : null;
    const eventId = what === 'event_auth' ? parts[1] : query['event_id'];
    if (typeof eventId !== 'string' || !has(eventId)) return null;
    if (what === 'event_auth') return { auth_chain: give(authChain([eventId])) };
    const state = [...roomOf().get(eventId).stateBefore.values()];
    if (what === 'state_ids') return { pdu_ids: state, auth_chain_ids: authChain(state) };
    if (what === 'state') return { pdus: give(state), auth_chain: give(authChain(state)) };
    return null;
  }

  const peers: ScriptedPeers = {
    asked: [],
    room: null,
    withheld: new Set(),
    silent: new Set(),
    forged: new Map(),
    delay: () => Promise.resolve(),
    client: {
      async request(request) {
        const [what = '', ...parts] = request.path
          .replace('/_matrix/federation/v1/', '')
          .split('/')
          .map(decodeURIComponent);
        peers.asked.push(`${request.destination} ${what}`);
        await peers.delay(request);
        if (peers.silent.has(what) || peers.silent.has(`${request.destination} ${what}`))
          return { kind: 'unreachable', reason: 'of the test', retryTs: null };
        const body = answer(what, parts, request);
        return body === null ? NOT_FOUND : { kind: 'answered', body };
      },
      stream: () => Promise.resolve({ kind: 'unreachable', reason: 'of the test', retryTs: null }),
    },
  };
  return peers;
}
