import { expect } from 'chai';
import type { Endpoint, RestrictedCaller } from '../../../../src/http/kit/endpoint.ts';
import { loadEndpoints } from '../../../../src/http/kit/load-endpoints.ts';

const V3 = '/_matrix/client/v3';
const DELAYED = '/_matrix/client/unstable/org.matrix.msc4140';

/** Client-Server API v1.19, "Guest Access", "Client behaviour"; the displayname alone of the profile is checked by its endpoint. */
const GUESTS = [
  `GET ${V3}/rooms/{roomId}/state`,
  `GET ${V3}/rooms/{roomId}/context/{eventId}`,
  `GET ${V3}/rooms/{roomId}/event/{eventId}`,
  `GET ${V3}/rooms/{roomId}/state/{eventType}/{stateKey?}`,
  `GET ${V3}/rooms/{roomId}/messages`,
  `GET ${V3}/rooms/{roomId}/members`,
  `GET ${V3}/rooms/{roomId}/initialSync`,
  `GET ${V3}/sync`,
  `GET ${V3}/events`,
  'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}',
  'GET /_matrix/client/v1/media/download/{serverName}/{mediaId}/{fileName}',
  'GET /_matrix/client/v1/media/thumbnail/{serverName}/{mediaId}',
  `POST ${V3}/rooms/{roomId}/join`,
  `POST ${V3}/rooms/{roomId}/leave`,
  `PUT ${V3}/rooms/{roomId}/send/{eventType}/{txnId}`,
  `PUT ${V3}/rooms/{roomId}/state/{eventType}/{stateKey?}`,
  `PUT ${V3}/sendToDevice/{eventType}/{txnId}`,
  `PUT ${V3}/profile/{userId}/{keyName}`,
  `GET ${V3}/devices`,
  `GET ${V3}/devices/{deviceId}`,
  `PUT ${V3}/devices/{deviceId}`,
  `GET ${V3}/account/whoami`,
  `POST ${V3}/keys/upload`,
  `POST ${V3}/keys/query`,
  `POST ${V3}/keys/claim`,
];
/** Beyond the specification's list. */
const ALSO_GUESTS = [
  // An access token that nobody can end would live for ever.
  `POST ${V3}/logout`,
  `POST ${V3}/logout/all`,
  // Open to whoever has no account at all, and what shows the same.
  `GET ${V3}/publicRooms`,
  `POST ${V3}/publicRooms`,
  'GET /_matrix/client/v1/room_summary/{roomIdOrAlias}',
  // Finds what they can page to, and says how large what they may load can be.
  'GET /_matrix/client/v1/rooms/{roomId}/timestamp_to_event',
  'GET /_matrix/client/v1/media/config',
  // MSC4140, "Guest accounts"; MSC4143: guests take part in calls.
  ...['{delayId}', '{delayId}/send', '{delayId}/cancel', '{delayId}/restart'].map(
    (path) => `POST ${DELAYED}/delayed_events/${path}`,
  ),
  `PUT ${DELAYED}/rooms/{roomId}/delayed_event/{eventType}/{txnId}`,
  `GET ${DELAYED}/delayed_events`,
  `GET ${DELAYED}/delayed_events/{delayId}`,
  'GET /_matrix/client/unstable/org.matrix.msc4143/rtc/transports',
  // The old form of sync, and of one event.
  `GET ${V3}/initialSync`,
  `GET ${V3}/events/{eventId}`,
  // What they get is for the configuration to say.
  `GET ${V3}/voip/turnServer`,
];

/**
 * What is not GET and open to who is suspended. Client-Server API v1.19, "Account suspension": log out and delete devices, deactivate, verify
 * devices and write cross-signing data, fill the key backup, leave rooms and reject invites, redact own events. And what only oneself sees:
 * filters, account data, tags, push rules, read markers, the password.
 */
const SUSPENDED = [
  `POST ${V3}/logout`,
  `POST ${V3}/logout/all`,
  `DELETE ${V3}/devices/{deviceId}`,
  `POST ${V3}/delete_devices`,
  `PUT ${V3}/devices/{deviceId}`,
  `POST ${V3}/account/deactivate`,
  `POST ${V3}/account/password`,
  'POST /_matrix/client/v1/login/get_token',
  `POST ${V3}/keys/upload`,
  `POST ${V3}/keys/query`,
  `POST ${V3}/keys/claim`,
  `POST ${V3}/keys/signatures/upload`,
  `POST ${V3}/keys/device_signing/upload`,
  `PUT ${V3}/sendToDevice/{eventType}/{txnId}`,
  ...['keys', 'keys/{roomId}', 'keys/{roomId}/{sessionId}', 'version/{version}'].flatMap((path) => [
    `PUT ${V3}/room_keys/${path}`,
    `DELETE ${V3}/room_keys/${path}`,
  ]),
  `POST ${V3}/room_keys/version`,
  `POST ${V3}/rooms/{roomId}/leave`,
  `POST ${V3}/rooms/{roomId}/forget`,
  `PUT ${V3}/rooms/{roomId}/redact/{eventId}/{txnId}`,
  `POST ${V3}/user/{userId}/filter`,
  `PUT ${V3}/user/{userId}/account_data/{type}`,
  `PUT ${V3}/user/{userId}/rooms/{roomId}/account_data/{type}`,
  `DELETE ${V3}/user/{userId}/account_data/{type}`,
  `DELETE ${V3}/user/{userId}/rooms/{roomId}/account_data/{type}`,
  `PUT ${V3}/user/{userId}/rooms/{roomId}/tags/{tag}`,
  `DELETE ${V3}/user/{userId}/rooms/{roomId}/tags/{tag}`,
  'PUT /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
  'DELETE /_matrix/client/unstable/io.element.msc4306/rooms/{roomId}/thread/{rootId}/subscription',
  `PUT ${V3}/pushrules/global/{kind}/{ruleId}`,
  `DELETE ${V3}/pushrules/global/{kind}/{ruleId}`,
  `PUT ${V3}/pushrules/global/{kind}/{ruleId}/actions`,
  `PUT ${V3}/pushrules/global/{kind}/{ruleId}/enabled`,
  `POST ${V3}/pushers/set`,
  // Open to who has no token at all, too; whether an event may be sent is asked when it is.
  ...['{delayId}', '{delayId}/send', '{delayId}/cancel', '{delayId}/restart'].map(
    (path) => `POST ${DELAYED}/delayed_events/${path}`,
  ),
  // They only read.
  `POST ${V3}/publicRooms`,
  `POST ${V3}/search`,
  `POST ${V3}/user_directory/search`,
  `POST ${V3}/rooms/{roomId}/read_markers`,
  `POST ${V3}/rooms/{roomId}/receipt/{receiptType}/{eventId}`,
];

/** Client-Server API v1.19, "Account locking". */
const LOCKED = [`POST ${V3}/logout`, `POST ${V3}/logout/all`];

describe('whom endpoints let in', () => {
  let endpoints: readonly Endpoint[];

  before(async () => {
    endpoints = (await loadEndpoints()).map(({ endpoint }) => endpoint);
  });

  const routeOf = ({ method, path }: Endpoint): string => `${method} ${path}`;
  const allowing = (caller: RestrictedCaller): readonly string[] =>
    endpoints.filter(({ allows = [] }) => allows.includes(caller)).map(routeOf);
  const served = (routes: readonly string[]): readonly string[] => {
    const all = new Set(endpoints.map(routeOf));
    return routes.filter((route) => all.has(route));
  };

  /** What an endpoint should say and does not, and what it says and should not. */
  const differences = (caller: RestrictedCaller, wanted: readonly string[]): unknown => {
    const [is, should] = [allowing(caller), served(wanted)];
    return {
      missing: should.filter((route) => !is.includes(route)),
      surplus: is.filter((route) => !should.includes(route)),
    };
  };
  const NONE = { missing: [], surplus: [] };

  it('lets guests do what the specification lists, and nothing else', () => {
    expect(served(GUESTS).length).to.be.greaterThan(15);
    expect(differences('guest', [...GUESTS, ...ALSO_GUESTS])).to.deep.equal(NONE);
  });

  it('lets who is suspended do what others do not notice', () => {
    expect(served(SUSPENDED).length).to.be.greaterThan(20);
    expect(differences('suspended', SUSPENDED)).to.deep.equal(NONE);
  });

  it('lets who is locked log out', () => {
    expect(differences('locked', LOCKED)).to.deep.equal(NONE);
  });
});
