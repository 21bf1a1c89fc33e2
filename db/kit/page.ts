/** A row with its position on a stream. */
export interface PositionedRow<Row> {
  readonly position: number;
  readonly row: Row;
}

/** One page of a stream's log: see `StreamPage`. */
export interface LogPage<Row> {
  readonly rows: readonly PositionedRow<Row>[];
  readonly to: number;
}

/** How a page is fetched: rows with `from < position <= to`, ascending by position, at most `limit`. */
export type FetchRows<Row> = (
  from: number,
  to: number,
  limit: number,
) => Promise<readonly PositionedRow<Row>[]>;

/** No single position holds more rows than this. */
export const ROWS_PER_POSITION_MAX = 100_000;

/**
 * Cuts a log into pages without ever splitting a position: a page ends before the position that did not fit, and a position that
 * alone exceeds `limit` is a page of its own.
 *
 * @param from exclusive; `to` inclusive
 */
export async function readPage<Row>(
  fetch: FetchRows<Row>,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<Row>> {
  const rows = await fetch(from, to, limit + 1);
  if (rows.length <= limit) return { rows, to };
  const cut = rows[rows.length - 1]?.position ?? to;
  const whole = rows.filter((row) => row.position < cut);
  const last = whole[whole.length - 1];
  if (last !== undefined) return { rows: whole, to: last.position };
  return { rows: await fetch(cut - 1, cut, ROWS_PER_POSITION_MAX), to: cut };
}

/**
 * The same for a table in which a newer row replaces the older one of its key: what stood in (from, to] may stand beyond `to` by now, so
 * that a page goes on to the end of what is committed. It may end beyond `to`.
 *
 * @param fetch reads one page with one statement: all its rows are of one moment
 */
export async function readLatestPage<Row>(
  fetch: FetchRows<Row>,
  from: number,
  to: number,
  limit: number,
): Promise<LogPage<Row>> {
  const page = await readPage(fetch, from, Number.MAX_SAFE_INTEGER, limit);
  if (page.to < Number.MAX_SAFE_INTEGER) return page;
  return { rows: page.rows, to: Math.max(to, page.rows[page.rows.length - 1]?.position ?? to) };
}
