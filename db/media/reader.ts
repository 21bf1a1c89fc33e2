import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** What is known of an mxc URI. */
export interface StoredMedia {
  readonly mediaId: string;
  /** Hex SHA-256; null while the content is awaited. */
  readonly sha256: string | null;
  readonly sizeBytes: number | null;
  /** As the uploader said it; null for none. */
  readonly contentType: string | null;
  /** What its first bytes look like. */
  readonly sniffedType: string | null;
  readonly fileName: string | null;
  readonly uploader: string | null;
  /** Milliseconds since the epoch, all of them. */
  readonly createdTs: number;
  /** Until when the content must have come; null once it is there. */
  readonly expiresTs: number | null;
  readonly lastUsedTs: number | null;
  /** Not null: it must not be served. */
  readonly quarantinedBy: string | null;
}

type Name = { readonly origin: string; readonly mediaId: string };

export const oneMedia = defineQuery<Name, StoredMedia>({
  name: 'media.find-one',
  sql: `
    SELECT media_id AS mediaId, sha256, size_bytes AS sizeBytes, content_type AS contentType, sniffed_type AS sniffedType,
           file_name AS fileName, uploader, created_ts AS createdTs, expires_ts AS expiresTs, last_used_ts AS lastUsedTs,
           quarantined_by AS quarantinedBy
      FROM media
     WHERE origin = :origin AND media_id = :mediaId`,
});

/**
 * What is known of an mxc URI; content that is awaited included, whether or not its time has passed.
 *
 * @param origin the server name of the URI
 */
export function findMedia(db: ReadDb, origin: string, mediaId: string): Promise<StoredMedia | undefined> {
  return db.find(oneMedia, { origin, mediaId });
}

export const oneOfContent = defineQuery<{ readonly sha256: string }, { readonly mediaId: string }>({
  name: 'media.find-one-of-content',
  sql: 'SELECT media_id AS mediaId FROM media WHERE sha256 = :sha256 LIMIT 1',
});

/** Does any row refer to this content? @param sha256 hex */
export async function isContentUsed(db: ReadDb, sha256: string): Promise<boolean> {
  return (await db.find(oneOfContent, { sha256 })) !== undefined;
}

export const usageOfUploader = defineQuery<
  { readonly userId: string },
  { readonly files: number; readonly bytes: number }
>({
  name: 'media.sum-of-uploader',
  sql: `
    SELECT count(*) AS files, coalesce(sum(size_bytes), 0) AS bytes
      FROM media
     WHERE uploader = :userId AND sha256 IS NOT NULL`,
});

/** How many files a user has uploaded, and their bytes; content that several share counts for each. */
export function readUsageOf(
  db: ReadDb,
  userId: string,
): Promise<{ readonly files: number; readonly bytes: number }> {
  return db.get(usageOfUploader, { userId });
}

export const earliestAwaited = defineQuery<
  { readonly userId: string; readonly now: number },
  { readonly expiresTs: number }
>({
  name: 'media.find-earliest-awaited',
  sql: `
    SELECT expires_ts AS expiresTs FROM media
     WHERE uploader = :userId AND expires_ts > :now
     ORDER BY expires_ts LIMIT 1`,
});

/** When the first of a user's awaited contents expires. @param now milliseconds since the epoch */
export async function findFirstExpiry(db: ReadDb, userId: string, now: number): Promise<number | undefined> {
  return (await db.find(earliestAwaited, { userId, now }))?.expiresTs;
}

export const onePreview = defineQuery<
  { readonly url: string; readonly language: string; readonly now: number },
  { readonly answer: string }
>({
  name: 'media.find-preview',
  sql: `
    SELECT answer FROM url_previews
     WHERE url = :url AND language = :language AND expires_ts > :now`,
});

/**
 * The JSON text of a preview that has not expired.
 *
 * @param language what the request asked for
 */
export async function findPreview(
  db: ReadDb,
  url: string,
  language: string,
  now: number,
): Promise<string | undefined> {
  return (await db.find(onePreview, { url, language, now }))?.answer;
}

/** Content of another server that is kept for a while. */
export type RemoteCopy = {
  readonly origin: string;
  readonly mediaId: string;
  readonly sha256: string;
  readonly remoteBytes: number;
};

export const remoteBytesInAll = defineQuery<Record<never, never>, { readonly bytes: number }>({
  name: 'media.sum-of-others',
  sql: 'SELECT coalesce(sum(remote_bytes), 0) AS bytes FROM media WHERE remote_bytes IS NOT NULL',
  // Once in each life of the owner, from an index.
  scans: ['media'],
});

/** What all content of other servers takes, in bytes; content under several names counts for each. */
export async function readRemoteBytes(db: ReadDb): Promise<number> {
  return (await db.get(remoteBytesInAll, {})).bytes;
}

export const leastUsedCopies = defineQuery<{ readonly limit: number }, RemoteCopy>({
  name: 'media.find-least-used-of-others',
  sql: `
    SELECT origin, media_id AS mediaId, sha256, remote_bytes AS remoteBytes
      FROM media
     WHERE remote_bytes IS NOT NULL AND last_used_ts > 0 AND quarantined_by IS NULL
     ORDER BY last_used_ts LIMIT :limit`,
});

/** Content of other servers that was asked for longest ago. */
export function readLeastUsedCopies(db: ReadDb, limit: number): Promise<RemoteCopy[]> {
  return db.all(leastUsedCopies, { limit });
}
