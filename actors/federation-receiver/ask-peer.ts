import type { FederationAnswer, FederationRequest } from '../../src/federation/federation-client.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import type { ReceiverDesk } from './receiver-desk.ts';

/** How long a peer may take for one of these questions, in milliseconds: the asker's own transaction waits meanwhile. */
const QUESTION_TIMEOUT_MS = 30_000;
/** States of rooms with tens of thousands of members, in bytes. */
const STATE_ANSWER_BYTES_MAX = 200 * 1_024 * 1_024;
/** Ids of such states, in bytes. */
const IDS_ANSWER_BYTES_MAX = 20 * 1_024 * 1_024;
/** Entries of one list that are looked at. */
const ENTRIES_MAX = 200_000;

/** Whom is asked, and about which room. */
export interface Peer {
  readonly serverName: string;
  readonly roomId: string;
  /**
   * It has just called: it is asked even if it counts as out of reach, as it may for a while after it is back. Until a question is not answered:
   * what it gave would wait for each of the others as long.
   */
  isCalling?: boolean;
}

/** The state before an event, and all that authorises it. */
export interface StateAnswer<T> {
  readonly state: readonly T[];
  readonly authChain: readonly T[];
}

function objects(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) ? value.slice(0, ENTRIES_MAX).filter(isJsonObject) : [];
}

function texts(value: unknown): readonly string[] {
  return Array.isArray(value)
    ? value.slice(0, ENTRIES_MAX).filter((entry): entry is string => typeof entry === 'string')
    : [];
}

/** Null where there is no answer: it is logged, and whoever asked goes on without. */
async function ask(
  desk: ReceiverDesk,
  peer: Peer,
  request: Omit<FederationRequest, 'timeoutMs' | 'isProbe'>,
): Promise<JsonObject | null> {
  const answer: FederationAnswer = await desk.client.request({
    ...request,
    timeoutMs: QUESTION_TIMEOUT_MS,
    ...(peer.isCalling === true && { isProbe: true }),
  });
  if (answer.kind === 'answered') return answer.body;
  if (answer.kind === 'unreachable') peer.isCalling = false;
  const reason = answer.kind === 'refused' ? `${answer.status} ${answer.errcode}` : answer.reason;
  desk.log.info('a server did not give what was asked of it', {
    server: request.destination,
    path: request.path,
    reason,
  });
  return null;
}

function get(
  desk: ReceiverDesk,
  peer: Peer,
  path: string,
  query: NonNullable<FederationRequest['query']> = {},
  answerBytesMax?: number,
): Promise<JsonObject | null> {
  return ask(desk, peer, {
    destination: peer.serverName,
    method: 'GET',
    path: `/_matrix/federation/v1/${path}`,
    query,
    ...(answerBytesMax !== undefined && { answerBytesMax }),
  });
}

/** Events between what we have and what we were given. Server-Server API v1.19, `POST /get_missing_events/{roomId}`. */
export async function askForMissing(
  desk: ReceiverDesk,
  peer: Peer,
  gap: {
    readonly earliest: readonly string[];
    readonly latest: readonly string[];
    readonly limit: number;
    readonly minDepth: number;
  },
): Promise<readonly JsonObject[]> {
  const body = await ask(desk, peer, {
    destination: peer.serverName,
    method: 'POST',
    path: `/_matrix/federation/v1/get_missing_events/${encodeURIComponent(peer.roomId)}`,
    body: {
      earliest_events: gap.earliest,
      latest_events: gap.latest,
      limit: gap.limit,
      min_depth: gap.minDepth,
    },
  });
  return objects(body?.['events']).slice(0, gap.limit);
}

/** The ids of the state before an event. Server-Server API v1.19, `GET /state_ids/{roomId}`. */
export async function askForStateIds(
  desk: ReceiverDesk,
  peer: Peer,
  eventId: string,
): Promise<StateAnswer<string> | null> {
  const path = `state_ids/${encodeURIComponent(peer.roomId)}`;
  const body = await get(desk, peer, path, { event_id: eventId }, IDS_ANSWER_BYTES_MAX);
  return body && { state: texts(body['pdu_ids']), authChain: texts(body['auth_chain_ids']) };
}

/** The state before an event. Server-Server API v1.19, `GET /state/{roomId}`. */
export async function askForState(
  desk: ReceiverDesk,
  peer: Peer,
  eventId: string,
): Promise<StateAnswer<JsonObject> | null> {
  const path = `state/${encodeURIComponent(peer.roomId)}`;
  const body = await get(desk, peer, path, { event_id: eventId }, STATE_ANSWER_BYTES_MAX);
  return body && { state: objects(body['pdus']), authChain: objects(body['auth_chain']) };
}

/** What authorises an event. Server-Server API v1.19, `GET /event_auth/{roomId}/{eventId}`. */
export async function askForAuthChain(
  desk: ReceiverDesk,
  peer: Peer,
  eventId: string,
): Promise<readonly JsonObject[]> {
  const path = `event_auth/${encodeURIComponent(peer.roomId)}/${encodeURIComponent(eventId)}`;
  return objects((await get(desk, peer, path))?.['auth_chain']);
}

/** One event. Server-Server API v1.19, `GET /event/{eventId}`. */
export async function askForEvent(
  desk: ReceiverDesk,
  peer: Peer,
  eventId: string,
): Promise<JsonObject | undefined> {
  return objects((await get(desk, peer, `event/${encodeURIComponent(eventId)}`))?.['pdus'])[0];
}

/** What came before some events, and they themselves. Server-Server API v1.19, `GET /backfill/{roomId}`. Null: no answer. */
export async function askForHistory(
  desk: ReceiverDesk,
  peer: Peer,
  eventIds: readonly string[],
  limit: number,
): Promise<readonly JsonObject[] | null> {
  const path = `backfill/${encodeURIComponent(peer.roomId)}`;
  const body = await get(desk, peer, path, { v: eventIds, limit: String(limit) });
  return body && objects(body['pdus']).slice(0, limit);
}
