import type {
  FederationAnswer,
  FederationClient,
  FederationRequest,
} from '../../src/federation/federation-client.ts';
import type { JsonObject } from '../../src/kit/json.ts';

/** A transaction that a server took. */
export interface TakenTransaction {
  readonly destination: string;
  readonly txnId: string;
  readonly pdus: readonly JsonObject[];
  readonly edus: readonly { readonly edu_type: string; readonly content: JsonObject }[];
}

/** What a server does with a request: `silence` answers when the test says so. */
export type ServerMood = 'well' | 'down' | 'silence' | FederationAnswer;

/** Other servers, played by a test at the border of the federation client. */
export interface ScriptedServers {
  readonly client: FederationClient;
  /** How each is; well unless set. */
  readonly moods: Map<string, ServerMood>;
  /** Transactions that were taken, the oldest first. */
  readonly taken: readonly TakenTransaction[];
  /** Every request, taken or not. */
  readonly asked: readonly FederationRequest[];
  /** Ids of events that a server took, in order. */
  eventsAt(destination: string): readonly string[];
  /** EDUs that a server took, in order. */
  edusAt(destination: string): TakenTransaction['edus'];
  /** Those that are silent answer now. */
  breakSilence(destination: string): void;
  /** The most requests that one server had at one moment. */
  readonly atOnceMax: number;
}

const OK: FederationAnswer = { kind: 'answered', body: { pdus: {} } };
const DOWN: FederationAnswer = { kind: 'unreachable', reason: 'it is down', retryTs: null };

/** @param idOf the id of an event, as the test knows it */
export function createScriptedServers(idOf: (pdu: JsonObject) => string): ScriptedServers {
  const moods = new Map<string, ServerMood>();
  const taken: TakenTransaction[] = [];
  const asked: FederationRequest[] = [];
  const silent = new Map<string, (() => void)[]>();
  const open = new Map<string, number>();
  let atOnceMax = 0;

  function take(request: FederationRequest): FederationAnswer {
    const { destination, path, body } = request;
    const { pdus, edus = [] } = body as unknown as Pick<TakenTransaction, 'pdus'> &
      Partial<Pick<TakenTransaction, 'edus'>>;
    taken.push({ destination, txnId: path.split('/').at(-1) ?? '', pdus, edus });
    return OK;
  }

  async function answer(request: FederationRequest): Promise<FederationAnswer> {
    const { destination } = request;
    asked.push(request);
    const count = (open.get(destination) ?? 0) + 1;
    open.set(destination, count);
    atOnceMax = Math.max(atOnceMax, count);
    try {
      const mood = moods.get(destination) ?? 'well';
      if (mood === 'silence')
        await new Promise<void>((resolve) => {
          silent.set(destination, [...(silent.get(destination) ?? []), resolve]);
        });
      if (mood === 'well' || mood === 'silence') return take(request);
      return mood === 'down' ? DOWN : mood;
    } finally {
      open.set(destination, (open.get(destination) ?? 1) - 1);
    }
  }

  const at = (destination: string) => taken.filter((one) => one.destination === destination);
  return {
    client: {
      request: answer,
      stream: () => Promise.resolve(DOWN as Exclude<FederationAnswer, { kind: 'answered' }>),
    },
    moods,
    taken,
    asked,
    eventsAt: (destination) => at(destination).flatMap(({ pdus }) => pdus.map(idOf)),
    edusAt: (destination) => at(destination).flatMap(({ edus }) => edus),
    breakSilence(destination) {
      moods.set(destination, 'well');
      for (const resolve of silent.get(destination) ?? []) resolve();
      silent.delete(destination);
    },
    get atOnceMax() {
      return atOnceMax;
    },
  };
}
