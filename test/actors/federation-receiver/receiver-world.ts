import { federationReceiverActor } from '../../../actors/federation-receiver/actor.ts';
import type { InputOf, OutputOf } from '../../../actors/kit/protocol.ts';
import type { FederationReceiverProtocol } from '../../../actors/federation-receiver/protocol.ts';
import type { Environment } from '../../../actors/environment.ts';
import type { ActorDefinition, AnyActorDefinition, Handlers } from '../../../actors/kit/actor.ts';
import type { ActorMap } from '../../../actors/protocols.ts';
import type { RemoteRoomsProtocol } from '../../../actors/remote-rooms/protocol.ts';
import type { FoundKey, ServerKeysProtocol } from '../../../actors/server-keys/protocol.ts';
import type { FederationClient } from '../../../src/federation/federation-client.ts';
import { checkEvents } from '../../../src/federation/trust/check-events.ts';
import type { JsonObject } from '../../../src/kit/json.ts';
import { encodeBase64 } from '../../../src/matrix/events/unpadded-base64.ts';
import { makeServerKey, type ServerKey, verifyKeyOf } from '../../../src/matrix/signing.ts';
import { seededRandom } from '../../../src/kit/random.ts';
import type { ForeignEvent } from '../rooms/foreign-events.ts';
import { openReceiveWorld, type ReceiveWorld } from '../rooms/receive-world.ts';
import { openRoomsHouse, type RoomOptions, SERVER } from '../rooms/rooms-house.ts';
import { createScriptedPeers, type ScriptedPeers } from './scripted-peer.ts';

export const OTHER = 'other.example';
export const THIRD = 'third.example';

type Transaction = InputOf<FederationReceiverProtocol, 'federation-receiver.receive-transaction'>;
type Answer = OutputOf<FederationReceiverProtocol, 'federation-receiver.receive-transaction'>;

/** The receiver before a real rooms actor, with a room that has users of other servers, which know its foreign view. */
export interface ReceiverWorld extends ReceiveWorld {
  readonly peers: ScriptedPeers;
  /** Sends a transaction of Other's. */
  transact(events: readonly (ForeignEvent | JsonObject)[], other?: Partial<Transaction>): Promise<Answer>;
  /** The errors of an answer by event id, null for an event that was taken. */
  outcomes(answer: Answer): Readonly<Record<string, string | null>>;
  ask<Name extends keyof FederationReceiverProtocol>(
    name: Name,
    input: InputOf<FederationReceiverProtocol, Name>,
  ): Promise<OutputOf<FederationReceiverProtocol, Name>>;
  /** What joins of rooms are under way: the receiver waits for it. */
  joins: Promise<boolean>;
  /** The inputs of a message that a neighbour was sent. */
  told(message: string): readonly JsonObject[];
}

function isForeign(event: ForeignEvent | JsonObject): event is ForeignEvent {
  return 'stateBefore' in event;
}

/** Knows the keys of the servers of the test, and checks as the real one does. */
function keysOf(
  serverKeys: () => readonly FoundKey[],
): ActorDefinition<ServerKeysProtocol, ActorMap, Environment> {
  const handlers: Partial<Handlers<ServerKeysProtocol>> = {
    'server-keys.check-events': ({ roomVersion, events }) => ({
      kind: 'checked',
      events: checkEvents({ roomVersion, events, keys: serverKeys(), nowTs: 1_700_000_100_000 }),
    }),
  };
  return {
    name: 'server-keys',
    mailbox: { limit: 1_000, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start: () => ({ handlers: handlers as Handlers<ServerKeysProtocol> }),
  };
}

/** Has no joins but those that the test says there are. */
function joinsOf(joins: () => Promise<boolean>): ActorDefinition<RemoteRoomsProtocol, ActorMap, Environment> {
  const handlers: Partial<Handlers<RemoteRoomsProtocol>> = {
    'remote-rooms.await-joined': async () => ({ kind: 'settled', hasWaited: await joins() }),
  };
  return {
    name: 'remote-rooms',
    mailbox: { limit: 1_000, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    start: () => ({ handlers: handlers as Handlers<RemoteRoomsProtocol> }),
  };
}

function found(serverName: string, key: ServerKey): FoundKey {
  const { keyId, publicKey } = verifyKeyOf(key);
  return { serverName, keyId, publicKey: encodeBase64(publicKey), validUntilTs: 4_000_000_000_000 };
}

const RECORDED = [
  ['receipts', ['receipts.receive-remote']],
  ['presence', ['presence.receive-remote']],
  ['to-device', ['to-device.send-messages']],
  ['remote-devices', ['remote-devices.receive-update', 'remote-devices.receive-signing-keys']],
] as const;

let transactions = 0;

/** Opens a world. Call `close` at the end of the test. */
export async function openReceiverWorld(
  version = '11',
  options: RoomOptions = {},
  further: {
    readonly actors?: readonly AnyActorDefinition<ActorMap, Environment>[];
    /** What answers in the place of the scripted peers, which it is given. */
    readonly client?: (peers: FederationClient) => FederationClient;
  } = {},
): Promise<ReceiverWorld> {
  const peers = createScriptedPeers();
  // As the house makes its own.
  const own = makeServerKey(seededRandom(7).bytes(32), 'test');
  const serverKeys = (): readonly FoundKey[] => {
    const foreign = peers.room;
    const others = foreign === null ? [] : [OTHER, THIRD].map((name) => found(name, foreign.keyOf(name)));
    return [found(SERVER, own), ...others];
  };
  const house = await openRoomsHouse({
    actors: [
      keysOf(serverKeys),
      joinsOf(() => opened.joins),
      ...(further.actors ?? []),
      federationReceiverActor,
    ],
    federationClient: further.client?.(peers.client) ?? peers.client,
    recorded: RECORDED,
  });
  const world = await openReceiveWorld(version, { ...options, house });
  peers.room = world.foreign;
  const receiver = house.ref('federation-receiver');
  const opened: ReceiverWorld = {
    ...world,
    peers,
    joins: Promise.resolve(false),
    transact(events, other = {}) {
      transactions += 1;
      const pdus = events.map((event) => (isForeign(event) ? event.pdu : event));
      const transaction = { origin: OTHER, txnId: `t${transactions}`, pdus, edus: [], ...other };
      return receiver.ask('federation-receiver.receive-transaction', transaction);
    },
    outcomes(answer) {
      if (answer.kind !== 'processed') throw new Error(answer.error);
      return Object.fromEntries(Object.entries(answer.pdus).map(([id, { error }]) => [id, error ?? null]));
    },
    ask: (name, input) => receiver.ask(name, input),
    told: (message) =>
      house.told.filter((one) => one.message === message).map(({ input }) => input as JsonObject),
  };
  return opened;
}
