import { findMedia, type StoredMedia } from '../../../../db/media/reader.ts';
import { parseServerName } from '../../../matrix/identifiers/server-name.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';
import { CONTENT_WAIT_MS_DEFAULT, CONTENT_WAIT_MS_MAX } from './media-paths.ts';

/** Media whose content is there. */
export interface FoundContent extends StoredMedia {
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** What it takes to find media. */
export type MediaServices = Pick<Services, 'clock' | 'config' | 'db' | 'media' | 'random' | 'remoteMedia'>;

/** Which media, and how long to wait for it. */
export interface MediaWish {
  readonly serverName: string;
  readonly mediaId: string;
  /** In milliseconds; the specification's default when absent. */
  readonly timeoutMs: number | undefined;
  /** May media of other servers be fetched for it? */
  readonly allowsRemote: boolean;
  /** Ends the waiting. */
  readonly aborted: AbortSignal;
}

/** Uses are told once in so many milliseconds. */
const USE_INTERVAL_MS = 3_600_000;

/** How much longer than the waiting itself its answer may take, in milliseconds. */
const ANSWER_MARGIN_MS = 10_000;

/** How long the name of a waiter is, in characters. */
const WAITER_LENGTH = 16;

const NOT_FOUND = refuse('M_NOT_FOUND', 'There is no such media.');
const NOT_YET = refuse('M_NOT_YET_UPLOADED', 'The content has not been uploaded yet.', { status: 504 });

/** Media of another server: what is kept here, or is fetched now. */
async function findRemoteMedia(
  { db, remoteMedia }: MediaServices,
  { serverName, mediaId, allowsRemote }: MediaWish,
): Promise<StoredMedia | Refusal | undefined> {
  const known = await findMedia(db, serverName, mediaId);
  if (known !== undefined || !allowsRemote || parseServerName(serverName) === undefined) return known;
  const fetched = await remoteMedia.fetch(serverName, mediaId);
  return isRefusal(fetched) ? fetched : findMedia(db, serverName, mediaId);
}

async function waitForContent(services: MediaServices, wish: MediaWish): Promise<StoredMedia | undefined> {
  const { clock, config, db, media, random } = services;
  const { mediaId, timeoutMs = CONTENT_WAIT_MS_DEFAULT, aborted } = wish;
  const waitMs = Math.min(timeoutMs, CONTENT_WAIT_MS_MAX);
  const found = await findMedia(db, config.server.name, mediaId);
  const isToCome = found?.sha256 === null && (found.expiresTs ?? 0) > clock.now();
  if (!isToCome || waitMs === 0) return found;
  const waiter = random.text(WAITER_LENGTH);
  const input = { mediaId, waiter, timeoutMs: waitMs };
  const waiting = media.ask('media.await-content', input, { deadlineMs: waitMs + ANSWER_MARGIN_MS });
  const stop = (): void => void media.tell('media.stop-awaiting', { mediaId, waiter });
  if (aborted.aborted) stop();
  aborted.addEventListener('abort', stop, { once: true });
  await waiting;
  aborted.removeEventListener('abort', stop);
  return findMedia(db, config.server.name, mediaId);
}

/**
 * Finds media that can be served, and waits for content that is to come. Notes the use.
 *
 * @returns the media, or a refusal: 404 `M_NOT_FOUND` when there is none, or it has been taken out of circulation; 504 `M_NOT_YET_UPLOADED`
 *   when the content did not come in time; of media of other servers, those of `RemoteMedia.fetch`. Client-Server API v1.19, "Content repository"
 */
export async function findContent(services: MediaServices, wish: MediaWish): Promise<FoundContent | Refusal> {
  const { clock, config, media } = services;
  const { serverName, mediaId } = wish;
  const isOurs = serverName === config.server.name;
  const found = await (isOurs ? waitForContent(services, wish) : findRemoteMedia(services, wish));
  if (isRefusal(found)) return found;
  if (found === undefined || found.quarantinedBy !== null) return NOT_FOUND;
  const { sha256, sizeBytes } = found;
  if (sha256 === null || sizeBytes === null)
    return (found.expiresTs ?? 0) > clock.now() ? NOT_YET : NOT_FOUND;
  if ((found.lastUsedTs ?? 0) < clock.now() - USE_INTERVAL_MS)
    media.tell('media.note-use', { origin: serverName, mediaId });
  return { ...found, sha256, sizeBytes };
}

/**
 * What the endpoints without an access token answer where they are switched off: every file here was uploaded after authenticated media came,
 * so that all of it may be withheld from them. Client-Server API v1.19, `GET /_matrix/media/v3/download`.
 *
 * @returns null where they are allowed
 */
export function legacyRefusal({ config }: Pick<Services, 'config'>): Refusal | null {
  return config.media.allowLegacy
    ? null
    : refuse('M_NOT_FOUND', 'Media is served at /_matrix/client/v1/media only, to who is logged in.');
}
