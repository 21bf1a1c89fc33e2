import type { Environment } from '../../../actors/environment.ts';
import type { ActorDefinition, Handlers } from '../../../actors/kit/actor.ts';
import type { InputOf, OutputOf } from '../../../actors/kit/protocol.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import { remoteRoomsActor } from '../../../actors/remote-rooms/actor.ts';
import type { RemoteRoomsProtocol } from '../../../actors/remote-rooms/protocol.ts';
import type { FoundKey, ServerKeysProtocol } from '../../../actors/server-keys/protocol.ts';
import type { FederationAnswer, FederationRequest } from '../../../src/federation/federation-client.ts';
import { checkEvents } from '../../../src/federation/trust/check-events.ts';
import type { Clock } from '../../../src/kit/clock.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import { encodeBase64 } from '../../../src/matrix/events/unpadded-base64.ts';
import { makeServerKey, type ServerKey, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { FOREIGN_KEY, type ForeignRoom } from '../../support/foreign-room.ts';
import { withoutKeys } from '../../../actors/rooms/without-keys.ts';
import { openRoomsHouse, type RoomsHouse, SERVER } from '../rooms/rooms-house.ts';

export const OTHER = 'other.example';
export const THIRD = 'third.example';
/** As the house makes its own. */
export const OWN_KEY = makeServerKey(seededRandom(7).bytes(32), 'test');

/** What a server does with a request. */
export type Answerer = (
  request: FederationRequest,
) => JsonObject | FederationAnswer | Promise<JsonObject | FederationAnswer>;

/** The actor before a real rooms actor; other servers are what the test says that they answer. */
export interface RemoteWorld {
  readonly house: RoomsHouse;
  /** `<server> <what>`, in order; `what` is the part of the path after the version. */
  readonly asked: string[];
  readonly requests: FederationRequest[];
  /** What a server answers to `make_join`, `send_join`, … Whatever is not set is not answered. */
  on(server: string, what: string, answer: Answerer): void;
  /** A server that knows a room and lets everybody in whom its rules let in. */
  hosts(server: string, room: ForeignRoom): void;
  ask<Name extends keyof RemoteRoomsProtocol>(
    name: Name,
    input: InputOf<RemoteRoomsProtocol, Name>,
  ): Promise<OutputOf<RemoteRoomsProtocol, Name>>;
  close(): Promise<void>;
}

/** A no of another server. */
export function no(errcode: string, status = 403, body: JsonObject = {}): FederationAnswer {
  return { kind: 'refused', status, errcode, error: `no: ${errcode}`, body };
}

/** No answer of another server. */
export const DOWN: FederationAnswer = { kind: 'unreachable', reason: 'of the test', retryTs: null };

function found(serverName: string, key: ServerKey): FoundKey {
  const { keyId, publicKey } = verifyKeyOf(key);
  return { serverName, keyId, publicKey: encodeBase64(publicKey), validUntilTs: 4_000_000_000_000 };
}

const KEYS = [found(SERVER, OWN_KEY), found(OTHER, FOREIGN_KEY), found(THIRD, FOREIGN_KEY)];

/** Knows the keys of the servers of the test, and checks as the real one does. */
function keysActor(): ActorDefinition<ServerKeysProtocol, ActorMap, Environment> {
  const handlers: Partial<Handlers<ServerKeysProtocol>> = {
    'server-keys.check-events': ({ roomVersion, events }) => ({
      kind: 'checked',
      events: checkEvents({ roomVersion, events, keys: KEYS, nowTs: 1_700_000_100_000 }),
    }),
    'server-keys.find-keys': ({ wanted }) => ({
      found: KEYS.filter((key) =>
        wanted.some(({ serverName, keyId }) => serverName === key.serverName && keyId === key.keyId),
      ),
    }),
  };
  return {
    name: 'server-keys',
    mailbox: { limit: 1_000, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start: () => ({ handlers: handlers as Handlers<ServerKeysProtocol> }),
  };
}

/** The template of a member event of a room. */
export function templateOf(room: ForeignRoom, userId: string, membership: string): JsonObject {
  const type = 'm.room.member';
  const built = room.build({ sender: userId, type, stateKey: userId, content: { membership } });
  const event = withoutKeys(built.pdu, 'hashes', 'signatures', 'event_id');
  return { room_version: room.version, event };
}

/** The whole state of a room, as a join is answered. */
export function stateOf(room: ForeignRoom): JsonObject {
  const state = room.state().map(({ pdu }) => pdu as JsonObject);
  return { state, auth_chain: state };
}

/**
 * Opens a world. Call `close` at the end of the test.
 *
 * @param timers whose timers run; the system's when absent
 */
export async function openRemoteWorld(timers?: Clock): Promise<RemoteWorld> {
  const answers = new Map<string, Answerer>();
  const asked: string[] = [];
  const requests: FederationRequest[] = [];
  const client = {
    async request(request: FederationRequest): Promise<FederationAnswer> {
      const what = request.path.split('/')[4] ?? '';
      const name = `${request.destination} ${what}`;
      asked.push(name);
      requests.push(request);
      const answer = (await answers.get(name)?.(request)) ?? DOWN;
      const isWhole = typeof answer['kind'] === 'string';
      return isWhole ? (answer as FederationAnswer) : { kind: 'answered', body: answer };
    },
    stream: () => Promise.reject(new Error('nothing is streamed here')),
  };
  const house = await openRoomsHouse({
    actors: [keysActor(), remoteRoomsActor],
    federationClient: client,
    ...(timers !== undefined && { timers }),
  });
  const on: RemoteWorld['on'] = (server, what, answer) => void answers.set(`${server} ${what}`, answer);
  return {
    house,
    asked,
    requests,
    on,
    hosts(server, room) {
      const userOf = ({ path }: FederationRequest): string => decodeURIComponent(path.split('/')[6] ?? '');
      for (const membership of ['join', 'leave', 'knock'])
        on(server, `make_${membership}`, (request) => templateOf(room, userOf(request), membership));
      on(server, 'send_join', () => stateOf(room));
      on(server, 'send_leave', () => ({}));
      on(server, 'send_knock', () => ({
        knock_room_state: room.inviteState('m.room.create', 'm.room.join_rules'),
      }));
    },
    ask: (name, input) => house.ref('remote-rooms').ask(name, input),
    close: () => house.stop(),
  };
}
