import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import type { RemoteDesk } from './desk.ts';

/** Events that are looked at; what is beyond is left out. */
const TOLD_EVENTS_MAX = 100;

function isWhole(event: JsonObject): boolean {
  return isJsonObject(event['hashes']) && isJsonObject(event['signatures']);
}

/**
 * Checks what another server tells of its room to who is not in it. Whole events have to be of the room and signed. Stripped ones, as older
 * servers send them, are taken in room versions that could be told so; from room version 12 on nothing else than whole ones is.
 * Server-Server API v1.19, `invite_room_state` and `knock_room_state`.
 *
 * @param isStrict refuses all where one is wrong, in room version 12 and later; otherwise that one is left out
 * @returns refused with M_INVALID_PARAM, M_UNKNOWN (503)
 */
export async function checkToldState(
  desk: RemoteDesk,
  version: RoomVersion,
  roomId: string,
  events: readonly JsonObject[],
  isStrict: boolean,
): Promise<{ readonly kind: 'told'; readonly state: readonly JsonObject[] } | Refusal> {
  const given = events.slice(0, TOLD_EVENTS_MAX);
  const whole = given.filter(isWhole);
  const checked = await desk.check(version, whole);
  if (isRefusal(checked)) return checked;
  const isNew = version.roomIdFormat === 'create-event';
  const wrong = new Set<JsonObject>(isNew ? given.filter((event) => !isWhole(event)) : []);
  const kept = new Map<JsonObject, JsonObject>();
  for (const [index, outcome] of checked.entries()) {
    const event = whole[index];
    if (event === undefined) continue;
    if (outcome.kind === 'invalid' || outcome.roomId !== roomId) wrong.add(event);
    else kept.set(event, JSON.parse(outcome.event.pdu) as JsonObject);
  }
  if (isStrict && isNew && wrong.size > 0)
    return refuse(
      'M_INVALID_PARAM',
      'an event of the room state is malformed, not signed, or of another room',
    );
  const state = given.filter((event) => !wrong.has(event)).map((event) => kept.get(event) ?? event);
  return { kind: 'told', state };
}
