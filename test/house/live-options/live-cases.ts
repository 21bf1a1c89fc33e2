import { pathOf } from '../../support/http-client.ts';
import { okBody, textOf } from '../../support/person.ts';
import {
  type LiveCase,
  CLIENT,
  TERMS,
  TURN,
  TURN_USER,
  at,
  deviceName,
  field,
  findsStranger,
  legacyStatus,
  limited,
  login,
  loginTokenLifetime,
  notaryRequests,
  publishStatus,
  pusherStatus,
  remoteRequests,
  secondStatus,
  showsTerms,
  statusOfPreview,
  statusOfRemoteMedia,
  voip,
} from './live-sights.ts';

/** Every option that changes while the server runs. */
export const LIVE_CASES: Readonly<Record<string, LiveCase>> = {
  'server.public_base_url': {
    values: [
      ['https://one.example', 'https://one.example'],
      ['https://two.example/', 'https://two.example'],
    ],
    see: field('/.well-known/matrix/client', 'm.homeserver', 'base_url'),
  },
  'server.trusted_proxies': {
    with: {
      TROUPE_RATE_LIMITS_ENABLED: 'true',
      TROUPE_RATE_LIMITS_REGISTRATION: '{ per_second = 0.0001, burst = 1 }',
    },
    values: [
      ['[]', 429],
      ['["10.0.0.0/8"]', 200],
    ],
    see: secondStatus,
  },
  'server.admin_contact': {
    values: [
      ['mailto:a@example.org', true],
      ['mailto:b@example.org', false],
    ],
    see: async ({ ann }) =>
      (await ann.http.get('/.well-known/matrix/support')).text.includes('a@example.org'),
  },
  'server.support_page': {
    values: [
      ['https://example.org/help', 'https://example.org/help'],
      ['https://example.org/two', 'https://example.org/two'],
    ],
    see: field('/.well-known/matrix/support', 'support_page'),
  },
  'registration.open': {
    values: [
      ['false', false],
      ['true', true],
    ],
    see: async ({ http }) =>
      (await http.post(`${CLIENT}/register`, {}, { token: null })).text.includes('m.login.dummy'),
  },
  'registration.shared_secret': {
    values: [
      ['', false],
      ['a secret', true],
    ],
    see: async ({ http }) =>
      (await http.get('/_synapse/admin/v1/register', { token: null })).text.includes('nonce'),
  },
  'registration.allow_guests': {
    values: [
      ['false', 403],
      ['true', 200],
    ],
    see: async ({ http }) =>
      (await http.post(`${CLIENT}/register`, {}, { token: null, query: { kind: 'guest' } })).status,
  },
  'registration.terms_url': {
    values: [
      ['https://example.org/terms', true],
      ['', false],
    ],
    see: showsTerms('https://example.org/terms'),
  },
  'registration.terms_name': {
    values: [
      ['Rules', true],
      ['Other', false],
    ],
    with: TERMS,
    see: showsTerms('Rules'),
  },
  'registration.terms_version': {
    values: [
      ['"7.1"', false],
      ['7.2', true],
    ],
    with: TERMS,
    see: showsTerms('"7.2"'),
  },
  'accounts.access_token_lifetime': {
    values: [
      ['60', 60_000],
      ['120', 120_000],
    ],
    see: async (world) => at((await login(world, { refresh_token: true })).body, 'expires_in_ms'),
  },
  'accounts.login_token_lifetime': {
    values: [
      ['60', 60_000],
      ['30', 30_000],
    ],
    see: loginTokenLifetime,
  },
  'rate_limits.enabled': {
    with: { TROUPE_RATE_LIMITS_READING: '{ per_second = 0.0001, burst = 1 }' },
    values: [
      ['true', 429],
      ['false', 200],
    ],
    see: async ({ bob }) => {
      await bob.http.get(`${CLIENT}/login`);
      return (await bob.http.get(`${CLIENT}/login`, { token: null })).status;
    },
  },
  'rate_limits.login': limited((world) => login(world, { password: 'wrong' })),
  'rate_limits.registration': limited(({ http }) =>
    http.get(`${CLIENT}/register/available`, { token: null, query: { username: 'free' } }),
  ),
  'rate_limits.message': limited(({ bob }) =>
    bob.http.put(pathOf`/_matrix/client/v3/rooms/!none:here/send/m.room.message/x`, { body: '' }),
  ),
  'rate_limits.membership': limited(({ bob }) =>
    bob.http.post(pathOf`/_matrix/client/v3/rooms/!none:here/leave`, {}),
  ),
  'rate_limits.reading': limited(({ bob }) => bob.http.get(`${CLIENT}/capabilities`)),
  'rate_limits.ephemeral': limited(({ bob }) =>
    bob.http.put(pathOf`/_matrix/client/v3/presence/${bob.userId}/status`, { presence: 'online' }),
  ),
  'rate_limits.media': limited(({ bob }) =>
    bob.http.get('/_matrix/client/v1/media/preview_url', { query: { url: 'nonsense:' } }),
  ),
  'rooms.default_version': {
    values: [
      ['10', '10'],
      ['11', '11'],
    ],
    see: field(`${CLIENT}/capabilities`, 'capabilities', 'm.room_versions', 'default'),
  },
  'rooms.publish_by': {
    values: [
      ['admins', 403],
      ['moderators', 200],
    ],
    see: publishStatus,
  },
  'rooms.directory_for_everybody': {
    values: [
      ['false', 401],
      ['true', 200],
    ],
    see: async ({ http }) => (await http.get(`${CLIENT}/publicRooms`, { token: null })).status,
  },
  'user_directory.search_all': {
    values: [
      ['false', 0],
      ['true', 1],
    ],
    see: findsStranger,
  },
  'encryption.share_device_names': {
    values: [
      ['false', null],
      ['true', 'The phone'],
    ],
    see: deviceName,
  },
  'media.max_upload_size': {
    values: [
      ['1000', 1000],
      ['2000', 2000],
    ],
    see: field('/_matrix/client/v1/media/config', 'm.upload.size'),
  },
  'media.max_remote_size': {
    values: [
      ['1000', 413],
      ['3000', 200],
    ],
    see: statusOfRemoteMedia,
  },
  // The second one pushes out the first, the third the second, and so on.
  'media.remote_cache_size': {
    values: [
      ['2500', 4],
      ['100000', 2],
    ],
    see: remoteRequests,
  },
  'media.allow_legacy': {
    values: [
      ['false', 404],
      ['true', 200],
    ],
    see: legacyStatus,
  },
  'media.url_previews': {
    with: { TROUPE_MEDIA_URL_PREVIEW_ALLOW: '["127.0.0.0/8"]' },
    values: [
      ['false', 404],
      ['true', 200],
    ],
    see: statusOfPreview,
  },
  'media.url_preview_deny': {
    with: { TROUPE_MEDIA_URL_PREVIEW_ALLOW: '["127.0.0.0/8"]' },
    values: [
      ['["127.0.0.1/32"]', 403],
      ['[]', 200],
    ],
    see: statusOfPreview,
  },
  'media.url_preview_allow': {
    values: [
      ['[]', 403],
      ['["127.0.0.0/8"]', 200],
    ],
    see: statusOfPreview,
  },
  'delayed_events.max_delay_ms': {
    values: [
      ['1000', 1000],
      ['2000', 2000],
    ],
    see: async ({ ann }) =>
      (await ann.http.get(`${CLIENT}/capabilities`)).text.includes('"max_delay_ms":1000') ? 1000 : 2000,
  },
  'delayed_events.max_scheduled': {
    values: [
      ['0', null],
      ['10', true],
    ],
    see: field('/_matrix/client/versions', 'unstable_features', 'org.matrix.msc4140'),
  },
  'rtc.livekit_service_urls': {
    values: [
      ['["https://one.example"]', true],
      ['[]', false],
    ],
    see: async ({ ann }) =>
      (await ann.http.get('/_matrix/client/unstable/org.matrix.msc4143/rtc/transports')).text.includes(
        'one.example',
      ),
  },
  'log.level': {
    values: [
      ['error', 'error'],
      ['silent', 'silent'],
    ],
    see: async ({ inspector }) =>
      at((await inspector.get('/_troupe/inspector/v1/log-level')).body, 'configured'),
  },
  'federation.trusted_key_servers': {
    values: [
      ['[]', false],
      ['["PEER"]', true],
    ],
    see: notaryRequests,
  },
  'push.allow_private_addresses': {
    values: [
      ['false', 400],
      ['true', 200],
    ],
    see: pusherStatus,
  },
  'voip.turn_uris': {
    values: [
      ['["turn:one.example"]', 'turn:one.example'],
      ['["turn:two.example"]', 'turn:two.example'],
    ],
    with: TURN_USER,
    see: async (world) =>
      voip('uris')(world).then((uris) => (Array.isArray(uris) ? (uris[0] ?? null) : null)),
  },
  'voip.turn_user': {
    values: [
      ['one', 'one'],
      ['two', 'two'],
    ],
    with: TURN,
    see: voip('username'),
  },
  'voip.turn_password': {
    values: [
      ['one', 'one'],
      ['two', 'two'],
    ],
    with: TURN,
    see: voip('password'),
  },
  'voip.turn_shared_secret': {
    values: [
      ['', 'u'],
      ['secret', 'made'],
    ],
    with: TURN,
    see: async (world) => ((await voip('username')(world)) === 'u' ? 'u' : 'made'),
  },
  'voip.ttl': {
    values: [
      ['60', 60],
      ['120', 120],
    ],
    with: TURN,
    see: voip('ttl'),
  },
  'voip.allow_guests': {
    with: { ...TURN, TROUPE_REGISTRATION_ALLOW_GUESTS: 'true' },
    values: [
      ['false', false],
      ['true', true],
    ],
    async see({ http }) {
      const guest = await http.post(`${CLIENT}/register`, {}, { token: null, query: { kind: 'guest' } });
      const token = textOf(okBody(guest, 'a guest'), 'access_token');
      return (await http.get(`${CLIENT}/voip/turnServer`, { token })).text.includes('turn.example.org');
    },
  },
  'well_known.client': {
    with: { TROUPE_SERVER_PUBLIC_BASE_URL: 'https://one.example' },
    values: [
      ['{ "org.example" = { a = 1 } }', 1],
      ['{ "org.example" = { a = 2 } }', 2],
    ],
    see: field('/.well-known/matrix/client', 'org.example', 'a'),
  },
  'well_known.policy_server_keys': {
    values: [
      ['{ ed25519 = "AAAA" }', true],
      ['{ ed25519 = "BBBB" }', false],
    ],
    see: async ({ ann }) => (await ann.http.get('/.well-known/matrix/policy_server')).text.includes('AAAA'),
  },
};
