import { Type } from 'typebox';

/** The prefixes that the endpoints without a token have had over time; the first is the specification's. */
const OLD_PREFIXES = ['/_matrix/media/r0', '/_matrix/media/v1'];

/** Older paths of an endpoint under `/_matrix/media/v3`. @param rest what follows the version */
export function olderPaths(rest: string): readonly string[] {
  return OLD_PREFIXES.map((prefix) => `${prefix}${rest}`);
}

/** An mxc URI as a path has it. */
export const mediaParams = Type.Object({ serverName: Type.String(), mediaId: Type.String() });

/** The same with the name under which a browser saves it. */
export const namedMediaParams = Type.Object({
  serverName: Type.String(),
  mediaId: Type.String(),
  fileName: Type.String(),
});

/** How long a client waits for content that is to come, when it does not say, in milliseconds. */
export const CONTENT_WAIT_MS_DEFAULT = 20_000;

/** How long it waits at most, in milliseconds. */
export const CONTENT_WAIT_MS_MAX = 60_000;

/**
 * What all downloads know. `allow_redirect` is allowed and changes nothing: this server redirects to nowhere.
 */
export const downloadQuery = Type.Object({
  timeout_ms: Type.Optional(Type.Integer({ minimum: 0 })),
  allow_remote: Type.Optional(Type.Boolean()),
  allow_redirect: Type.Optional(Type.Boolean()),
});

/** What thumbnails know. Pixels. */
export const thumbnailQuery = Type.Object({
  width: Type.Integer({ minimum: 1, maximum: 100_000 }),
  height: Type.Integer({ minimum: 1, maximum: 100_000 }),
  method: Type.Optional(Type.Union([Type.Literal('crop'), Type.Literal('scale')])),
  animated: Type.Optional(Type.Boolean()),
  timeout_ms: Type.Optional(Type.Integer({ minimum: 0 })),
  allow_remote: Type.Optional(Type.Boolean()),
  allow_redirect: Type.Optional(Type.Boolean()),
});
