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
export type RateLimitClass = 'login' | 'registration' | 'message' | 'membership' | 'reading' | 'ephemeral';

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
    /** Shown to users when storage is full and the like (`mailto:` or URL); may be empty. */
    readonly adminContact: string;
  };
  readonly data: { readonly path: string };
  readonly registration: { readonly open: boolean; readonly sharedSecret: string };
  readonly rateLimits: { readonly enabled: boolean } & Readonly<Record<RateLimitClass, RateLimit>>;
  readonly rooms: { readonly defaultVersion: string };
  readonly inspector: { readonly listen: ListenAddress };
  readonly log: { readonly level: LogLevel };
  readonly federation: {
    readonly listen: ListenAddress | null;
    readonly tlsCertificate: string;
    readonly tlsKey: string;
    readonly caFile: string;
    readonly allowPrivateAddresses: boolean;
  };
  readonly appservices: { readonly path: string };
  readonly actors: {
    /** Actor name → name of the thread it lives on; what is absent lives where `actors/supervision.ts` says. */
    readonly placement: Readonly<Record<string, string>>;
  };
}
