import { isIP } from 'node:net';
import { isJsonObject, type JsonObject } from '../kit/json.ts';

/** Which values an option takes, and how to say so. Plain checks: the program reads them before anything else, so they load fast. */
interface Check {
  /** What is allowed, for people. */
  readonly allowed: string;
  /** How the text of an environment variable is read: as it is (`choice`: in a file a whole number will do as well), as a flag, or as TOML. */
  readonly reads: 'text' | 'choice' | 'flag' | 'toml';
  accepts(value: unknown): boolean;
}

/** One option. */
export interface Option extends Check {
  /** Whether another value takes effect while the server runs, when the configuration is read again (SIGHUP), or with the next start. */
  readonly changes: 'live' | 'restart';
  /** Its value is shown to nobody. */
  readonly isSecret: boolean;
}

/** Options by section and key, as the file writes them: snake_case. */
export type ConfigSchema = Readonly<Record<string, Readonly<Record<string, Option>>>>;

const HOST_AND_PORT = /^(\[[0-9a-fA-F:.]+\]|[^\s:[\]]+):([0-9]{1,5})$/;
const SERVER_NAME = /^([0-9A-Za-z.-]{1,255}|\[[0-9a-fA-F:.]{2,45}\])(:[0-9]{1,5})?$/;
const HTTP_URL = /^(https?:\/\/\S+)?$/;
const PORT_MAX = 65_535;
const GATEWAYS_MAX = 64;
/** Ten years. */
const LIFETIME_SECONDS_MAX = 315_360_000;
/** A year. */
const DELAY_MS_MAX = 31_536_000_000;
const SCHEDULED_MAX = 10_000;

function isListenAddress(value: unknown): boolean {
  const match = typeof value === 'string' ? HOST_AND_PORT.exec(value) : null;
  return match !== null && Number(match[2]) <= PORT_MAX;
}

function textMatching(allowed: string, pattern: RegExp): Check {
  return { allowed, reads: 'text', accepts: (value) => typeof value === 'string' && pattern.test(value) };
}

function oneOf(values: readonly string[]): Check {
  const allowed = `one of ${values.map((value) => `"${value}"`).join(', ')}`;
  return { allowed, reads: 'choice', accepts: (value) => values.some((one) => one === value) };
}

const listen: Check = {
  allowed: '"host:port", the port 0 to 65535',
  reads: 'text',
  accepts: isListenAddress,
};
const listenOrNothing: Check = {
  allowed: '"host:port", the port 0 to 65535, or empty',
  reads: 'text',
  accepts: (value) => value === '' || isListenAddress(value),
};
const flag: Check = {
  allowed: 'true or false',
  reads: 'flag',
  accepts: (value) => typeof value === 'boolean',
};
const seconds: Check = {
  allowed: `a whole number of seconds from 1 to ${LIFETIME_SECONDS_MAX}`,
  reads: 'toml',
  accepts: (value) => Number.isInteger(value) && Number(value) >= 1 && Number(value) <= LIFETIME_SECONDS_MAX,
};
const text = textMatching('a text', /^/);
const rateLimit: Check = {
  allowed: '{ per_second = NUMBER above 0, burst = WHOLE NUMBER from 1 }',
  reads: 'toml',
  accepts(value) {
    if (!isJsonObject(value) || Object.keys(value).toSorted().join() !== 'burst,per_second') return false;
    const { per_second: perSecond, burst } = value;
    return typeof perSecond === 'number' && perSecond > 0 && Number.isInteger(burst) && Number(burst) >= 1;
  },
};

function isNetwork(value: unknown): boolean {
  if (typeof value !== 'string') return false;
  const [address = '', length = '', ...more] = value.split('/');
  const bits = isIP(address) === 6 ? 128 : 32;
  return isIP(address) !== 0 && more.length === 0 && /^\d{1,3}$/.test(length) && Number(length) <= bits;
}
const byteCount: Check = {
  allowed: 'a number of bytes, at least 1',
  reads: 'toml',
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 1,
};
const serverNames: Check = {
  allowed: 'a list of server names such as ["example.org"]',
  reads: 'toml',
  accepts: (value) =>
    Array.isArray(value) && value.every((name) => typeof name === 'string' && SERVER_NAME.test(name)),
};
const upTo = (most: number): Check => ({
  allowed: `a whole number from 0 to ${most}`,
  reads: 'toml',
  accepts: (value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= most,
});
const httpUrls: Check = {
  allowed: 'a list of http(s) URLs such as ["https://rtc.example.org"]',
  reads: 'toml',
  accepts: (value) =>
    Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '' && HTTP_URL.test(one)),
};
const networks: Check = {
  allowed: 'a list of networks such as ["192.0.2.0/24", "2001:db8::/32"]',
  reads: 'toml',
  accepts: (value) => Array.isArray(value) && value.every(isNetwork),
};

const turnUris: Check = {
  allowed: 'a list of turn: and turns: URIs',
  reads: 'toml',
  accepts: (value) =>
    Array.isArray(value) && value.every((uri) => typeof uri === 'string' && /^turns?:\S+$/.test(uri)),
};
const table: Check = { allowed: 'a table', reads: 'toml', accepts: isJsonObject };
const publicKeys: Check = {
  allowed: 'a table of algorithm = "unpadded base64", with ed25519 among them, or empty',
  reads: 'toml',
  accepts: (value) =>
    isJsonObject(value) &&
    Object.values(value).every((key) => typeof key === 'string' && /^[A-Za-z0-9+/_-]+$/.test(key)) &&
    (Object.keys(value).length === 0 || 'ed25519' in value),
};

/** Options that are read whenever they are needed. */
function live<Key extends string>(
  checks: Readonly<Record<Key, Check>>,
  isSecret = false,
): Record<Key, Option> {
  const entries = Object.entries<Check>(checks).map(([key, check]) => [
    key,
    { ...check, changes: 'live', isSecret } satisfies Option,
  ]);
  return Object.fromEntries(entries) as Record<Key, Option>;
}

/** Options whose value is built into what is made at the start. */
function atStart<Key extends string>(checks: Readonly<Record<Key, Check>>): Record<Key, Option> {
  const entries = Object.entries<Check>(checks).map(([key, check]) => [
    key,
    { ...check, changes: 'restart', isSecret: false } satisfies Option,
  ]);
  return Object.fromEntries(entries) as Record<Key, Option>;
}

const voip: ConfigSchema[string] = {
  ...live({ turn_uris: turnUris, turn_user: text, ttl: seconds, allow_guests: flag }),
  ...live({ turn_shared_secret: text, turn_password: text }, true),
};
const serverNotices: ConfigSchema[string] = atStart({
  enabled: flag,
  localpart: textMatching('a user name of a-z, 0-9 and . _ = - / +', /^[a-z0-9._=\-/+]{1,200}$/),
  display_name: textMatching('a text', /./),
  avatar_url: textMatching('an mxc:// address, or empty', /^(mxc:\/\/[^/\s]+\/[^/\s]+)?$/),
  room_name: textMatching('a text', /./),
});
const rateLimits: ConfigSchema[string] = live({
  enabled: flag,
  login: rateLimit,
  registration: rateLimit,
  message: rateLimit,
  membership: rateLimit,
  reading: rateLimit,
  ephemeral: rateLimit,
  media: rateLimit,
});
const media: ConfigSchema[string] = live({
  max_upload_size: byteCount,
  max_remote_size: byteCount,
  remote_cache_size: byteCount,
  allow_legacy: flag,
  url_previews: flag,
  url_preview_deny: networks,
  url_preview_allow: networks,
});

const server: ConfigSchema[string] = {
  ...atStart({
    name: textMatching('a host name with an optional port', SERVER_NAME),
    listen,
    gateways: upTo(GATEWAYS_MAX),
  }),
  ...live({
    public_base_url: textMatching('an http(s) URL, or empty', HTTP_URL),
    trusted_proxies: networks,
    admin_contact: text,
    support_page: textMatching('an http(s) URL, or empty', HTTP_URL),
  }),
};
const registration: ConfigSchema[string] = {
  ...live({
    open: flag,
    allow_guests: flag,
    terms_url: textMatching('an http(s) URL, or empty', HTTP_URL),
    terms_name: textMatching('a text', /./),
    terms_version: textMatching('a text', /./),
  }),
  ...live({ shared_secret: text }, true),
};
const federation: ConfigSchema[string] = {
  ...atStart({
    listen: listenOrNothing,
    tls_certificate: text,
    tls_key: text,
    ca_file: text,
    allow_private_addresses: flag,
  }),
  ...live({ trusted_key_servers: serverNames }),
};
const placement: Check = {
  allowed: 'a table of actor = "thread"',
  reads: 'toml',
  accepts: (value) =>
    isJsonObject(value) &&
    Object.values(value).every((thread) => typeof thread === 'string' && thread !== ''),
};

/**
 * Every option there is. `config.toml` gives each of them its default.
 *
 * @param roomVersions the room versions that the server knows
 */
export function configSchema(roomVersions: readonly string[]): ConfigSchema {
  return {
    server,
    data: atStart({ path: textMatching('the path of a folder', /./) }),
    registration,
    accounts: live({ access_token_lifetime: seconds, login_token_lifetime: seconds }),
    rate_limits: rateLimits,
    rooms: live({
      default_version: oneOf(roomVersions),
      publish_by: oneOf(['moderators', 'admins']),
      directory_for_everybody: flag,
    }),
    user_directory: live({ search_all: flag }),
    encryption: live({ share_device_names: flag }),
    media,
    delayed_events: live({ max_delay_ms: upTo(DELAY_MS_MAX), max_scheduled: upTo(SCHEDULED_MAX) }),
    rtc: live({ livekit_service_urls: httpUrls }),
    inspector: atStart({ listen }),
    log: live({ level: oneOf(['trace', 'debug', 'info', 'warn', 'error', 'silent']) }),
    federation,
    push: live({ allow_private_addresses: flag }),
    voip,
    server_notices: serverNotices,
    well_known: live({ client: table, policy_server_keys: publicKeys }),
    appservices: atStart({ path: text }),
    actors: atStart({ placement }),
  };
}

/** A configuration as an object, every key given and checked. */
export interface ConfigFile {
  readonly server: {
    readonly name: string;
    readonly listen: string;
    readonly gateways: number;
    readonly public_base_url: string;
    readonly trusted_proxies: readonly string[];
    readonly admin_contact: string;
    readonly support_page: string;
  };
  readonly data: { readonly path: string };
  readonly registration: {
    readonly open: boolean;
    readonly shared_secret: string;
    readonly allow_guests: boolean;
    readonly terms_url: string;
    readonly terms_name: string;
    readonly terms_version: string;
  };
  readonly accounts: { readonly access_token_lifetime: number; readonly login_token_lifetime: number };
  readonly rate_limits: { readonly enabled: boolean } & Readonly<
    Record<
      'login' | 'registration' | 'message' | 'membership' | 'reading' | 'ephemeral' | 'media',
      { readonly per_second: number; readonly burst: number }
    >
  >;
  readonly rooms: {
    readonly default_version: string;
    readonly publish_by: 'moderators' | 'admins';
    readonly directory_for_everybody: boolean;
  };
  readonly user_directory: { readonly search_all: boolean };
  readonly encryption: { readonly share_device_names: boolean };
  readonly media: {
    readonly max_upload_size: number;
    readonly max_remote_size: number;
    readonly remote_cache_size: number;
    readonly allow_legacy: boolean;
    readonly url_previews: boolean;
    readonly url_preview_deny: readonly string[];
    readonly url_preview_allow: readonly string[];
  };
  readonly delayed_events: { readonly max_delay_ms: number; readonly max_scheduled: number };
  readonly rtc: { readonly livekit_service_urls: readonly string[] };
  readonly inspector: { readonly listen: string };
  readonly log: { readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent' };
  readonly federation: {
    readonly listen: string;
    readonly tls_certificate: string;
    readonly tls_key: string;
    readonly ca_file: string;
    readonly trusted_key_servers: readonly string[];
    readonly allow_private_addresses: boolean;
  };
  readonly push: { readonly allow_private_addresses: boolean };
  readonly voip: {
    readonly turn_uris: readonly string[];
    readonly turn_shared_secret: string;
    readonly turn_user: string;
    readonly turn_password: string;
    readonly ttl: number;
    readonly allow_guests: boolean;
  };
  readonly server_notices: {
    readonly enabled: boolean;
    readonly localpart: string;
    readonly display_name: string;
    readonly avatar_url: string;
    readonly room_name: string;
  };
  readonly well_known: {
    readonly client: JsonObject;
    readonly policy_server_keys: Readonly<Record<string, string>>;
  };
  readonly appservices: { readonly path: string };
  readonly actors: { readonly placement: Readonly<Record<string, string>> };
}
