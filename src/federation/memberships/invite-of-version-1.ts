import { isJsonObject, type JsonObject } from '../../kit/json.ts';

/** What an invite of the older kind says. */
export interface InviteOfVersion1 {
  readonly roomVersion: '1' | '2';
  readonly event: JsonObject;
  readonly roomState: readonly JsonObject[];
}

/**
 * Reads an invite that is nothing but its event: what tells the user of the room stands in `unsigned`, and nothing but the create event among it
 * tells the two room versions apart that such an invite may be for. Server-Server API v1.19, `PUT /_matrix/federation/v1/invite`.
 */
export function inviteOfVersion1(body: JsonObject): InviteOfVersion1 {
  const { unsigned, ...event } = body;
  const told = isJsonObject(unsigned) ? unsigned['invite_room_state'] : undefined;
  const roomState = Array.isArray(told) ? told.filter(isJsonObject) : [];
  const create = roomState.find(({ type }) => type === 'm.room.create');
  const content = create?.['content'];
  const isVersion2 = isJsonObject(content) && content['room_version'] === '2';
  return { roomVersion: isVersion2 ? '2' : '1', event, roomState };
}
