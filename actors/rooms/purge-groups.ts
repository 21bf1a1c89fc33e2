import { findLastKeyOfPage, type GroupLink, readGroupLinks } from '../../db/rooms/purge-reader.ts';
import { deleteStateGroup, inherit, skipParent } from '../../db/rooms/purge-writer.ts';
import { STATE_ENTRY_BYTES, STATE_GROUP_BYTES } from '../../db/rooms/row-sizes.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import {
  commitSlice,
  type PurgeDesk,
  type PurgeTally,
  ROWS_PER_READ_MAX,
  ROWS_PER_SLICE_MAX,
  runSlices,
} from './purge-desk.ts';
import { findNewlyNeeded, type Needed } from './purge-needs.ts';
import type { Purge } from './purge-timeline.ts';

/** Which groups there are, by number, ascending. */
type Links = Map<number, GroupLink>;

/** A room whose groups are looked at. */
type OfRoom = Pick<Purge, 'roomId' | 'roomNid'>;

/** Reads which groups a room has. Those that are made later are not in it. */
async function readLinks(desk: PurgeDesk, room: OfRoom): Promise<Links | Refusal> {
  const links: Links = new Map();
  let after = 0;
  const refusal = await runSlices(desk, room.roomId, async () => {
    const limit = ROWS_PER_READ_MAX;
    const page = await desk.db.all(readGroupLinks, { roomNid: room.roomNid, after, limit });
    for (const link of page) links.set(link.stateGroup, link);
    after = page[page.length - 1]?.stateGroup ?? after;
    return page.length === limit;
  });
  return refusal ?? links;
}

/** A group that stays, and its parent that goes: the group takes over what it has from it. */
interface Takeover {
  readonly stateGroup: number;
  readonly parent: GroupLink;
  /** The places up to here are taken over. */
  after: number;
}

function findTakeover(links: Links, needed: ReadonlySet<number>, link: GroupLink): Takeover | undefined {
  const parent = link.parent === null ? undefined : links.get(link.parent);
  if (parent === undefined || needed.has(parent.stateGroup)) return undefined;
  return { stateGroup: link.stateGroup, parent, after: 0 };
}

/** The steps that bring a takeover further, at most `limit` entries; `isDone`: the group does without the parent. */
async function takeOver(
  desk: PurgeDesk,
  takeover: Takeover,
  limit: number,
): Promise<{ readonly steps: readonly WriteStep[]; readonly isDone: boolean }> {
  const { stateGroup, parent, after } = takeover;
  const page = await desk.db.get(findLastKeyOfPage, { stateGroup: parent.stateGroup, after, limit });
  const steps: WriteStep[] = [];
  if (page.stateKeyNid !== null) {
    steps.push(inherit({ stateGroup, parent: parent.stateGroup }, after, page.stateKeyNid));
    takeover.after = page.stateKeyNid;
  }
  const isDone = page.entries < limit;
  if (isDone) steps.push(...skipParent(stateGroup, parent.parent));
  return { steps, isDone };
}

/**
 * Lets every group that stays do without those that go: it takes over their entries, one parent after another, until its parent is one that
 * stays or it is a checkpoint. Its content is the same before, between and after.
 */
async function cutLoose(
  desk: PurgeDesk,
  room: OfRoom,
  links: Links,
  needed: ReadonlySet<number>,
): Promise<Refusal | undefined> {
  const waiting = [...links.values()].filter((link) => needed.has(link.stateGroup));
  let next = 0;
  let takeover: Takeover | undefined;
  const advance = (): Takeover | undefined => {
    for (; next < waiting.length; next += 1) {
      const link = links.get((waiting[next] as GroupLink).stateGroup) as GroupLink;
      const found = findTakeover(links, needed, link);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return runSlices(desk, room.roomId, async () => {
    const steps: WriteStep[] = [];
    for (let rows = 0; rows < ROWS_PER_SLICE_MAX;) {
      takeover ??= advance();
      if (takeover === undefined) break;
      const { stateGroup, parent } = takeover;
      const part = await takeOver(desk, takeover, ROWS_PER_SLICE_MAX);
      steps.push(...part.steps);
      rows += Math.min(parent.entries, ROWS_PER_SLICE_MAX) + 2;
      if (!part.isDone) break;
      const link = links.get(stateGroup) as GroupLink;
      links.set(stateGroup, { ...link, parent: parent.parent });
      takeover = undefined;
    }
    return (await commitSlice(desk, steps)) ?? (takeover !== undefined || next < waiting.length);
  });
}

/** Deletes groups that nothing needs, the newest first: who still holds the number of one finds all of it or nothing. */
export async function deleteGroups(
  desk: PurgeDesk,
  room: OfRoom,
  groups: readonly GroupLink[],
  tally: PurgeTally,
): Promise<Refusal | undefined> {
  const waiting = groups.toSorted((one, other) => one.stateGroup - other.stateGroup);
  let left = waiting[waiting.length - 1]?.entries ?? 0;
  return runSlices(desk, room.roomId, async () => {
    const steps: WriteStep[] = [];
    let deleted = 0;
    let entries = 0;
    for (let rows = 0; rows < ROWS_PER_SLICE_MAX;) {
      const group = waiting[waiting.length - 1];
      if (group === undefined) break;
      const limit = ROWS_PER_SLICE_MAX - rows;
      const isLast = left <= limit;
      const { stateGroup } = group;
      steps.push(...deleteStateGroup({ roomNid: room.roomNid, stateGroup }, limit, isLast));
      entries += Math.min(left, limit);
      rows += Math.min(left, limit) + 1;
      left -= Math.min(left, limit);
      if (!isLast) continue;
      deleted += 1;
      waiting.pop();
      left = waiting[waiting.length - 1]?.entries ?? 0;
    }
    const refusal = await commitSlice(desk, steps);
    if (refusal !== undefined) return refusal;
    tally.stateGroups += deleted;
    tally.freedBytes += deleted * STATE_GROUP_BYTES + entries * STATE_ENTRY_BYTES;
    return waiting.length > 0;
  });
}

/** All groups of a room. */
export async function deleteAllGroups(
  desk: PurgeDesk,
  room: OfRoom,
  tally: PurgeTally,
): Promise<Refusal | undefined> {
  const links = await readLinks(desk, room);
  if (isRefusal(links)) return links;
  return deleteGroups(desk, room, [...links.values()], tally);
}

/**
 * Deletes the states that no event that stays has. Those that stay keep their numbers and their content.
 *
 * @param needed what the events that stay need, as of a moment after the timeline was emptied: from then on no event can come to have a
 *   state that none of those has
 */
export async function purgeGroups(
  desk: PurgeDesk,
  purge: Purge,
  needed: Needed,
): Promise<Refusal | undefined> {
  const links = await readLinks(desk, purge);
  if (isRefusal(links)) return links;
  // Groups that were made while they were read are those of events that came since.
  const refusal = await runSlices(desk, purge.roomId, async () => {
    await findNewlyNeeded(desk, purge, needed);
    return false;
  });
  if (refusal !== undefined) return refusal;
  const gone = [...links.values()].filter((link) => !needed.stateGroups.has(link.stateGroup));
  if (gone.length === 0) return undefined;
  return (
    (await cutLoose(desk, purge, links, needed.stateGroups)) ?? deleteGroups(desk, purge, gone, purge.tally)
  );
}
