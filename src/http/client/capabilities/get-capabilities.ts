import { Type } from 'typebox';
import { ROOM_VERSIONS, UNSTABLE_ROOM_VERSIONS } from '../../../matrix/rooms/room-versions.ts';
import { defineEndpoint } from '../../kit/endpoint.ts';

const AVAILABLE = Object.fromEntries([
  ...ROOM_VERSIONS.map(({ id }) => [id, 'stable']),
  ...UNSTABLE_ROOM_VERSIONS.map(({ id }) => [id, 'unstable']),
]) as Readonly<Record<string, 'stable' | 'unstable'>>;

const DELAYED_EVENTS =
  'PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}';
const SET_PROFILE_FIELD = 'PUT /_matrix/client/v3/profile/{userId}/{keyName}';

/** Capabilities that hold when one of these endpoints is served. A client takes an absent one for granted, so each is named even when it is off. */
const ENDPOINTS_OF_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  'm.change_password': ['POST /_matrix/client/v3/account/password'],
  'm.set_displayname': ['PUT /_matrix/client/v3/profile/{userId}/displayname', SET_PROFILE_FIELD],
  'm.set_avatar_url': ['PUT /_matrix/client/v3/profile/{userId}/avatar_url', SET_PROFILE_FIELD],
  'm.3pid_changes': ['POST /_matrix/client/v3/account/3pid/add'],
  'm.get_login_token': ['POST /_matrix/client/v1/login/get_token'],
  'm.profile_fields': [SET_PROFILE_FIELD],
  'uk.tcpip.msc4133.profile_fields': [SET_PROFILE_FIELD],
};

/** What this server can do, derived from the endpoints that it serves and the room versions that it knows. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/v3/capabilities',
  aliases: ['/_matrix/client/r0/capabilities'],
  spec: 'Client-Server API v1.19, GET /_matrix/client/v3/capabilities',
  auth: 'user',
  rateLimit: 'reading',
  reply: Type.Object({ capabilities: Type.Record(Type.String(), Type.Unknown()) }),
  needs: ['config', 'served'],
  handle({ caller, services }) {
    const switches = Object.entries(ENDPOINTS_OF_CAPABILITY).map(
      ([name, routes]): [string, { readonly enabled: boolean }] => [
        name,
        { enabled: routes.some((route) => services.served.has(route)) },
      ],
    );
    const moderation = {
      suspend: services.served.has('PUT /_matrix/client/v1/admin/suspend/{userId}'),
      lock: services.served.has('PUT /_matrix/client/v1/admin/lock/{userId}'),
    };
    const mayModerate = caller.isAdmin && (moderation.suspend || moderation.lock);
    const { maxDelayMs, maxScheduled } = services.config.delayedEvents;
    const versions = { default: services.config.rooms.defaultVersion, available: AVAILABLE };
    return Promise.resolve({
      capabilities: {
        'm.room_versions': versions,
        // Rooms that are left are kept until they are forgotten by name.
        'm.forget_forced_upon_leave': { enabled: false },
        // MSC4452
        'io.element.msc4452.preview_url': { enabled: services.config.media.urlPreviews },
        // MSC4140
        ...(services.served.has(DELAYED_EVENTS) && {
          'org.matrix.msc4140.delayed_events': {
            max_delay_ms: maxDelayMs,
            max_scheduled: maxScheduled,
          },
        }),
        ...Object.fromEntries(switches),
        ...(mayModerate ? { 'm.account_moderation': moderation } : {}),
      },
    });
  },
});
