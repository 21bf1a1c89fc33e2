import type { StoredNotification } from '../../db/push/notification-reader.ts';
import type { StoredPusher } from '../../db/push/pusher-reader.ts';
import { findCurrentStateEvent } from '../../db/rooms/state-reader.ts';
import { isJsonObject, type Json, type JsonObject } from '../kit/json.ts';
import type { ClientEvent } from '../sync/caches/client-events.ts';
import type { PushServices } from '../sync/push/event-facts.ts';

const EVENT_ID_ONLY = 'event_id_only';
const MILLISECONDS = 1_000;

function tweaksOf(actions: readonly Json[]): JsonObject {
  const tweaks: Record<string, Json> = {};
  for (const action of actions) {
    if (!isJsonObject(action) || typeof action['set_tweak'] !== 'string') continue;
    tweaks[action['set_tweak']] = action['value'] ?? true;
  }
  return tweaks;
}

/** The pusher as its gateway knows it: its data without the URL. */
function deviceOf(pusher: StoredPusher, tweaks: JsonObject | null): JsonObject {
  const { url: _url, ...data } = JSON.parse(pusher.data) as JsonObject;
  return {
    app_id: pusher.appId,
    pushkey: pusher.pushkey,
    pushkey_ts: Math.floor(pusher.setTs / MILLISECONDS),
    data,
    ...(tweaks === null ? {} : { tweaks }),
  };
}

function isEventIdOnly(pusher: StoredPusher): boolean {
  return (JSON.parse(pusher.data) as JsonObject)['format'] === EVENT_ID_ONLY;
}

/** What only says how many notifications are not read: for when they become fewer. */
export function badgeBody(pusher: StoredPusher, unread: number): JsonObject {
  const devices = [deviceOf(pusher, isEventIdOnly(pusher) ? null : {})];
  return { notification: { counts: { unread }, prio: 'low', devices } };
}

async function findText(
  { db }: PushServices,
  [roomId, type, stateKey]: readonly [string, string, string],
  field: string,
): Promise<string | null> {
  const event = await findCurrentStateEvent(db, roomId, type, stateKey);
  if (event === undefined || event.redactedBy !== null) return null;
  const { content } = JSON.parse(event.pdu) as { readonly content?: unknown };
  const value = isJsonObject(content) ? content[field] : undefined;
  return typeof value === 'string' && value !== '' ? value : null;
}

async function namesOf(services: PushServices, event: ClientEvent): Promise<JsonObject> {
  const { roomId, sender } = event;
  const names = {
    sender_display_name: await findText(services, [roomId, 'm.room.member', sender], 'displayname'),
    room_name: await findText(services, [roomId, 'm.room.name', ''], 'name'),
    room_alias: await findText(services, [roomId, 'm.room.canonical_alias', ''], 'alias'),
  };
  return Object.fromEntries(Object.entries(names).filter(([, name]) => name !== null));
}

/** Whatever makes a noise, is meant for the user, or may be either for all that the server can see, must not wait. */
function priorityOf(event: ClientEvent, tweaks: JsonObject): 'high' | 'low' {
  const isUrgent = tweaks['sound'] !== undefined || tweaks['highlight'] === true;
  return isUrgent || event.type === 'm.room.encrypted' ? 'high' : 'low';
}

/**
 * What a pusher's gateway is sent about an event.
 * Push Gateway API v1.19, `POST /_matrix/push/v1/notify`.
 *
 * @param unread all notifications of the user that are not read
 */
export async function eventBody(
  services: PushServices,
  pusher: StoredPusher,
  told: { readonly notification: StoredNotification; readonly event: ClientEvent; readonly unread: number },
): Promise<JsonObject> {
  const { notification, event, unread } = told;
  const actions = notification.actions === null ? [] : (JSON.parse(notification.actions) as readonly Json[]);
  const tweaks = tweaksOf(actions);
  const start = {
    event_id: event.eventId,
    room_id: event.roomId,
    counts: { unread },
    prio: priorityOf(event, tweaks),
  };
  if (isEventIdOnly(pusher)) return { notification: { ...start, devices: [deviceOf(pusher, null)] } };
  const { type, sender, content, stateKey } = event;
  const target =
    stateKey === null || type !== 'm.room.member' ? {} : { user_is_target: stateKey === pusher.userId };
  const names = await namesOf(services, event);
  const devices = [deviceOf(pusher, tweaks)];
  return { notification: { ...start, type, sender, content, ...names, ...target, devices } };
}
