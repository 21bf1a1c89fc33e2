import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

/** More versions than anybody makes between a backup and its restore. */
export const VERSIONS_SKIPPED = 1_000_000;
/** More changes than a version has between a backup and its restore. */
export const ETAGS_SKIPPED = 10_000_000_000;

export const skipVersions = defineQuery<{ readonly skipped: number }>({
  name: 'key-backup.skip-versions',
  sql: `
    INSERT INTO key_backup_versions (user_id, version)
    SELECT user_id, CAST(:skipped AS INTEGER) FROM accounts WHERE true
    ON CONFLICT (user_id) DO UPDATE SET version = version + excluded.version`,
  // Once, while no server runs; so are those below.
  scans: ['accounts'],
});

export const renumberVersions = defineQuery<{ readonly versions: number; readonly etags: number }>({
  name: 'key-backup.renumber-versions',
  sql: `
    UPDATE key_backups
       SET version = version + CAST(:versions AS INTEGER), etag = etag + CAST(:etags AS INTEGER)`,
  scans: ['key_backups'],
});

/**
 * The steps that give every version of a key backup another number, which no client has seen. What clients have stored since the backup is
 * lost, and they believe that it is here; in a version that is new to them they store all their keys again, with the same secret.
 */
export function renumberBackups(): WriteStep[] {
  return [
    step(skipVersions, { skipped: VERSIONS_SKIPPED }),
    step(renumberVersions, { versions: VERSIONS_SKIPPED, etags: ETAGS_SKIPPED }),
  ];
}
