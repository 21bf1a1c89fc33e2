import { isJsonObject } from '../../kit/json.ts';
import type { Pdu } from '../events/pdu.ts';
import { POLICY_KEY_ID } from '../events/policy-signature.ts';
import { verifyEvent } from '../events/event-signatures.ts';
import { parseVerifyKey } from '../signing.ts';
import type { AuthState, StateKey } from './auth-decision.ts';
import type { RoomVersion } from './room-versions.ts';

/** The server that a room has look at its events before they are sent, as the room names it. */
export interface PolicyServer {
  readonly serverName: string;
  /** Unpadded base64; what is no ed25519 key signs nothing. */
  readonly publicKey: string;
}

const POLICY = 'm.room.policy';
/** Where clients write it that were made before v1.18; its key is `public_key`. MSC4284. */
const UNSTABLE_POLICY = 'org.matrix.msc4284.policy';

/** The places of a room's state that may name its policy server. */
export const POLICY_PLACES: readonly StateKey[] = [
  { type: POLICY, stateKey: '' },
  { type: UNSTABLE_POLICY, stateKey: '' },
];

/** True for an event that no policy server is asked about, so that a room can always get rid of its own. Server-Server API v1.19, "Policy Servers". */
export function isPolicyState(type: string, stateKey: string | undefined): boolean {
  return stateKey === '' && (type === POLICY || type === UNSTABLE_POLICY);
}

/**
 * The policy server that a room's state names; null where it names none in full. Whether it is in the room is another question.
 * Server-Server API v1.19, "Determining if a Policy Server is enabled in a room".
 *
 * @param state has {@link POLICY_PLACES} loaded
 */
export function policyServerNamed(state: AuthState): PolicyServer | null {
  const stable = state.find(POLICY, '')?.content;
  if (stable !== undefined) {
    const keys = stable['public_keys'];
    return isJsonObject(keys) ? serverOf(stable['via'], keys['ed25519']) : null;
  }
  // The newer event counts, whatever it says: emptied, it ends what the older one began.
  const unstable = state.find(UNSTABLE_POLICY, '')?.content;
  return unstable === undefined ? null : serverOf(unstable['via'], unstable['public_key']);
}

function serverOf(serverName: unknown, publicKey: unknown): PolicyServer | null {
  const isWhole = typeof serverName === 'string' && typeof publicKey === 'string';
  return isWhole ? { serverName, publicKey } : null;
}

/** True when an event carries the policy server's valid signature. Server-Server API v1.19, "Validating Policy Server signatures". */
export function isRecommended(
  version: RoomVersion,
  pdu: Pdu,
  { serverName, publicKey }: PolicyServer,
): boolean {
  const key = parseVerifyKey(POLICY_KEY_ID, publicKey);
  return key !== undefined && verifyEvent(version, pdu, serverName, key);
}
