import type { StreamPage, StreamRow } from './stream.ts';

/**
 * Rows in order of position, of each key only the latest. Costs what lives, whatever the positions have grown to.
 */
export interface KeyedLog<Row> {
  /** Adds a row at a position above all others; replaces the one of the same key. A null key stands for itself. */
  add(position: number, key: string | null, row: Row): void;
  /** Forgets the row of a key. */
  forget(key: string): void;
  latest(key: string): Row | undefined;
  /** About `limit` rows with `from < position <= to`, ascending. */
  page(from: number, to: number, limit: number): StreamPage<Row>;
  /** All rows with a position above `from`, ascending. */
  after(from: number): readonly StreamRow<Row>[];
  /** Rows up to here may have been forgotten without another in their place: by {@link KeyedLog.forget}, or for want of room. */
  forgottenUpTo(): number;
  /** The rows come from elsewhere, and up to `position` some may have been forgotten there. */
  noteForgotten(position: number): void;
  /** Forgets every row up to `position`. */
  trim(position: number): void;
  size(): number;
  clear(): void;
}

interface Entry<Row> extends StreamRow<Row> {
  readonly key: string | null;
  isLive: boolean;
}

interface Log<Row> {
  /** Ascending by position; dead ones among them. */
  entries: Entry<Row>[];
  /** Everything before this index is dead. */
  oldest: number;
  live: number;
  forgottenUpTo: number;
  readonly byKey: Map<string, Entry<Row>>;
}

/** Dead entries are swept when they outnumber the living by this many. */
const SWEEP_SLACK = 64;

/** The index of the first entry above `position`. */
function firstAbove(entries: readonly { readonly position: number }[], position: number): number {
  let low = 0;
  let high = entries.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle]?.position ?? Infinity) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function kill<Row>(log: Log<Row>, entry: Entry<Row>): void {
  if (!entry.isLive) return;
  entry.isLive = false;
  log.live -= 1;
  if (entry.key !== null) log.byKey.delete(entry.key);
}

/** Kills an entry that nothing replaces. */
function forget<Row>(log: Log<Row>, entry: Entry<Row>): void {
  kill(log, entry);
  log.forgottenUpTo = Math.max(log.forgottenUpTo, entry.position);
}

function sweep<Row>(log: Log<Row>): void {
  if (log.entries.length <= 2 * log.live + SWEEP_SLACK) return;
  log.entries = log.entries.filter((entry) => entry.isLive);
  log.oldest = 0;
}

/** Kills the oldest entry that lives. */
function killOldest<Row>(log: Log<Row>): void {
  let entry = log.entries[log.oldest];
  while (entry !== undefined && !entry.isLive) {
    log.oldest += 1;
    entry = log.entries[log.oldest];
  }
  if (entry !== undefined) forget(log, entry);
}

function collect<Row>({ entries }: Log<Row>, from: number, to: number, limit: number): StreamRow<Row>[] {
  const rows: StreamRow<Row>[] = [];
  for (let index = firstAbove(entries, from); index < entries.length && rows.length < limit; index += 1) {
    const entry = entries[index];
    if (entry === undefined || entry.position > to) break;
    if (entry.isLive) rows.push({ position: entry.position, row: entry.row });
  }
  return rows;
}

/**
 * Makes an empty log.
 *
 * @param rowsMax how many rows it holds; the oldest makes room
 * @param onOverflow called for each row that made room
 */
export function createKeyedLog<Row>(rowsMax: number, onOverflow: () => void): KeyedLog<Row> {
  const log: Log<Row> = { entries: [], oldest: 0, live: 0, forgottenUpTo: 0, byKey: new Map() };
  return {
    add(position, key, row) {
      const before = key === null ? undefined : log.byKey.get(key);
      if (before !== undefined) kill(log, before);
      const entry: Entry<Row> = { position, row, key, isLive: true };
      log.entries.push(entry);
      log.live += 1;
      if (key !== null) log.byKey.set(key, entry);
      if (log.live > rowsMax) {
        killOldest(log);
        onOverflow();
      }
      sweep(log);
    },
    forget(key) {
      const entry = log.byKey.get(key);
      if (entry !== undefined) forget(log, entry);
      sweep(log);
    },
    latest: (key) => log.byKey.get(key)?.row,
    page(from, to, limit) {
      const rows = collect(log, from, to, limit + 1);
      if (rows.length <= limit) return { rows, to };
      rows.pop();
      return { rows, to: rows[rows.length - 1]?.position ?? to };
    },
    after: (from) => collect(log, from, Infinity, Infinity),
    forgottenUpTo: () => log.forgottenUpTo,
    noteForgotten: (position) => void (log.forgottenUpTo = Math.max(log.forgottenUpTo, position)),
    trim(position) {
      const end = firstAbove(log.entries, position);
      for (const entry of log.entries.slice(log.oldest, end)) kill(log, entry);
      log.oldest = Math.max(log.oldest, end);
      sweep(log);
    },
    size: () => log.live,
    clear() {
      log.entries = [];
      log.oldest = 0;
      log.live = 0;
      log.forgottenUpTo = 0;
      log.byKey.clear();
    },
  };
}
