import { LRUCache } from 'lru-cache';
import { type BuiltEvent } from '../../src/matrix/events/build-event.ts';
import { canonicalJson } from '../../src/matrix/events/canonical-json.ts';
import { canonicalModeOf } from '../../src/matrix/events/hashes.ts';
import { PDU_BYTES_MAX, type Pdu } from '../../src/matrix/events/pdu.ts';
import { fitsInBytes } from '../../src/matrix/identifiers/brand.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import {
  isPolicyState,
  POLICY_PLACES,
  type PolicyServer,
  policyServerNamed,
} from '../../src/matrix/rooms/policy-server.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { Caches } from '../../src/streams/cache.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import type { PolicyServersProtocol } from '../policy-servers/protocol.ts';
import { type ActorRef, AskFailed } from '../kit/ref.ts';
import type { Room } from './room-memory.ts';
import type { Proposal } from './stage-event.ts';

/** What finding and asking the policy server of a room takes. */
export interface PolicyDesk {
  readonly serverName: string;
  /** Another program answers for policy servers under this server's name: `policy_server_keys` of the configuration. */
  isPolicyServer(): boolean;
  /** The servers in a room. */
  hostsOf(roomId: string): Promise<readonly string[]>;
  /** Room id → when its policy server is asked again about an event that nobody sees, in milliseconds since the Unix epoch. */
  readonly dummiesRefusedUntil: LRUCache<string, number>;
  /** An event of ours with the policy server's signature; refused with what the client is to be told. */
  sign(version: RoomVersion, policyServer: PolicyServer, built: BuiltEvent): Promise<BuiltEvent | Refusal>;
}

/** How long a signature is waited for: the policy server has less, and others may be asked before. Milliseconds. */
export const SIGN_DEADLINE_MS = 15_000;
/** Rooms whose policy servers are remembered for not letting us merge what others have sent. */
const ROOMS_REFUSING_MAX = 1_000;

/** The event with the signature, as it is stored and sent. */
function signedEvent(version: RoomVersion, built: BuiltEvent, pdu: Pdu): BuiltEvent | Refusal {
  const json = canonicalJson(pdu, canonicalModeOf(version));
  if (json === undefined) throw new Error(`${built.eventId} cannot be written with its signature`);
  return fitsInBytes(json, PDU_BYTES_MAX)
    ? { ...built, pdu, json }
    : refuse('M_TOO_LARGE', 'the event is too large for the signature of the room’s policy server');
}

/** The ways of one life of the actor. */
export function createPolicyDesk(ground: {
  readonly serverName: string;
  isPolicyServer(): boolean;
  readonly db: ReadDb;
  readonly caches: Caches | null;
  policyServers(): ActorRef<PolicyServersProtocol>;
}): PolicyDesk {
  const { serverName, db, caches } = ground;
  return {
    serverName,
    isPolicyServer: () => ground.isPolicyServer(),
    dummiesRefusedUntil: new LRUCache({ max: ROOMS_REFUSING_MAX }),
    hostsOf: async (roomId) =>
      caches === null ? hostsInRoom.load(db, roomId) : caches.get(hostsInRoom, roomId),
    async sign(version, policyServer, built) {
      const { eventId, pdu } = built;
      const question = { policyServer, roomVersion: version.id, eventId, pdu };
      try {
        const answer = await ground
          .policyServers()
          .ask('policy-servers.sign', question, { deadlineMs: SIGN_DEADLINE_MS });
        return isRefusal(answer) ? answer : signedEvent(version, built, answer.pdu as Pdu);
      } catch (error) {
        if (!(error instanceof AskFailed)) throw error;
        return refuse('M_UNKNOWN', 'The policy server of this room was not asked in time: try again.', {
          status: 503,
        });
      }
    },
  };
}

/**
 * The policy server that is in force in a room: what its current state names, where that server is in the room. This server itself is none: unless another
 * program is one under its name, a room that names it asks nobody. Server-Server API v1.19, "Determining if a Policy Server is enabled in a room".
 */
export async function findPolicyServer(
  desk: Pick<PolicyDesk, 'serverName' | 'isPolicyServer' | 'hostsOf'>,
  room: Room,
): Promise<PolicyServer | null> {
  const loading = room.state.load(POLICY_PLACES);
  if (loading !== undefined) await loading;
  const named = policyServerNamed(room.state);
  if (named === null || (named.serverName === desk.serverName && !desk.isPolicyServer())) return null;
  return (await desk.hostsOf(room.roomId)).includes(named.serverName) ? named : null;
}

/**
 * Signs events of ours that are made together, within the turn of their room: all, or none.
 *
 * @returns refused with what the policy server says of the first that it does not sign
 */
export async function signTogether<T extends { readonly built: BuiltEvent; readonly proposal: Proposal }>(
  desk: PolicyDesk,
  room: Room,
  events: readonly T[],
): Promise<readonly T[] | Refusal> {
  const policyServer = await findPolicyServer(desk, room);
  if (policyServer === null) return events;
  const signed = await Promise.all(
    events.map(async ({ built, proposal }) =>
      isPolicyState(proposal.type, proposal.stateKey) ? built : desk.sign(room.version, policyServer, built),
    ),
  );
  const refused = signed.find((built) => isRefusal(built));
  if (refused !== undefined) return refused;
  return events.map((event, index) => ({ ...event, built: signed[index] as BuiltEvent }));
}
