import { isJsonObject } from '../../kit/json.ts';
import type { JsonObject } from '../../kit/json.ts';
import { canonicalModeOf } from '../events/hashes.ts';
import type { ProtoPdu } from '../events/pdu.ts';
import { decodeBase64, decodeUrlSafeBase64 } from '../events/unpadded-base64.ts';
import { verifyJson } from '../signing.ts';
import { ALLOWED, membershipOf, reject } from './auth-decision.ts';
import type { AuthDecision, AuthState } from './auth-decision.ts';
import type { RoomVersion } from './room-versions.ts';

/** How many pairs of a signature and a key are tried: an event could name hundreds of each, and each pair costs 0.1 ms. */
export const THIRD_PARTY_SIGNATURE_CHECKS_MAX = 32;

/**
 * The rules for an invite that answers an `m.room.third_party_invite`: the first rule under `membership: invite`.
 *
 * @param rule the number of that rule
 */
export function authoriseThirdPartyInvite(
  version: RoomVersion,
  pdu: ProtoPdu,
  target: string,
  state: AuthState,
  rule: string,
): AuthDecision {
  if (membershipOf(state, target) === 'ban') return reject(`${rule}.1`, `${target} is banned`);
  const thirdPartyInvite = pdu.content['third_party_invite'];
  const signed = isJsonObject(thirdPartyInvite) ? thirdPartyInvite['signed'] : undefined;
  if (!isJsonObject(signed)) return reject(`${rule}.2`, 'third_party_invite.signed is missing');
  const { mxid, token } = signed;
  if (typeof mxid !== 'string' || typeof token !== 'string') {
    return reject(`${rule}.3`, 'mxid or token is missing');
  }
  if (mxid !== target) return reject(`${rule}.4`, 'mxid is not the invited user');
  const invite = state.find('m.room.third_party_invite', token);
  if (invite === undefined) return reject(`${rule}.5`, 'there is no such third-party invite');
  if (invite.sender !== pdu.sender) return reject(`${rule}.6`, 'another user made the third-party invite');
  if (isSignedByAnyKey(version, signed, publicKeysOf(invite.content))) return ALLOWED;
  return reject(`${rule}.8`, 'no signature matches a key of the third-party invite');
}

function isSignedByAnyKey(
  version: RoomVersion,
  signed: JsonObject,
  publicKeys: readonly Uint8Array[],
): boolean {
  const mode = canonicalModeOf(version);
  let checks = 0;
  for (const { serverName, keyId } of signaturesOf(signed)) {
    for (const publicKey of publicKeys) {
      if (checks === THIRD_PARTY_SIGNATURE_CHECKS_MAX) return false;
      checks += 1;
      if (verifyJson(signed, serverName, { keyId, publicKey }, mode)) return true;
    }
  }
  return false;
}

function signaturesOf(
  signed: JsonObject,
): readonly { readonly serverName: string; readonly keyId: string }[] {
  const signatures = isJsonObject(signed['signatures']) ? signed['signatures'] : {};
  return Object.entries(signatures).flatMap(([serverName, ofServer]) =>
    isJsonObject(ofServer)
      ? Object.keys(ofServer)
          .filter((keyId) => keyId.startsWith('ed25519:'))
          .map((keyId) => ({ serverName, keyId }))
      : [],
  );
}

/** The keys that an identity server may sign with: one in `public_key`, more in `public_keys`, in either base64. */
function publicKeysOf(content: JsonObject): readonly Uint8Array[] {
  const more = Array.isArray(content['public_keys']) ? content['public_keys'] : [];
  const texts = [
    content['public_key'],
    ...more.map((key) => (isJsonObject(key) ? key['public_key'] : undefined)),
  ];
  return texts
    .filter((text) => typeof text === 'string')
    .map((text) => decodeBase64(text) ?? decodeUrlSafeBase64(text))
    .filter((bytes) => bytes !== undefined);
}
