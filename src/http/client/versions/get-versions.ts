import { Type } from 'typebox';
import { defineEndpoint, reply } from '../../kit/endpoint.ts';
import { IMPLEMENTATION } from '../../kit/implementation.ts';

/** A version of the specification and routes that it added. */
interface SpecVersion {
  readonly version: string;
  /** A version counts as served when these are, and all of the versions before it. */
  readonly routes: readonly string[];
}

/** The versions from before there was one for all APIs. */
const OLD_VERSIONS: readonly string[] = [
  'r0.0.1',
  'r0.1.0',
  'r0.2.0',
  'r0.3.0',
  'r0.4.0',
  'r0.5.0',
  'r0.6.0',
  'r0.6.1',
];

/** Clients of those versions take these for granted: nothing said then that a server does without. */
const ROUTES_OF_OLD_VERSIONS: readonly string[] = [
  'GET /_matrix/client/v3/login/sso/redirect',
  'POST /_matrix/client/v3/account/3pid/add',
  'POST /_matrix/client/v3/account/3pid/bind',
  'POST /_matrix/client/v3/account/3pid/delete',
  'POST /_matrix/client/v3/account/3pid/unbind',
  'POST /_matrix/client/v3/account/3pid/email/requestToken',
  'POST /_matrix/client/v3/account/3pid/msisdn/requestToken',
  'POST /_matrix/client/v3/account/password/email/requestToken',
  'POST /_matrix/client/v3/register/email/requestToken',
];

const PROFILE_FIELD_ROUTES: readonly string[] = ['GET', 'PUT', 'DELETE'].map(
  (method) => `${method} /_matrix/client/v3/profile/{userId}/{keyName}`,
);
const MODERATION_ROUTES: readonly string[] = ['lock', 'suspend'].flatMap((measure) =>
  ['GET', 'PUT'].map((method) => `${method} /_matrix/client/v1/admin/${measure}/{userId}`),
);
const SYNC = 'GET /_matrix/client/v3/sync';
const RECEIPT = 'POST /_matrix/client/v3/rooms/{roomId}/receipt/{receiptType}/{eventId}';

const FIRST_VERSION = 'v1.1';

/**
 * What decides which version is claimed: of each version's new routes those that a client calls once it sees the version's name. What is found by
 * other means (capabilities, login flows, well-known) does not count. v1.1 is the ground that every client needs to speak to us at all.
 */
const LATER_VERSIONS: readonly SpecVersion[] = [
  { version: 'v1.2', routes: ['GET /_matrix/client/v1/rooms/{roomId}/hierarchy'] },
  {
    version: 'v1.3',
    routes: [
      'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}',
      'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}',
      'GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}/{relType}/{eventType}',
    ],
  },
  { version: 'v1.4', routes: ['GET /_matrix/client/v1/rooms/{roomId}/threads'] },
  { version: 'v1.5', routes: [] },
  { version: 'v1.6', routes: ['GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event'] },
  {
    version: 'v1.7',
    routes: ['POST /_matrix/media/v1/create', 'PUT /_matrix/media/v3/upload/{serverName}/{mediaId}'],
  },
  { version: 'v1.8', routes: [] },
  { version: 'v1.9', routes: [] },
  { version: 'v1.10', routes: [] },
  {
    version: 'v1.11',
    routes: [
      'GET /_matrix/client/v1/media/config',
      'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}',
      'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}',
      'GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
    ],
  },
  { version: 'v1.12', routes: ['GET /_matrix/client/v3/pushrules/global/'] },
  { version: 'v1.13', routes: ['POST /_matrix/client/v3/rooms/{roomId}/report'] },
  { version: 'v1.14', routes: ['POST /_matrix/client/v3/users/{userId}/report'] },
  { version: 'v1.15', routes: ['GET /_matrix/client/v1/room_summary/{roomIdOrAlias}'] },
  { version: 'v1.16', routes: PROFILE_FIELD_ROUTES },
  { version: 'v1.17', routes: [] },
  {
    version: 'v1.18',
    routes: [...MODERATION_ROUTES, 'GET /.well-known/matrix/policy_server'],
  },
  { version: 'v1.19', routes: ['GET /_matrix/client/v1/mutual_rooms'] },
];

/** Claimed only where users may have events sent later: clients do without then. MSC4140. */
const DELAYED_EVENTS_FLAG = 'org.matrix.msc4140';

/** Flags of proposals that clients look for, and the routes that have to be served for each to be true. */
const ROUTES_OF_FLAG: Readonly<Record<string, readonly string[]>> = {
  'org.matrix.e2e_cross_signing': [
    'POST /_matrix/client/v3/keys/device_signing/upload',
    'POST /_matrix/client/v3/keys/signatures/upload',
  ],
  'org.matrix.msc3030.stable': ['GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event'],
  'org.matrix.msc3266': ['GET /_matrix/client/v1/room_summary/{roomIdOrAlias}'],
  'org.matrix.msc3440.stable': ['GET /_matrix/client/v1/rooms/{roomId}/threads'],
  'org.matrix.msc3715.stable': ['GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}'],
  'org.matrix.msc3856.stable': ['GET /_matrix/client/v1/rooms/{roomId}/threads'],
  'org.matrix.msc3981': ['GET /_matrix/client/v1/rooms/{roomId}/relations/{eventId}'],
  'org.matrix.msc3827.stable': ['POST /_matrix/client/v3/publicRooms'],
  'com.beeper.msc4446': ['POST /_matrix/client/v3/rooms/{roomId}/read_markers'],
  'fi.mau.msc2815': ['GET /_matrix/client/v3/rooms/{roomId}/event/{eventId}'],
  'org.matrix.msc3026.busy_presence': ['PUT /_matrix/client/v3/presence/{userId}/status'],
  'org.matrix.msc3881': ['GET /_matrix/client/v3/pushers', 'POST /_matrix/client/v3/pushers/set'],
  'org.matrix.msc3912': ['PUT /_matrix/client/v3/rooms/{roomId}/redact/{eventId}/{txnId}'],
  'org.matrix.msc4028': ['GET /_matrix/client/v3/pushrules/'],
  'org.matrix.msc4069': ['PUT /_matrix/client/v3/profile/{userId}/{keyName}'],
  'uk.timedout.msc4491.create_room_invite_reasons': ['POST /_matrix/client/v3/createRoom'],
  'uk.half-shot.msc2666.query_mutual_rooms': [
    'GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
  ],
  'uk.half-shot.msc2666.query_mutual_rooms.stable': ['GET /_matrix/client/v1/mutual_rooms'],
  'org.matrix.msc3391': [
    'DELETE /_matrix/client/v3/user/{userId}/account_data/{type}',
    'DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  ],
  'org.matrix.msc4306': [
    'DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
    'GET /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
    'PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
    'GET /_matrix/client/unstable/io.element.msc4308/thread_subscriptions',
  ],
  'org.matrix.msc4155': ['PUT /_matrix/client/v3/user/{userId}/account_data/{type}'],
  'org.matrix.msc4380.stable': ['PUT /_matrix/client/v3/user/{userId}/account_data/{type}'],
  [DELAYED_EVENTS_FLAG]: [
    'PUT /_matrix/client/unstable/org.matrix.msc4140/rooms/{roomId}/delayed_event/{eventType}/{txnId}',
    'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events',
    'GET /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}',
    ...['send', 'cancel', 'restart'].map(
      (action) => `POST /_matrix/client/unstable/org.matrix.msc4140/delayed_events/{delayId}/${action}`,
    ),
  ],
  'org.matrix.msc2836': ['POST /_matrix/client/unstable/event_relationships'],
  'org.matrix.msc3874': ['GET /_matrix/client/v3/rooms/{roomId}/messages'],
  'org.matrix.msc4354': ['PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}', SYNC],
  'org.matrix.msc4143': ['GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports'],
  'org.matrix.msc4151': ['POST /_matrix/client/v3/rooms/{roomId}/report'],
  'com.beeper.msc4169': ['PUT /_matrix/client/v3/rooms/{roomId}/send/{eventType}/{txnId}'],
  'org.matrix.msc2285.stable': [RECEIPT],
  'org.matrix.msc3771': [RECEIPT],
  'org.matrix.msc3773': [SYNC],
  'org.matrix.msc4222': [SYNC],
  'org.matrix.msc3916.stable': [
    'GET /_matrix/client/v1/media/config',
    'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}',
    'GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
  ],
  'org.matrix.msc3952_intentional_mentions': ['GET /_matrix/client/v3/pushrules/'],
  'uk.tcpip.msc4133': PROFILE_FIELD_ROUTES,
  'uk.tcpip.msc4133.stable': PROFILE_FIELD_ROUTES,
  'uk.timedout.msc4323': MODERATION_ROUTES,
};

/** Flags that say the same whatever is served: rooms are encrypted when their creator wants that, and who serves is told (MSC4383). */
const FIXED_FLAGS: Readonly<Record<string, boolean>> = {
  'io.element.e2ee_forced.public': false,
  'io.element.e2ee_forced.private': false,
  'io.element.e2ee_forced.trusted_private': false,
  'net.zemos.msc4383': true,
};

function servedFlags(served: ReadonlySet<string>): Readonly<Record<string, boolean>> {
  const whole = Object.entries(ROUTES_OF_FLAG).filter(([, routes]) =>
    routes.every((route) => served.has(route)),
  );
  return { ...Object.fromEntries(whole.map(([flag]) => [flag, true])), ...FIXED_FLAGS };
}

function servedVersions(served: ReadonlySet<string>): readonly string[] {
  const isWhole = ({ routes }: SpecVersion): boolean => routes.every((route) => served.has(route));
  const gap = LATER_VERSIONS.findIndex((version) => !isWhole(version));
  const whole = gap === -1 ? LATER_VERSIONS : LATER_VERSIONS.slice(0, gap);
  const old = ROUTES_OF_OLD_VERSIONS.every((route) => served.has(route)) ? OLD_VERSIONS : [];
  return [...old, FIRST_VERSION, ...whole.map(({ version }) => version)];
}

/**
 * The versions of the specification that this server serves, derived from its endpoints. No unstable feature is claimed that is not whole.
 * The answer is the same for everybody, with and without an access token, whatever has become of that.
 */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/versions',
  spec: 'Client-Server API v1.19, GET /_matrix/client/versions',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({
    versions: Type.Array(Type.String()),
    unstable_features: Type.Record(Type.String(), Type.Boolean()),
    'net.zemos.msc4383.server': Type.Object({ name: Type.String(), version: Type.String() }),
  }),
  needs: ['config', 'served'],
  handle: ({ services: { config, served } }) => {
    const { [DELAYED_EVENTS_FLAG]: areServed, ...flags } = servedFlags(served);
    const { maxDelayMs, maxScheduled } = config.delayedEvents;
    const areDelayed = areServed === true && maxDelayMs > 0 && maxScheduled > 0;
    const body = {
      versions: servedVersions(served),
      unstable_features: { ...flags, ...(areDelayed && { [DELAYED_EVENTS_FLAG]: true }) },
      'net.zemos.msc4383.server': IMPLEMENTATION,
    };
    // A cache between us and the client must not give to one what may be meant for another.
    return Promise.resolve(reply(200, body, { Vary: 'Authorization' }));
  },
});
