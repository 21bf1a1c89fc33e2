import type { FederationAnswer } from '../../src/federation/federation-client.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import type { Pdu } from '../../src/matrix/events/pdu.ts';
import { verifyEvent } from '../../src/matrix/events/event-signatures.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { getRoomVersion, type RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { parseVerifyKey, signatureOf, signingKeyIdsOf, withSignature } from '../../src/matrix/signing.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import type { RoomsProtocol, Sent } from '../rooms/protocol.ts';
import { answerOr } from '../answer-or.ts';
import { type RemoteDesk, ROOMS_DEADLINE_MS } from './desk.ts';
import type { RemoteRoomsProtocol } from './protocol.ts';
import { malformed, refusalOfAnswer } from './try-servers.ts';

type Invite = InputOf<RemoteRoomsProtocol, 'remote-rooms.invite'>;
type MadeInvite = Exclude<OutputOf<RoomsProtocol, 'rooms.make-invite'>, Refusal>;
type Exchange = InputOf<RemoteRoomsProtocol, 'remote-rooms.exchange-invite'>;

/** How long a server may take to sign an invite, in milliseconds. */
const INVITE_TIMEOUT_MS = 30_000;
/** Signatures of the invited user's server that are looked at. */
const SIGNATURES_TRIED_MAX = 5;
/** Statuses with which a server says that it knows the older form alone. Server-Server API v1.19, `PUT /v2/invite`. */
const OLDER_FORM_STATUSES: ReadonlySet<number> = new Set([400, 404]);
const OLDER_FORM_VERSIONS: ReadonlySet<string> = new Set(['1', '2']);

/** Asks for the signature in the older form, which has its answer in a list. */
async function askInOlderForm(desk: RemoteDesk, server: string, path: string, invite: MadeInvite) {
  const unsigned = { invite_room_state: invite.roomState };
  return desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v1/${path}`,
    body: { ...invite.event, unsigned },
    timeoutMs: INVITE_TIMEOUT_MS,
  });
}

async function askForSignature(
  desk: RemoteDesk,
  server: string,
  roomId: string,
  invite: MadeInvite,
): Promise<FederationAnswer> {
  const { roomVersion, event, eventId, roomState } = invite;
  const path = `invite/${encodeURIComponent(roomId)}/${encodeURIComponent(eventId)}`;
  const answer = await desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v2/${path}`,
    body: { room_version: roomVersion, event, invite_room_state: roomState },
    timeoutMs: INVITE_TIMEOUT_MS,
    // Somebody waits for it, who may know that the server is back.
    isProbe: true,
  });
  const isOlder = answer.kind === 'refused' && OLDER_FORM_STATUSES.has(answer.status);
  const isUnrecognised = isOlder && (answer.errcode === 'M_UNRECOGNIZED' || answer.errcode === 'M_UNKNOWN');
  if (!isUnrecognised || !OLDER_FORM_VERSIONS.has(roomVersion)) return answer;
  return askInOlderForm(desk, server, path, invite);
}

/** Our event with the other server's signature, where that is right: nothing else of what it gave is looked at. */
async function addSignature(
  desk: RemoteDesk,
  server: string,
  version: RoomVersion,
  event: Pdu,
  signed: JsonObject,
): Promise<Pdu | undefined> {
  const keyIds = signingKeyIdsOf(signed, server)
    .filter((keyId) => keyId.startsWith('ed25519:'))
    .slice(0, SIGNATURES_TRIED_MAX);
  const validAtTs = version.enforceKeyValidity ? event.origin_server_ts : 0;
  const wanted = keyIds.map((keyId) => ({ serverName: server, keyId, validAtTs }));
  const answer = await answerOr(desk.keys.ask('server-keys.find-keys', { wanted }));
  for (const { keyId, publicKey } of isRefusal(answer) ? [] : answer.found) {
    const key = parseVerifyKey(keyId, publicKey);
    const signature = signatureOf(signed, server, keyId);
    if (key === undefined || signature === undefined) continue;
    const whole = withSignature(event, server, keyId, signature);
    if (verifyEvent(version, whole, server, key)) return whole;
  }
  return undefined;
}

async function signElsewhere(
  desk: RemoteDesk,
  server: string,
  roomId: string,
  invite: MadeInvite,
): Promise<{ readonly kind: 'signed'; readonly pdu: Pdu } | Refusal> {
  const answer = await askForSignature(desk, server, roomId, invite);
  if (answer.kind !== 'answered') return refusalOfAnswer(server, answer);
  const signed = answer.body['event'];
  if (!isJsonObject(signed)) return malformed(server, 'no invite');
  const version = getRoomVersion(invite.roomVersion);
  const pdu = await addSignature(desk, server, version, invite.event as Pdu, signed);
  return pdu === undefined ? malformed(server, 'an invite without its signature') : { kind: 'signed', pdu };
}

/** The invite with the signature of the room's policy server, where it has one. Server-Server API v1.19, "Policy Servers". */
async function signByPolicy(desk: RemoteDesk, invite: MadeInvite): Promise<MadeInvite | Refusal> {
  const { policyServer, roomVersion, eventId, event: pdu } = invite;
  if (policyServer === null) return invite;
  const question = { policyServer, roomVersion, eventId, pdu };
  const signed = await answerOr(desk.policyServers().ask('policy-servers.sign', question));
  return isRefusal(signed) ? signed : { ...invite, event: signed.pdu };
}

/** Puts the invite that both servers have signed into the room, from where it goes to the others there. */
async function storeInvite(
  desk: RemoteDesk,
  roomId: string,
  eventId: string,
  pdu: Pdu,
): Promise<Sent | Refusal> {
  const received = await answerOr(
    desk.rooms.ask(
      'rooms.receive-event',
      {
        roomId,
        event: { eventId, pdu: JSON.stringify(pdu) },
        receivedFrom: null,
        isRelayed: true,
        stateBefore: null,
        isFinal: true,
      },
      { deadlineMs: ROOMS_DEADLINE_MS },
    ),
  );
  if (isRefusal(received)) return received;
  if (received.kind === 'accepted') return { kind: 'sent', eventId, position: received.position };
  const reason = 'reason' in received ? received.reason : 'the room has changed';
  return refuse('M_FORBIDDEN', `the invite is not allowed any more: ${reason}`);
}

/**
 * Invites a user of another server: the invite is made here, signed there, and stored then. Server-Server API v1.19, "Inviting to a room".
 *
 * @returns refused as `rooms.make-invite` refuses, or with what the other server said
 */
export async function inviteElsewhere(desk: RemoteDesk, input: Invite): Promise<Sent | Refusal> {
  const { roomId, sender, target, content } = input;
  const server = domainOf(target) ?? '';
  if (server === desk.signer.serverName) {
    const invited = { roomId, sender, target, action: 'invite', content } as const;
    return answerOr(desk.rooms.ask('rooms.change-membership', invited));
  }
  const unsigned = await answerOr(desk.rooms.ask('rooms.make-invite', input));
  if (isRefusal(unsigned)) return unsigned;
  const made = await signByPolicy(desk, unsigned);
  if (isRefusal(made)) return made;
  const signed = await signElsewhere(desk, server, roomId, made);
  return isRefusal(signed) ? signed : storeInvite(desk, roomId, made.eventId, signed.pdu);
}

/**
 * Has an invite made of one by e-mail or telephone whose user is a local one: here, where the inviter is of this server, otherwise there.
 * Server-Server API v1.19, "Third-party invites".
 */
export async function exchangeInvite(
  desk: RemoteDesk,
  { roomId, sender, target, content }: Exchange,
): Promise<{ readonly kind: 'exchanged' } | Refusal> {
  const server = domainOf(sender) ?? '';
  if (server === desk.signer.serverName) {
    const sent = await inviteElsewhere(desk, { roomId, sender, target, content });
    return isRefusal(sent) ? sent : { kind: 'exchanged' };
  }
  const answer = await desk.client.request({
    destination: server,
    method: 'PUT',
    path: `/_matrix/federation/v1/exchange_third_party_invite/${encodeURIComponent(roomId)}`,
    body: {
      type: 'm.room.member',
      room_id: roomId,
      sender,
      state_key: target,
      content: { ...content, membership: 'invite' },
    },
    timeoutMs: INVITE_TIMEOUT_MS,
  });
  return answer.kind === 'answered' ? { kind: 'exchanged' } : refusalOfAnswer(server, answer);
}
