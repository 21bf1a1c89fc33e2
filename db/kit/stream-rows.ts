import { type LogPage, readLatestPage, readPage } from './page.ts';
import type { Query } from './query.ts';
import type { ReadDb } from './read-db.ts';

/** What a query of stream rows is asked: `from` exclusive, `to` inclusive, at most `limit`. */
export type StreamRange = { readonly from: number; readonly to: number; readonly limit: number };

/** Reads a page of a durable stream, as the stream's `read` has it. */
export type ReadRows<Row> = (db: ReadDb, from: number, to: number, limit: number) => Promise<LogPage<Row>>;

type Stored = { readonly position: number };
type StoredQuery<Row> = Query<StreamRange, Row & Stored>;

function fetchWith<Row>(db: ReadDb, query: StoredQuery<Row>) {
  return async (from: number, to: number, limit: number) => {
    const rows = await db.all(query, { from, to, limit });
    return rows.map(({ position, ...row }) => ({ position, row: row as unknown as Row }));
  };
}

/** Makes the reader of a stream whose rows stand as its query gives them, beside their positions: see {@link readPage}. */
export function rowsReader<Row>(query: StoredQuery<Row>): ReadRows<Row> {
  return (db, from, to, limit) => readPage(fetchWith(db, query), from, to, limit);
}

/** The same for a table in which a newer row replaces the older one of its key: see {@link readLatestPage}. */
export function latestRowsReader<Row>(query: StoredQuery<Row>): ReadRows<Row> {
  return (db, from, to, limit) => readLatestPage(fetchWith(db, query), from, to, limit);
}
