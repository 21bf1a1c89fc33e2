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
