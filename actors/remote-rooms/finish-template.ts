import { isJsonObject, type Json, type JsonObject } from '../../src/kit/json.ts';
import { eventIdOf } from '../../src/matrix/events/event-id.ts';
import { hashAndSignEvent } from '../../src/matrix/events/event-signatures.ts';
import { checkPduFormat, type Pdu, type ProtoPdu } from '../../src/matrix/events/pdu.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import {
  findRoomVersion,
  KNOWN_ROOM_VERSIONS,
  type RoomVersion,
} from '../../src/matrix/rooms/room-versions.ts';
import type { RemoteDesk } from './desk.ts';
import { malformed, refusalOfAnswer } from './try-servers.ts';

/** How long a server may take for a template, in milliseconds. */
const TEMPLATE_TIMEOUT_MS = 20_000;
/** The largest template, in bytes: an event is no larger than 65,536. */
const TEMPLATE_BYTES_MAX = 262_144;
/** A template without a version is of version 1 or 2, whose events look alike. Server-Server API v1.19, `GET /make_join`. */
const VERSION_WHEN_NONE = '1';
/** Who has let the user in: the one thing of the content that the other server decides. */
const AUTHORISED_VIA = 'join_authorised_via_users_server';

/** The change that a template is asked for. */
export interface MemberRequest {
  readonly roomId: string;
  readonly userId: string;
  readonly membership: 'join' | 'knock' | 'leave';
  /** What the user adds: name, avatar, reason. */
  readonly content: JsonObject;
  /** How long the server may take, in milliseconds; {@link TEMPLATE_TIMEOUT_MS} when absent. */
  readonly timeoutMs?: number;
}

/** A member event of ours that another server has made the template of: hashed and signed. */
export interface FinishedMember {
  readonly kind: 'finished';
  readonly version: RoomVersion;
  readonly eventId: string;
  readonly pdu: Pdu;
}

function isAsAsked(event: JsonObject, { roomId, userId, membership }: MemberRequest): boolean {
  const { type, room_id: ofRoom, sender, state_key: stateKey, content } = event;
  if (type !== 'm.room.member' || ofRoom !== roomId || sender !== userId || stateKey !== userId) return false;
  return isJsonObject(content) && content['membership'] === membership;
}

/** The event with nothing of the template but its place in the room. */
function protoOf(
  desk: RemoteDesk,
  version: RoomVersion,
  event: JsonObject,
  request: MemberRequest,
): JsonObject {
  const { roomId, userId, membership } = request;
  const via = isJsonObject(event['content']) ? event['content'][AUTHORISED_VIA] : undefined;
  const hasVia = membership === 'join' && version.restricted && typeof via === 'string';
  const { [AUTHORISED_VIA]: _via, ...content } = request.content;
  const localpart = version.eventIdFormat === 'server-chosen' ? desk.newEventLocalpart() : null;
  const proto: Record<string, Json | undefined> = {
    type: 'm.room.member',
    room_id: roomId,
    sender: userId,
    state_key: userId,
    content: { ...content, membership, ...(hasVia && { [AUTHORISED_VIA]: via }) },
    depth: event['depth'],
    origin_server_ts: desk.clock.now(),
    prev_events: event['prev_events'],
    auth_events: event['auth_events'],
    ...(localpart !== null && { event_id: `$${localpart}:${desk.signer.serverName}` }),
  };
  return Object.fromEntries(
    Object.entries(proto).filter((entry): entry is [string, Json] => entry[1] !== undefined),
  );
}

function finish(
  desk: RemoteDesk,
  server: string,
  request: MemberRequest,
  body: JsonObject,
): FinishedMember | Refusal {
  const { room_version: versionId = VERSION_WHEN_NONE, event } = body;
  const version = typeof versionId === 'string' ? findRoomVersion(versionId) : undefined;
  if (version === undefined)
    return refuse('M_INCOMPATIBLE_ROOM_VERSION', 'This server does not know the version of the room.', {
      extra: { room_version: typeof versionId === 'string' ? versionId : '' },
    });
  if (!isJsonObject(event) || !isAsAsked(event, request))
    return malformed(server, 'another template than asked');
  const proto = protoOf(desk, version, event, request);
  // What is hashed and signed has to be an event, whatever the other server puts into it.
  const wrong = checkPduFormat(version, { ...proto, hashes: { sha256: '' }, signatures: {} });
  if (wrong !== null) return malformed(server, `a template that is no event: ${wrong.error}`);
  const pdu = hashAndSignEvent(version, proto as ProtoPdu, desk.signer);
  const eventId = eventIdOf(version, pdu);
  if (eventId === undefined) throw new Error('an event of ours has no id');
  return { kind: 'finished', version, eventId, pdu };
}

/**
 * Asks a server for the template of a member event of a local user, checks it, and makes the event of it.
 * Server-Server API v1.19, `GET /make_join`, `GET /make_knock`, `GET /make_leave`.
 *
 * @returns refused with what the server said, M_INCOMPATIBLE_ROOM_VERSION, or M_UNKNOWN (502)
 */
export async function askForMember(
  desk: RemoteDesk,
  server: string,
  request: MemberRequest,
): Promise<FinishedMember | Refusal> {
  const { roomId, userId, membership } = request;
  const answer = await desk.client.request({
    destination: server,
    method: 'GET',
    path: `/_matrix/federation/v1/make_${membership}/${encodeURIComponent(roomId)}/${encodeURIComponent(userId)}`,
    ...(membership !== 'leave' && { query: { ver: KNOWN_ROOM_VERSIONS.map(({ id }) => id) } }),
    timeoutMs: request.timeoutMs ?? TEMPLATE_TIMEOUT_MS,
    answerBytesMax: TEMPLATE_BYTES_MAX,
    // Somebody waits for it, who may know that the server is back.
    isProbe: true,
  });
  if (answer.kind !== 'answered') return refusalOfAnswer(server, answer);
  const finished = finish(desk, server, request, answer.body);
  if (isRefusal(finished))
    desk.log.info('a template was not used', { server, roomId, reason: finished.error });
  return finished;
}
