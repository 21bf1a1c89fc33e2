import type { Config, ListenAddress, RateLimit } from './config.ts';
import { type ConfigLayer, type ConfigProblem, readEnvironmentLayer, readTomlLayer } from './layer.ts';
import { type ConfigFile, type ConfigSchema, configSchema } from './schema.ts';

const MS_PER_SECOND = 1_000;

/** Where the configuration comes from. */
export interface ConfigSources {
  /** The built-in `config.toml`: gives every default. */
  readonly defaults: { readonly file: string; readonly text: string };
  /** The administrator's own file, if one was named. */
  readonly own?: { readonly file: string; readonly text: string };
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** The room versions that the server knows. */
  readonly roomVersions: readonly string[];
  /** Processor cores, for `gateways = 0`. */
  readonly cores: number;
}

/** The configuration cannot be used. The message names every problem, one a line. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((problem) => `${problem.where}: ${problem.what}`).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

function parseListen(text: string): ListenAddress {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host, port: Number(text.slice(colon + 1)) };
}

function merge(layers: readonly ConfigLayer[]): ConfigFile {
  const merged: Record<string, Record<string, unknown>> = {};
  for (const layer of layers) {
    for (const [section, options] of Object.entries(layer.values)) {
      merged[section] = { ...merged[section], ...(options as Record<string, unknown>) };
    }
  }
  // Every option was checked against the schema, and the defaults hold all of them.
  return merged as unknown as ConfigFile;
}

function toVoip(file: ConfigFile): Config['voip'] {
  return {
    turnUris: file.voip.turn_uris,
    turnSharedSecret: file.voip.turn_shared_secret,
    turnUser: file.voip.turn_user,
    turnPassword: file.voip.turn_password,
    ttlMs: file.voip.ttl * MS_PER_SECOND,
    allowGuests: file.voip.allow_guests,
  };
}

function toServerNotices(file: ConfigFile): Config['serverNotices'] {
  return {
    enabled: file.server_notices.enabled,
    localpart: file.server_notices.localpart,
    displayName: file.server_notices.display_name,
    avatarUrl: file.server_notices.avatar_url,
    roomName: file.server_notices.room_name,
  };
}

function toMedia(file: ConfigFile): Config['media'] {
  return {
    maxUploadSize: file.media.max_upload_size,
    maxRemoteSize: file.media.max_remote_size,
    remoteCacheSize: file.media.remote_cache_size,
    allowLegacy: file.media.allow_legacy,
    urlPreviews: file.media.url_previews,
    urlPreviewDeny: file.media.url_preview_deny,
    urlPreviewAllow: file.media.url_preview_allow,
  };
}

function toRateLimits(file: ConfigFile): Config['rateLimits'] {
  const limit = (given: { per_second: number; burst: number }): RateLimit => ({
    perSecond: given.per_second,
    burst: given.burst,
  });
  const limits = file.rate_limits;
  return {
    enabled: limits.enabled,
    login: limit(limits.login),
    registration: limit(limits.registration),
    message: limit(limits.message),
    membership: limit(limits.membership),
    reading: limit(limits.reading),
    ephemeral: limit(limits.ephemeral),
    media: limit(limits.media),
  };
}

/**
 * The configuration of a merged file.
 *
 * @param cores processor cores, for `gateways = 0`
 */
export function toConfig(file: ConfigFile, cores: number): Config {
  return {
    server: {
      name: file.server.name,
      listen: parseListen(file.server.listen),
      gateways: file.server.gateways === 0 ? Math.max(1, cores - 1) : file.server.gateways,
      publicBaseUrl: file.server.public_base_url.replace(/\/+$/, ''),
      trustedProxies: file.server.trusted_proxies,
      adminContact: file.server.admin_contact,
      supportPage: file.server.support_page,
    },
    data: { path: file.data.path },
    registration: {
      open: file.registration.open,
      sharedSecret: file.registration.shared_secret,
      allowGuests: file.registration.allow_guests,
      terms: {
        url: file.registration.terms_url,
        name: file.registration.terms_name,
        version: file.registration.terms_version,
      },
    },
    accounts: {
      accessTokenLifetimeMs: file.accounts.access_token_lifetime * MS_PER_SECOND,
      loginTokenLifetimeMs: file.accounts.login_token_lifetime * MS_PER_SECOND,
    },
    rateLimits: toRateLimits(file),
    rooms: {
      defaultVersion: file.rooms.default_version,
      publishBy: file.rooms.publish_by,
      directoryForEverybody: file.rooms.directory_for_everybody,
    },
    userDirectory: { searchAll: file.user_directory.search_all },
    encryption: { shareDeviceNames: file.encryption.share_device_names },
    media: toMedia(file),
    delayedEvents: {
      maxDelayMs: file.delayed_events.max_delay_ms,
      maxScheduled: file.delayed_events.max_scheduled,
    },
    rtc: { livekitServiceUrls: file.rtc.livekit_service_urls },
    inspector: { listen: parseListen(file.inspector.listen) },
    log: { level: file.log.level },
    federation: {
      listen: file.federation.listen === '' ? null : parseListen(file.federation.listen),
      tlsCertificate: file.federation.tls_certificate,
      tlsKey: file.federation.tls_key,
      caFile: file.federation.ca_file,
      trustedKeyServers: file.federation.trusted_key_servers,
      allowPrivateAddresses: file.federation.allow_private_addresses,
    },
    push: { allowPrivateAddresses: file.push.allow_private_addresses },
    voip: toVoip(file),
    serverNotices: toServerNotices(file),
    wellKnown: { client: file.well_known.client, policyServerKeys: file.well_known.policy_server_keys },
    appservices: { path: file.appservices.path },
    actors: { placement: file.actors.placement },
  };
}

/** Options that the built-in file must have and has not: a mistake of ours, found at once. */
function missingDefaults(defaults: ConfigLayer, schema: ConfigSchema): ConfigProblem[] {
  const missing: ConfigProblem[] = [];
  for (const [section, properties] of Object.entries(schema)) {
    const given = (defaults.values[section] ?? {}) as Record<string, unknown>;
    for (const key of Object.keys(properties)) {
      if (!(key in given)) missing.push({ where: 'config.toml', what: `${section}.${key} has no default` });
    }
  }
  return missing;
}

/**
 * Puts the configuration together: defaults, then the administrator's file, then `TROUPE_<SECTION>_<KEY>` variables. As files write it.
 *
 * @throws ConfigError naming every wrong key, type and value, with file and line and what is allowed
 */
export function loadConfigFile(sources: Omit<ConfigSources, 'cores'>): ConfigFile {
  const schema = configSchema(sources.roomVersions);
  const defaults = readTomlLayer(schema, sources.defaults.file, sources.defaults.text);
  const layers = [defaults];
  if (sources.own !== undefined) layers.push(readTomlLayer(schema, sources.own.file, sources.own.text));
  layers.push(readEnvironmentLayer(schema, sources.environment));
  const problems = [...layers.flatMap((layer) => layer.problems), ...missingDefaults(defaults, schema)];
  if (problems.length > 0) throw new ConfigError(problems);
  return merge(layers);
}

/**
 * The same, ready for use.
 *
 * @throws ConfigError
 */
export function loadConfig(sources: ConfigSources): Config {
  return toConfig(loadConfigFile(sources), sources.cores);
}
