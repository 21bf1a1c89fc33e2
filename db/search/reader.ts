import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { roomWord } from './room-word.ts';

/** Events that have the words and are looked at for one search: of more only the newest are found. */
export const MATCHES_MAX = 10_000;
/** In so many rooms the index itself looks for nothing else; of more it finds all, and those of other rooms are left out after that. */
const ROOM_WORDS_MAX = 200;

/** What is looked for. */
export interface SearchQuestion {
  /** An expression of {@link matchExpression}. */
  readonly match: string;
  readonly roomNids: readonly number[];
  /** Events with higher numbers are left out: they came after the first page. */
  readonly upTo: number;
  readonly order: 'rank' | 'recent';
}

/** An event that has the words. */
export interface SearchHit {
  readonly eventNid: number;
  /** Null: it was redacted or deleted, and the index has not heard of it yet. */
  readonly eventId: string | null;
  readonly roomId: string | null;
  /** The higher the better. */
  readonly rank: number;
  /** How many there are in all, at most {@link MATCHES_MAX}. */
  readonly hits: number;
}

type Params = {
  readonly match: string;
  readonly roomNids: string;
  readonly isNarrow: number;
  readonly upTo: number;
  readonly limit: number;
  readonly offset: number;
};

// A room is not what makes an event a good answer: its word weighs nothing. Only what is shown of the hits is looked up.
const hitsBy = (order: (hit: string) => string): string => `
    SELECT hit.nid AS eventNid, e.event_id AS eventId, r.room_id AS roomId, hit.score AS rank, hit.hits
      FROM (SELECT found.nid, found.score, count(*) OVER () AS hits
              FROM (SELECT search_words.rowid AS nid, -bm25(search_words, 0.0, 1.0, 2.0, 1.5) AS score
                      FROM search_words
                     WHERE search_words MATCH :match AND search_words.rowid <= :upTo
                       AND (:isNarrow = 1 OR EXISTS (
                         SELECT 1 FROM search_entries s
                          WHERE s.event_nid = search_words.rowid
                            AND s.room_nid IN (SELECT value FROM json_each(:roomNids))))
                     ORDER BY search_words.rowid DESC LIMIT ${MATCHES_MAX}) found
             ORDER BY ${order('found')} LIMIT :limit OFFSET :offset) hit
      LEFT JOIN events e ON e.event_nid = hit.nid AND e.stream_ordering IS NOT NULL AND e.redacted_by IS NULL
      LEFT JOIN rooms r ON r.room_nid = e.room_nid
     ORDER BY ${order('hit')}`;

export const readHitsByRank = defineQuery<Params, SearchHit>({
  name: 'search.read-hits-by-rank',
  sql: hitsBy((hit) => `${hit}.score DESC, ${hit}.nid DESC`),
  scans: ['hit', 'found'],
});

export const readHitsByAge = defineQuery<Params, SearchHit>({
  name: 'search.read-hits-by-age',
  sql: hitsBy((hit) => `${hit}.nid DESC`),
  scans: ['hit', 'found'],
});

export const readRoomsOfUserQuery = defineQuery<
  { readonly userId: string },
  { readonly roomId: string; readonly roomNid: number }
>({
  name: 'search.read-rooms-of-user',
  sql: `
    SELECT r.room_id AS roomId, m.room_nid AS roomNid
      FROM local_memberships m JOIN rooms r ON r.room_nid = m.room_nid
     WHERE m.user_nid = (SELECT user_nid FROM user_ids WHERE user_id = :userId) AND m.is_forgotten = 0`,
});

function quote(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

/**
 * The expression for events that have all of the words in the columns. Each word stands between quotation marks, so that nothing in it is
 * taken for an operator.
 *
 * @param words each with at least one letter or digit
 */
export function matchExpression(
  words: readonly string[],
  columns: readonly ('body' | 'name' | 'topic')[],
): string {
  return `({${columns.join(' ')}} : (${words.map(quote).join(' AND ')}))`;
}

/** A page of the events that have the words, the newest {@link MATCHES_MAX} at most. Who may see them is not asked here. */
export async function readHits(
  db: ReadDb,
  { match, roomNids, upTo, order }: SearchQuestion,
  page: { readonly offset: number; readonly limit: number },
): Promise<readonly SearchHit[]> {
  if (roomNids.length === 0) return [];
  const isNarrow = roomNids.length <= ROOM_WORDS_MAX;
  const rooms = isNarrow ? `({room} : (${roomNids.map(roomWord).map(quote).join(' OR ')})) AND ` : '';
  const params = {
    match: rooms + match,
    roomNids: JSON.stringify(roomNids),
    isNarrow: isNarrow ? 1 : 0,
    upTo,
    ...page,
  };
  return db.all(order === 'rank' ? readHitsByRank : readHitsByAge, params);
}

/** The rooms that a user is in or has been in, but for forgotten ones, and those that the user was invited to. */
export function readRoomsOfUser(
  db: ReadDb,
  userId: string,
): Promise<readonly { readonly roomId: string; readonly roomNid: number }[]> {
  return db.all(readRoomsOfUserQuery, { userId });
}
