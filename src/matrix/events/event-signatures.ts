import { isJsonObject } from '../../kit/json.ts';
import { domainOf } from '../identifiers/domain.ts';
import type { RoomVersion } from '../rooms/room-versions.ts';
import { signatureOf, signText, verifyText, withSignature } from '../signing.ts';
import type { ServerKey, VerifyKey } from '../signing.ts';
import { contentHash, referenceText } from './hashes.ts';
import type { Pdu, ProtoPdu } from './pdu.ts';

/**
 * The servers that must have signed an event: the sender's (not for invites that answer a third-party invite, which the identity server
 * has signed inside); in room versions 1 and 2 the event id's; and the server of who has let a user into a restricted room.
 * Server-Server API v1.19, "Validating hashes and signatures on received events"; room version 8, rule 4.2.
 */
export function requiredSigners(version: RoomVersion, pdu: ProtoPdu): readonly string[] {
  const signers = new Set<string | undefined>();
  const isMember = pdu.type === 'm.room.member';
  const isThirdPartyInvite =
    isMember && pdu.content['membership'] === 'invite' && isJsonObject(pdu.content['third_party_invite']);
  if (!isThirdPartyInvite) signers.add(domainOf(pdu.sender));
  if (version.eventIdFormat === 'server-chosen') signers.add(domainOf(pdu.event_id ?? ''));
  const via = pdu.content['join_authorised_via_users_server'];
  if (version.restricted && isMember && typeof via === 'string') signers.add(domainOf(via));
  return [...signers].filter((signer) => signer !== undefined);
}

/** True when an event carries a valid signature of `serverName` by `key`. Whether the key was valid at that time is another question. */
export function verifyEvent(version: RoomVersion, pdu: Pdu, serverName: string, key: VerifyKey): boolean {
  const signature = signatureOf(pdu, serverName, key.keyId);
  if (signature === undefined) return false;
  const text = referenceText(version, pdu);
  return text !== undefined && verifyText(text, signature, key);
}

/**
 * Adds our signature to an event of another server, such as an invite or a join that we let in. Events of our own come signed out of
 * `buildEvent`. Throws for an event whose format was not checked.
 */
export function countersignEvent(
  version: RoomVersion,
  pdu: Pdu,
  signer: { readonly serverName: string; readonly key: ServerKey },
): Pdu {
  const text = referenceText(version, pdu);
  if (text === undefined) throw new Error('what shall be signed is not canonical JSON');
  return withSignature(pdu, signer.serverName, signer.key.keyId, signText(text, signer.key));
}

/** Puts the content hash into an event and signs it: for events that another server has made a template of. */
export function hashAndSignEvent(
  version: RoomVersion,
  pdu: ProtoPdu,
  signer: { readonly serverName: string; readonly key: ServerKey },
): Pdu {
  const sha256 = contentHash(version, pdu);
  if (sha256 === undefined) throw new Error('what shall be hashed is not canonical JSON');
  return countersignEvent(version, { signatures: {}, ...pdu, hashes: { sha256 } }, signer);
}
