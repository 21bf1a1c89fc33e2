import type { CatchUpPage, FollowerTarget, Forgotten } from './follower.ts';
import type { KeyedLog } from './keyed-log.ts';
import type { MemoryStream, Stream, WakeKey } from './stream.ts';
import type { OwnerLink } from './view.ts';

/** What is read: epoch, from, to, limit. */
export type Reading = Parameters<FollowerTarget['read']>;

/** The keys whose latest row is at `upTo` or before. Costs what lives, like every catch-up. */
async function readLivingKeys(
  stream: MemoryStream<string, unknown>,
  owner: OwnerLink,
  [epoch, upTo, , limit]: Reading,
): Promise<ReadonlySet<string>> {
  const keys = new Set<string>();
  for (let from = 0; from < upTo;) {
    const request = { stream: stream.name, epoch, from, to: upTo, limit };
    // Each page begins where the one before ended.
    const page = await owner.read(stream.owner, request);
    if (page.epoch !== epoch) throw new Error(`${stream.name} began a new epoch while it was read`);
    if (page.to <= from) throw new Error(`a page of ${stream.name} after ${from} ended at ${page.to}`);
    for (const { row } of page.rows) keys.add(stream.key(row) ?? '');
    from = page.to;
  }
  return keys;
}

/**
 * One page of an in-memory stream, from its owner. When the owner has forgotten what may be held here, the keys that live are read too.
 *
 * @throws (rejection) when the owner does not answer, or begins anew meanwhile: try again
 */
export async function readFromOwner(
  stream: MemoryStream<string, unknown>,
  owner: OwnerLink,
  ...reading: Reading
): Promise<CatchUpPage> {
  const [epoch, from, to, limit] = reading;
  const request = { stream: stream.name, epoch, from, to, limit };
  const { forgottenUpTo: upTo, ...page } = await owner.read(stream.owner, request);
  if (upTo === undefined) return page;
  // Nothing is held of another epoch.
  const living = page.epoch === epoch ? await readLivingKeys(stream, owner, reading) : new Set<string>();
  return { ...page, forgotten: { upTo, living } };
}

/** What a view does about a row that its owner has forgotten. */
export interface Ending {
  readonly key: string;
  /** Held from now on; null drops the row. */
  readonly row: unknown;
  readonly wakes: readonly WakeKey[];
}

/** What the owner has forgotten of what is held here, unless the held row says the same as its absence. */
export function findEndings(
  stream: Stream,
  held: KeyedLog<unknown>,
  forgotten: Forgotten | undefined,
): readonly Ending[] {
  if (stream.kind !== 'memory' || forgotten === undefined) return [];
  const endings: Ending[] = [];
  for (const { row: before } of held.after(-Infinity)) {
    const key = stream.key(before) ?? '';
    if (forgotten.living.has(key)) continue;
    const row = stream.forgotten?.(before) ?? null;
    if (row === null && stream.forgotten !== undefined) continue;
    endings.push({ key, row, wakes: stream.wakes(before) });
  }
  return endings;
}

/** Holds the endings from `position` on: the first position that was not held when they were found. */
export function holdEndings(held: KeyedLog<unknown>, endings: readonly Ending[], position: number): void {
  for (const { key, row } of endings) {
    if (row === null) held.forget(key);
    else held.add(position, key, row);
  }
}
