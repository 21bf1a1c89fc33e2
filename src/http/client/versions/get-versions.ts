import { Type } from 'typebox';
import { defineEndpoint } from '../../kit/endpoint.ts';

/** A version of the specification and routes that it added. */
interface SpecVersion {
  readonly version: string;
  /** A version counts as served when these are, and all of the versions before it. */
  readonly routes: readonly string[];
}

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
];

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
  'uk.half-shot.msc2666.query_mutual_rooms': [
    'GET /_matrix/client/unstable/uk.half-shot.msc2666/user/mutual_rooms',
  ],
  'uk.half-shot.msc2666.query_mutual_rooms.stable': ['GET /_matrix/client/v1/mutual_rooms'],
  'org.matrix.msc3391': [
    'DELETE /_matrix/client/v3/user/{userId}/account_data/{type}',
    'DELETE /_matrix/client/v3/user/{userId}/rooms/{roomId}/account_data/{type}',
  ],
  'org.matrix.msc4151': ['POST /_matrix/client/v3/rooms/{roomId}/report'],
  'uk.timedout.msc4323': [
    'GET /_matrix/client/v1/admin/lock/{userId}',
    'PUT /_matrix/client/v1/admin/lock/{userId}',
    'GET /_matrix/client/v1/admin/suspend/{userId}',
    'PUT /_matrix/client/v1/admin/suspend/{userId}',
  ],
};

function servedFlags(served: ReadonlySet<string>): Readonly<Record<string, boolean>> {
  const whole = Object.entries(ROUTES_OF_FLAG).filter(([, routes]) =>
    routes.every((route) => served.has(route)),
  );
  return Object.fromEntries(whole.map(([flag]) => [flag, true]));
}

function servedVersions(served: ReadonlySet<string>): readonly string[] {
  const isWhole = ({ routes }: SpecVersion): boolean => routes.every((route) => served.has(route));
  const gap = LATER_VERSIONS.findIndex((version) => !isWhole(version));
  const whole = gap === -1 ? LATER_VERSIONS : LATER_VERSIONS.slice(0, gap);
  return [FIRST_VERSION, ...whole.map(({ version }) => version)];
}

/** The versions of the specification that this server serves, derived from its endpoints. No unstable feature is claimed that is not whole. */
export const endpoint = defineEndpoint({
  method: 'GET',
  path: '/_matrix/client/versions',
  spec: 'Client-Server API v1.19, GET /_matrix/client/versions',
  auth: 'none',
  rateLimit: null,
  reply: Type.Object({
    versions: Type.Array(Type.String()),
    unstable_features: Type.Record(Type.String(), Type.Boolean()),
  }),
  needs: ['served'],
  handle: ({ services }) =>
    Promise.resolve({
      versions: [...servedVersions(services.served)],
      unstable_features: servedFlags(services.served),
    }),
});
