import type { Brand } from './brand.ts';
import { parseServerName } from './server-name.ts';
import type { ServerName } from './server-name.ts';

/** `mxc://server/media-id`. */
export type MxcUri = Brand<'MxcUri'>;

/** The two parts of a content URI, safe to be used in a file name or an URL. */
export interface MxcParts {
  readonly serverName: ServerName;
  /** Only `A-Z a-z 0-9 _ -`. */
  readonly mediaId: string;
}

/** The longest media id that is accepted. */
export const MEDIA_ID_LENGTH_MAX = 255;

const MXC = /^mxc:\/\/([^/]+)\/([A-Za-z0-9_-]+)$/;

/**
 * Reads a content URI into its server name and media id.
 * Client-Server API v1.19, "Matrix Content (mxc://) URIs".
 *
 * @returns undefined when the text is not one
 */
export function parseMxcUri(text: string): MxcParts | undefined {
  const match = MXC.exec(text);
  const serverName = match?.[1] === undefined ? undefined : parseServerName(match[1]);
  const mediaId = match?.[2];
  if (serverName === undefined || mediaId === undefined || mediaId.length > MEDIA_ID_LENGTH_MAX)
    return undefined;
  return { serverName, mediaId };
}

/** Writes a content URI. */
export function makeMxcUri(serverName: string, mediaId: string): MxcUri {
  return `mxc://${serverName}/${mediaId}` as MxcUri;
}
