import type { JsonObject } from '../kit/json.ts';
import type { LogLevel } from '../kit/logger.ts';

/** `host:port`, parsed; IPv6 hosts stand without their brackets. Port 0 means: any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** One class of rate limit: a token bucket. */
export interface RateLimit {
  /** Tokens that come back per second. */
  readonly perSecond: number;
  /** Size of the bucket: what may happen at once. */
  readonly burst: number;
}

/** The classes of rate limit that endpoints name. */
export type RateLimitClass =
  'login' | 'registration' | 'message' | 'membership' | 'reading' | 'ephemeral' | 'media';

/**
 * The whole configuration, checked and with defaults filled in. Plain data: it travels to every thread.
 * TOML and environment use snake_case (`[rate_limits] enabled`, `TROUPE_RATE_LIMITS_ENABLED`), this type camelCase.
 * `config.toml` documents each option.
 */
export interface Config {
  readonly server: {
    readonly name: string;
    readonly listen: ListenAddress;
    readonly gateways: number;
    /** Where clients reach us (`https://…`), for well-known and links; empty when not set. */
    readonly publicBaseUrl: string;
    /** Networks (CIDR) of reverse proxies whose `X-Forwarded-For` is believed; this machine's own are always. */
    readonly trustedProxies: readonly string[];
    /** Shown to users when storage is full and the like (`mailto:` or URL); may be empty. */
    readonly adminContact: string;
    /** A page that helps users, for `/.well-known/matrix/support`; empty for none. */
    readonly supportPage: string;
  };
  readonly data: { readonly path: string };
  readonly registration: {
    readonly open: boolean;
    readonly sharedSecret: string;
    readonly allowGuests: boolean;
    /** What whoever registers has to agree to; an empty `url`: nothing. */
    readonly terms: { readonly url: string; readonly name: string; readonly version: string };
  };
  readonly accounts: {
    /** How long the access token of a client that can refresh lives, in milliseconds. */
    readonly accessTokenLifetimeMs: number;
    /** How long a token for one login lives, in milliseconds. */
    readonly loginTokenLifetimeMs: number;
  };
  readonly rateLimits: { readonly enabled: boolean } & Readonly<Record<RateLimitClass, RateLimit>>;
  readonly rooms: {
    readonly defaultVersion: string;
    /** Who may put rooms into the public directory. */
    readonly publishBy: 'moderators' | 'admins';
    /** Also who is not logged in may look into the public directory. */
    readonly directoryForEverybody: boolean;
  };
  /** `searchAll`: users find all users of this server, whether they share rooms or not. */
  readonly userDirectory: { readonly searchAll: boolean };
  readonly media: {
    /** The largest upload, in bytes. */
    readonly maxUploadSize: number;
    /** The largest file that is fetched from another server, in bytes. */
    readonly maxRemoteSize: number;
    /** How much of other servers' media is kept, in bytes. */
    readonly remoteCacheSize: number;
    /** Do the old endpoints, which ask for no access token, serve media? */
    readonly allowLegacy: boolean;
    readonly urlPreviews: boolean;
    /** Networks (CIDR) that URL previews never connect to, beside all that are not public. */
    readonly urlPreviewDeny: readonly string[];
    /** Networks (CIDR) that URL previews may connect to although they are not public. */
    readonly urlPreviewAllow: readonly string[];
  };
  /** `shareDeviceNames`: others see the names that users give their devices. */
  readonly encryption: { readonly shareDeviceNames: boolean };
  /** MSC4140. Where either is 0, nobody may have events sent later. */
  readonly delayedEvents: {
    /** The longest delay, in milliseconds. */
    readonly maxDelayMs: number;
    /** How many events one user may have scheduled. */
    readonly maxScheduled: number;
  };
  /** `livekitServiceUrls`: where clients get their access to LiveKit, the one to prefer first. MSC4143, MSC4195. */
  readonly rtc: { readonly livekitServiceUrls: readonly string[] };
  readonly inspector: { readonly listen: ListenAddress };
  readonly log: { readonly level: LogLevel };
  readonly federation: {
    readonly listen: ListenAddress | null;
    readonly tlsCertificate: string;
    readonly tlsKey: string;
    readonly caFile: string;
    /** Servers that are asked for the keys of servers that do not answer. */
    readonly trustedKeyServers: readonly string[];
    readonly allowPrivateAddresses: boolean;
  };
  /** `allowPrivateAddresses`: push gateways may have addresses that are not public, and do without TLS. */
  readonly push: { readonly allowPrivateAddresses: boolean };
  readonly voip: {
    /** Empty: there is no TURN server. */
    readonly turnUris: readonly string[];
    /** Shared with the TURN servers; empty: all users get the same name and password. */
    readonly turnSharedSecret: string;
    readonly turnUser: string;
    readonly turnPassword: string;
    /** How long clients may use what they were given, in milliseconds. */
    readonly ttlMs: number;
    readonly allowGuests: boolean;
  };
  /** Rooms in which the server speaks to its users. */
  readonly serverNotices: {
    readonly enabled: boolean;
    /** Of the user who sends them. */
    readonly localpart: string;
    readonly displayName: string;
    /** `mxc:` URI; empty for none. */
    readonly avatarUrl: string;
    readonly roomName: string;
  };
  readonly wellKnown: {
    /** What `/.well-known/matrix/client` says beside where this server is. */
    readonly client: JsonObject;
    /** Unpadded base64 by algorithm; empty: there is no policy server. */
    readonly policyServerKeys: Readonly<Record<string, string>>;
  };
  readonly appservices: { readonly path: string };
  readonly actors: {
    /** Actor name → name of the thread it lives on; what is absent lives where `actors/supervision.ts` says. */
    readonly placement: Readonly<Record<string, string>>;
  };
}
