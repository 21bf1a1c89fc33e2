import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** Content that is on disk. */
export type BlobParams = {
  /** Hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly contentType: string | null;
  readonly sniffedType: string | null;
  readonly fileName: string | null;
};

/** Why a write of this owner is refused. */
export type MediaGuard = 'too-many-awaited' | 'not-awaited' | 'no-such-media';

/** Rows whose time has passed that go in one write. */
export const EXPIRED_ROWS_MAX = 200;

type StoreParams = BlobParams & {
  readonly origin: string;
  readonly mediaId: string;
  readonly uploader: string | null;
  readonly now: number;
};

/** Content that an administrator has taken out of circulation stays so under every name. */
const QUARANTINED_CONTENT = `CASE WHEN EXISTS (
  SELECT 1 FROM media q WHERE q.sha256 = :sha256 AND q.quarantined_by IS NOT NULL) THEN '' END`;

export const insertMedia = defineQuery<StoreParams>({
  name: 'media.insert',
  sql: `
    INSERT INTO media (origin, media_id, sha256, size_bytes, content_type, sniffed_type, file_name, uploader, created_ts,
                       last_used_ts, quarantined_by)
    VALUES (:origin, :mediaId, :sha256, :sizeBytes, :contentType, :sniffedType, :fileName, :uploader, :now, :now,
            ${QUARANTINED_CONTENT})`,
});

/** The step that stores content under a new name. */
export function storeMedia(params: StoreParams): WriteStep[] {
  return [step(insertMedia, params)];
}

export const insertRemote = defineQuery<Omit<StoreParams, 'uploader'>>({
  name: 'media.insert-remote',
  sql: `
    INSERT OR IGNORE INTO media (origin, media_id, sha256, size_bytes, content_type, sniffed_type, file_name, created_ts,
                                 last_used_ts, quarantined_by, remote_bytes)
    VALUES (:origin, :mediaId, :sha256, :sizeBytes, :contentType, :sniffedType, :fileName, :now, :now,
            ${QUARANTINED_CONTENT}, :sizeBytes)`,
});

/** The step that keeps content of another server; what is there already stays. */
export function storeRemoteMedia(params: Omit<StoreParams, 'uploader'>): WriteStep[] {
  return [step(insertRemote, params)];
}

export const deleteRemote = defineQuery<{ readonly origin: string; readonly mediaId: string }>({
  name: 'media.delete-remote',
  sql: `
    DELETE FROM media
     WHERE origin = :origin AND media_id = :mediaId AND remote_bytes IS NOT NULL AND quarantined_by IS NULL`,
});

/** The steps that forget content of other servers, unless it was taken out of circulation. */
export function deleteRemoteMedia(
  names: readonly { readonly origin: string; readonly mediaId: string }[],
): WriteStep[] {
  return names.map(({ origin, mediaId }) => step(deleteRemote, { origin, mediaId }));
}

type Awaited = {
  readonly origin: string;
  readonly mediaId: string;
  readonly uploader: string;
  readonly now: number;
  readonly expiresTs: number;
};

export const insertAwaited = defineQuery<Awaited & { readonly most: number }>({
  name: 'media.insert-awaited',
  sql: `
    INSERT INTO media (origin, media_id, uploader, created_ts, expires_ts)
    SELECT :origin, :mediaId, :uploader, :now, :expiresTs
     WHERE (SELECT count(*) FROM media WHERE uploader = :uploader AND expires_ts > :now) < :most`,
});

export const deleteExpired = defineQuery<{ readonly now: number; readonly limit: number }>({
  name: 'media.delete-expired',
  sql: `
    DELETE FROM media
     WHERE (origin, media_id) IN (
       SELECT origin, media_id FROM media WHERE expires_ts <= :now ORDER BY expires_ts LIMIT :limit)`,
});

/**
 * The steps that reserve a name for content that is to come, and delete some names whose time has passed.
 *
 * @param most how many names without content a user may have; refused with `too-many-awaited`
 */
export function reserveMedia(awaited: Awaited, most: number): WriteStep[] {
  const refusal: MediaGuard = 'too-many-awaited';
  return [
    step(deleteExpired, { now: awaited.now, limit: EXPIRED_ROWS_MAX }),
    step(insertAwaited, { ...awaited, most }, { expectChanges: 1, refusal }),
  ];
}

type FillParams = BlobParams & {
  readonly origin: string;
  readonly mediaId: string;
  readonly uploader: string;
  readonly now: number;
};

export const fillAwaited = defineQuery<FillParams>({
  name: 'media.fill-awaited',
  sql: `
    UPDATE media
       SET sha256 = :sha256, size_bytes = :sizeBytes, content_type = :contentType, sniffed_type = :sniffedType,
           file_name = :fileName, expires_ts = NULL, last_used_ts = :now, quarantined_by = ${QUARANTINED_CONTENT}
     WHERE origin = :origin AND media_id = :mediaId AND uploader = :uploader AND expires_ts > :now`,
});

/** The step that gives a reserved name its content. Refused with `not-awaited`. */
export function fillMedia(params: FillParams): WriteStep[] {
  const refusal: MediaGuard = 'not-awaited';
  return [step(fillAwaited, params, { expectChanges: 1, refusal })];
}

type UseParams = {
  readonly origin: string;
  readonly mediaId: string;
  readonly now: number;
  readonly before: number;
};

export const updateLastUsed = defineQuery<UseParams>({
  name: 'media.update-last-used',
  sql: `
    UPDATE media SET last_used_ts = :now
     WHERE origin = :origin AND media_id = :mediaId AND last_used_ts < :before`,
});

/** The step that notes a use, unless one since `before` is noted. */
export function noteUse(params: UseParams): WriteStep[] {
  return [step(updateLastUsed, params)];
}

type QuarantineParams = {
  readonly origin: string;
  readonly mediaId: string;
  readonly quarantinedBy: string | null;
};

export const updateQuarantine = defineQuery<QuarantineParams>({
  name: 'media.update-quarantine',
  sql: `
    UPDATE media SET quarantined_by = :quarantinedBy
     WHERE origin = :origin AND media_id = :mediaId`,
});

/** The step that takes content out of circulation, or gives it back (null). Refused with `no-such-media`. */
export function setQuarantine(params: QuarantineParams): WriteStep[] {
  const refusal: MediaGuard = 'no-such-media';
  return [step(updateQuarantine, params, { expectChanges: 1, refusal })];
}

type PreviewParams = {
  readonly url: string;
  readonly language: string;
  readonly answer: string;
  readonly now: number;
  readonly expiresTs: number;
};

export const replacePreview = defineQuery<PreviewParams>({
  name: 'media.replace-preview',
  sql: `
    INSERT OR REPLACE INTO url_previews (url, language, answer, fetched_ts, expires_ts)
    VALUES (:url, :language, :answer, :now, :expiresTs)`,
});

export const deleteExpiredPreviews = defineQuery<{ readonly now: number; readonly limit: number }>({
  name: 'media.delete-expired-previews',
  sql: `
    DELETE FROM url_previews
     WHERE (url, language) IN (
       SELECT url, language FROM url_previews WHERE expires_ts <= :now ORDER BY expires_ts LIMIT :limit)`,
});

/** The steps that keep a preview, and delete some that have expired. */
export function storePreview(params: PreviewParams): WriteStep[] {
  return [
    step(deleteExpiredPreviews, { now: params.now, limit: EXPIRED_ROWS_MAX }),
    step(replacePreview, params),
  ];
}
