import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A content that rows name. */
export interface MediaContent {
  /** Hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export const contentsInOrder = defineQuery<{ readonly after: string; readonly limit: number }, MediaContent>({
  name: 'media.read-contents-in-order',
  sql: `
    SELECT sha256, max(size_bytes) AS sizeBytes FROM media
     WHERE sha256 > :after GROUP BY sha256 ORDER BY sha256 LIMIT :limit`,
});

/** Contents read at once. */
const PAGE = 1_000;

/** Every content that a row names, once, in the order of their hashes. */
export async function* readContents(db: ReadDb): AsyncGenerator<MediaContent> {
  let after = '';
  for (;;) {
    // Each page begins where the one before it has ended.
    const page = await db.all(contentsInOrder, { after, limit: PAGE });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    after = last.sha256;
  }
}

export const sizeOfContents = defineQuery<
  Record<never, never>,
  { readonly files: number; readonly bytes: number }
>({
  name: 'media.sum-of-contents',
  sql: `
    SELECT count(*) AS files, coalesce(sum(bytes), 0) AS bytes
      FROM (SELECT max(size_bytes) AS bytes FROM media WHERE sha256 > '' GROUP BY sha256) one`,
  // For a command, beside the server: what a backup will take.
  scans: ['one', 'media'],
});

/** How many different contents there are, and their bytes. */
export function readSizeOfContents(db: ReadDb): Promise<{ readonly files: number; readonly bytes: number }> {
  return db.get(sizeOfContents, {});
}
