import type { MediaProtocol } from '../../../actors/media/protocol.ts';
import type { ActorRef } from '../../../actors/kit/ref.ts';
import type { Config } from '../../config/config.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import type { Random } from '../../kit/random.ts';
import { createBlobWriter, isStorageFull, mediaFolder } from '../../media/blob-store.ts';
import { parseContentType, sniffType } from '../../media/content-type.ts';
import { parseFileName } from '../../media/media-headers.ts';
import { isRefusal, type Refusal, refuse } from '../../matrix/refusal.ts';
import type { FederationClient } from '../federation-client.ts';
import { TOO_MANY_QUESTIONS } from '../queries/refusal-of.ts';
import { createRemoteMemory } from '../queries/remote-memory.ts';
import { type OpenContent, openRemoteContent } from './open-remote-content.ts';
import type { RedirectGround } from './redirected-content.ts';

/** How long fetching one file may take, in milliseconds. */
export const FETCH_MS_MAX = 600_000;
/** How long it is remembered that a file cannot be had, in milliseconds. */
export const NO_LIFETIME_MS = 30_000;
/** What is remembered of files that cannot be had, in characters of their names. */
const NOES_CHARACTERS_MAX = 1_000_000;

/** Brings media of other servers here. */
export interface RemoteMedia {
  /**
   * Fetches media and stores it. Who asks for the same at the same moment waits for the same.
   *
   * @returns refused with 404 M_NOT_FOUND, 504 M_NOT_YET_UPLOADED, 413 M_TOO_LARGE, 502 M_UNKNOWN, 503 when the disk is full
   */
  fetch(serverName: string, mediaId: string): Promise<{ readonly kind: 'fetched' } | Refusal>;
}

/** What it takes. */
export interface RemoteMediaParts {
  readonly client: FederationClient;
  /** Loads what redirects are fetched with: most media has none. */
  readonly loadGround: () => Promise<RedirectGround>;
  readonly media: ActorRef<MediaProtocol>;
  readonly config: Config;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

type Fetched = { readonly kind: 'fetched' };

const UNAVAILABLE = refuse('M_UNKNOWN', 'The media could not be fetched from its server.', { status: 502 });
const TOO_LARGE = refuse('M_TOO_LARGE', 'The media of the other server is larger than this one fetches.');
const NO_ROOM = refuse('M_RESOURCE_LIMIT_EXCEEDED', 'This server has no room for files.', { status: 503 });

/** Writes content to a file as it comes; it is never whole in memory. */
async function writeContent(
  { config, random, media }: RemoteMediaParts,
  content: OpenContent,
  name: { readonly origin: string; readonly mediaId: string },
): Promise<Fetched | Refusal> {
  const writer = await createBlobWriter(mediaFolder(config.data.path), random);
  try {
    let bytes = 0;
    for await (const chunk of content.bytes) {
      bytes += chunk.byteLength;
      if (bytes > config.media.maxRemoteSize) return TOO_LARGE;
      await writer.write(chunk);
    }
    const sniffedType = await sniffType(writer.head());
    const { sha256, sizeBytes, settle } = await writer.place();
    const contentType = parseContentType(content.contentType);
    const fileName = parseFileName(content.disposition);
    const blob = { sha256, sizeBytes, contentType, sniffedType, fileName };
    const stored = await media.ask('media.store-remote', { ...name, blob });
    if (isRefusal(stored)) return stored;
    await settle();
    return { kind: 'fetched' };
  } finally {
    await writer.discard();
  }
}

/** Makes what brings media here, for one thread. */
export function createRemoteMedia(parts: RemoteMediaParts): RemoteMedia {
  const { client, clock, log } = parts;
  const memory = createRemoteMemory<Fetched | Refusal>(clock, NOES_CHARACTERS_MAX);

  async function fetchOnce(origin: string, mediaId: string): Promise<Fetched | Refusal> {
    const cut = new AbortController();
    const timer = clock.after(FETCH_MS_MAX, () => cut.abort());
    try {
      const content = await openRemoteContent(client, await parts.loadGround(), origin, mediaId, cut.signal);
      if (isRefusal(content)) return content;
      try {
        return await writeContent(parts, content, { origin, mediaId });
      } finally {
        await content.close();
      }
    } catch (error) {
      if (isStorageFull(error)) return NO_ROOM;
      // Whatever breaks underway is the other server's doing, or the network's.
      log.info('media of another server could not be fetched', { origin, mediaId, error });
      return UNAVAILABLE;
    } finally {
      clock.cancel(timer);
    }
  }

  return {
    async fetch(serverName, mediaId) {
      const found = await memory.find(JSON.stringify([serverName, mediaId]), async () => {
        const value = await fetchOnce(serverName, mediaId);
        const isFinal = isRefusal(value) && value.errcode !== 'M_NOT_YET_UPLOADED';
        return { value, characters: 1, lifetimeMs: isFinal ? NO_LIFETIME_MS : 0 };
      });
      return found ?? TOO_MANY_QUESTIONS;
    },
  };
}
