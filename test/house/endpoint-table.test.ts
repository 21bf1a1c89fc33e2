import { existsSync, readFileSync } from 'node:fs';
import { expect } from 'chai';
import type { Endpoint } from '../../src/http/kit/endpoint.ts';
import { loadEndpoints } from '../../src/http/kit/load-endpoints.ts';

/** The specification's tables: beside the repository, for whoever has them. */
const SPEC = new URL('../../../shared/spec/', import.meta.url);

const V1 = '/_matrix/client/v1';
const V3 = '/_matrix/client/v3';
const R0 = '/_matrix/client/r0';
const UNSTABLE = '/_matrix/client/unstable';

/** What of the table is not served, with the reason. Nothing else may be missing, and nothing that is served may stand here. */
const NOT_SERVED: Readonly<Record<string, readonly string[]>> = {
  'OAuth 2.0 and single sign-on': [
    `GET ${V1}/auth_metadata`,
    `GET ${V3}/login/sso/redirect`,
    `GET ${V3}/login/sso/redirect/{idpId}`,
  ],
  'e-mail addresses and telephone numbers': [
    `POST ${V3}/account/3pid`,
    ...['add', 'bind', 'delete', 'unbind', 'email/requestToken', 'msisdn/requestToken'].map(
      (what) => `POST ${V3}/account/3pid/${what}`,
    ),
    ...['account/password', 'register'].flatMap((what) =>
      ['email', 'msisdn'].map((medium) => `POST ${V3}/${what}/${medium}/requestToken`),
    ),
  ],
  'application services': [
    `POST ${V1}/appservice/{appserviceId}/ping`,
    `PUT ${V3}/directory/list/appservice/{networkId}/{roomId}`,
  ],
};

/** Endpoints that ask for something else than the table says, with the reason. */
const OTHER_AUTH: Readonly<Record<string, { readonly auth: Endpoint['auth']; readonly because: string }>> = {
  [`GET ${V3}/publicRooms`]: {
    auth: 'optional',
    because: 'the directory may be for the users of this server alone ([rooms] directory_for_everybody)',
  },
  'GET /_matrix/client/versions': {
    auth: 'none',
    because: 'the answer is the same for everybody, so that an expired token does no harm',
  },
};

/** What is limited although the table does not say so: nothing stays without a limit that a client could wear the server out with. */
const ALSO_LIMITED: Readonly<
  Record<NonNullable<Endpoint['rateLimit']>, { readonly because: string; readonly routes: readonly string[] }>
> = {
  login: {
    because: 'a stage of it takes passwords, which could be tried',
    routes: [`POST ${V3}/delete_devices`, `DELETE ${V3}/devices/{deviceId}`],
  },
  registration: { because: 'makes accounts', routes: [] },
  message: {
    because: 'goes to everybody in a room, or to many devices, and is kept',
    routes: [
      `PUT ${V3}/rooms/{roomId}/send/{eventType}/{txnId}`,
      `PUT ${V3}/rooms/{roomId}/state/{eventType}/{stateKey}`,
      `PUT ${V3}/rooms/{roomId}/redact/{eventId}/{txnId}`,
      `PUT ${V3}/sendToDevice/{eventType}/{txnId}`,
    ],
  },
  membership: {
    because: 'makes rooms and names, changes who is in a room, or asks for the attention of people',
    routes: [
      `POST ${V3}/createRoom`,
      ...['ban', 'kick', 'unban', 'upgrade', 'report/{eventId}'].map(
        (act) => `POST ${V3}/rooms/{roomId}/${act}`,
      ),
      `PUT ${V3}/directory/list/room/{roomId}`,
      `PUT ${V3}/directory/room/{roomAlias}`,
      `DELETE ${V3}/directory/room/{roomAlias}`,
    ],
  },
  reading: {
    because: 'reads as much from the database as it is asked to, and could be asked in a loop',
    routes: [
      `GET ${V1}/room_summary/{roomIdOrAlias}`,
      `GET ${V3}/admin/whois/{userId}`,
      `GET ${V3}/events/{eventId}`,
      `GET ${V3}/initialSync`,
      `GET ${V3}/joined_rooms`,
      `GET ${V3}/notifications`,
      `GET ${V3}/presence/{userId}/status`,
      `GET ${V3}/publicRooms`,
      `POST ${V3}/publicRooms`,
      ...[
        'context/{eventId}',
        'event/{eventId}',
        'initialSync',
        'joined_members',
        'members',
        'messages',
        'state',
        'state/{eventType}/{stateKey}',
      ].map((what) => `GET ${V3}/rooms/{roomId}/${what}`),
    ],
  },
  ephemeral: {
    because: 'each call is a write that wakes the other devices of the user',
    routes: [
      `DELETE ${V3}/pushrules/global/{kind}/{ruleId}`,
      `PUT ${V3}/pushrules/global/{kind}/{ruleId}/actions`,
      `PUT ${V3}/pushrules/global/{kind}/{ruleId}/enabled`,
      `PUT ${V3}/user/{userId}/account_data/{type}`,
      `POST ${V3}/user/{userId}/filter`,
      `PUT ${V3}/user/{userId}/rooms/{roomId}/account_data/{type}`,
      `PUT ${V3}/user/{userId}/rooms/{roomId}/tags/{tag}`,
      `DELETE ${V3}/user/{userId}/rooms/{roomId}/tags/{tag}`,
    ],
  },
  media: { because: 'moves files', routes: [] },
};

/** Paths that are in no table any more, or not yet, and that clients call. */
const ALSO_SERVED: readonly string[] = [
  ...['GET', 'PUT'].flatMap((method) =>
    ['v3', 'r0'].flatMap((version) =>
      ['avatar_url', 'displayname'].map(
        (name) => `${method} /_matrix/client/${version}/profile/{userId}/${name}`,
      ),
    ),
  ),
  ...['keys/device_signing/upload', 'keys/signatures/upload'].map((what) => `POST ${UNSTABLE}/${what}`),
  ...['keys', 'keys/{roomId}', 'keys/{roomId}/{sessionId}'].flatMap((what) =>
    ['GET', 'PUT', 'DELETE'].map((method) => `${method} ${UNSTABLE}/room_keys/${what}`),
  ),
  `GET ${UNSTABLE}/room_keys/version`,
  `POST ${UNSTABLE}/room_keys/version`,
  ...['GET', 'PUT', 'DELETE'].map((method) => `${method} ${UNSTABLE}/room_keys/version/{version}`),
  ...['', '/{relType}', '/{relType}/{eventType}'].map(
    (more) => `GET ${UNSTABLE}/rooms/{roomId}/relations/{eventId}${more}`,
  ),
  `GET ${UNSTABLE}/im.nheko.summary/rooms/{roomIdOrAlias}/summary`,
  `GET ${UNSTABLE}/im.nheko.summary/summary/{roomIdOrAlias}`,
  `POST ${UNSTABLE}/org.matrix.msc4151/rooms/{roomId}/report`,
  `GET ${UNSTABLE}/uk.tcpip.msc4133/profile/{userId}`,
  ...['GET', 'PUT', 'DELETE'].map(
    (method) => `${method} ${UNSTABLE}/uk.tcpip.msc4133/profile/{userId}/{keyName}`,
  ),
  `GET ${UNSTABLE}/org.matrix.msc2946/rooms/{roomId}/hierarchy`,
  `GET ${UNSTABLE}/org.matrix.msc3030/rooms/{roomId}/timestamp_to_event`,
  `GET ${UNSTABLE}/org.matrix.msc3856/rooms/{roomId}/threads`,
  `GET ${UNSTABLE}/org.matrix.msc2432/rooms/{roomId}/aliases`,
  `GET ${UNSTABLE}/uk.half-shot.msc2666/user/mutual_rooms`,
  'GET /_matrix/federation/v1/version',
  'GET /_synapse/admin/v1/server_version',
  'GET /_synapse/admin/v1/users/{userId}/admin',
];

interface Row {
  readonly route: string;
  readonly requiresAuth: string;
  readonly isLimited: boolean;
  readonly addedVersion: string;
}

function readRows(): readonly Row[] {
  const file = new URL('endpoints.tsv', SPEC);
  if (!existsSync(file)) return [];
  const [heading = '', ...lines] = readFileSync(file, 'utf8').trim().split('\n');
  const names = heading.split('\t');
  const rows = lines.map((line) => {
    const cells = line.split('\t');
    const cell = (name: string): string => cells[names.indexOf(name)]?.trim() ?? '';
    return {
      api: cell('api'),
      route: `${cell('method')} ${cell('path')}`,
      requiresAuth: cell('requires_auth'),
      isLimited: cell('rate_limited') === 'yes',
      addedVersion: cell('added_version'),
    };
  });
  return rows.filter(({ api }) => api === 'client-server');
}

/** A route without the names of its parameters. */
function shapeOf(route: string): string {
  return route.replaceAll(/\{[^}]*\}/g, '{}');
}

function authFits(auth: Endpoint['auth'], requiresAuth: string): boolean {
  if (requiresAuth === 'yes') return auth === 'user' || auth === 'admin';
  return auth === (requiresAuth === 'optional' ? 'optional' : 'none');
}

describe('the table of endpoints', () => {
  const rows = readRows();
  const served = new Map<string, Endpoint>();
  const find = (route: string): Endpoint | undefined => served.get(shapeOf(route));

  before(async () => {
    for (const { endpoint } of await loadEndpoints())
      for (const path of [endpoint.path, ...(endpoint.aliases ?? [])])
        served.set(shapeOf(`${endpoint.method} ${path}`), endpoint);
    if (rows.length === 0)
      process.stderr.write(
        'note: ../shared/spec/endpoints.tsv is not there, the table of endpoints is not compared\n',
      );
  });

  /** The routes of the table for which something does not hold. */
  const wrong = (holds: (row: Row, endpoint: Endpoint) => boolean): readonly string[] =>
    rows
      .filter((row) => {
        const endpoint = find(row.route);
        return endpoint !== undefined && !holds(row, endpoint);
      })
      .map(({ route }) => route);

  it('is read whole', () => {
    if (rows.length > 0) expect(rows.length).to.equal(166);
  });

  it('is served, but for what is named here, and what is named here is not', () => {
    const named = Object.values(NOT_SERVED).flat();
    expect(
      named.filter((route) => find(route) !== undefined),
      'named, and served',
    ).to.deep.equal([]);
    if (rows.length === 0) return;
    const missing = rows.map(({ route }) => route).filter((route) => find(route) === undefined);
    expect(missing.toSorted()).to.deep.equal(named.toSorted());
  });

  it('says who may call', () => {
    const others = wrong(
      ({ route, requiresAuth }, { auth }) => authFits(auth, requiresAuth) && !(route in OTHER_AUTH),
    );
    if (rows.length > 0) expect(others.toSorted()).to.deep.equal(Object.keys(OTHER_AUTH).toSorted());
    for (const [route, { auth }] of Object.entries(OTHER_AUTH))
      expect(find(route)?.auth, route).to.equal(auth);
  });

  it('says what is limited; what else is has a reason', () => {
    const unlimited = wrong(({ isLimited }, { rateLimit }) => !isLimited || rateLimit !== null);
    expect(unlimited, 'not limited').to.deep.equal([]);
    if (rows.length === 0) return;
    for (const [limit, { routes }] of Object.entries(ALSO_LIMITED)) {
      const beyond = wrong(({ isLimited }, { rateLimit }) => isLimited || rateLimit !== limit);
      expect(beyond.toSorted(), limit).to.deep.equal(routes.toSorted());
    }
  });

  it('is served at the paths of r0 where r0 had it', () => {
    const old = rows.filter(
      ({ addedVersion, route }) => addedVersion === '<=1.1' && find(route) !== undefined,
    );
    const missing = old
      .map(({ route }) => route)
      .map((route) => route.replace(V3, R0).replace('/_matrix/media/v3', '/_matrix/media/r0'))
      .filter((route) => find(route) === undefined);
    expect(missing).to.deep.equal([]);
    if (rows.length > 0) expect(old.length).to.be.greaterThan(80);
  });

  it('is not all: what was there, and what proposals named, is served where clients call it', () => {
    const missing = ALSO_SERVED.filter((route) => {
      const isField = find(route.replace(/\/(avatar_url|displayname)$/, '/{keyName}'));
      return find(route) === undefined && isField === undefined;
    });
    expect(missing).to.deep.equal([]);
  });
});
