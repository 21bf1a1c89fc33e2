import {
  type Departure,
  findDepartureProgress,
  readDepartures,
  readFollowedUsers,
  readRemoteLists,
} from '../../db/remote-devices/reader.ts';
import { markStale, removeList, storeDepartureProgress } from '../../db/remote-devices/writer.ts';
import { readSharingUsers, readUsersSharingSince } from '../../db/rooms/sharing-reader.ts';
import type { TroupeContext } from '../environment.ts';
import type { Lanes } from './lanes.ts';
import type { ListStore } from './list-store.ts';

/** How soon it is looked who has left, in milliseconds: many events then share a look. */
export const DEPARTURE_DELAY_MS = 500;
/** Departures that are read at once. */
const DEPARTURES_PAGE = 200;
/** Lists that are looked at together when a whole room is gone. */
const LISTS_PAGE = 200;
/** So many positions without a change are gone through again after a restart, rather than written down. */
const UNSTORED_MAX = 10_000;

/**
 * Sees who shares a room no more. Their server stops telling of their devices then: a list that was kept on would be believed, and be wrong,
 * when they are met again.
 */
export interface DepartureWatch {
  /** The events stream has come to a position. */
  advance(position: number): void;
}

interface Watch {
  readonly context: TroupeContext;
  readonly store: ListStore;
  readonly lanes: Lanes;
  /** How far the events stream is known to be, how far it was looked at, and how far that is stored. */
  target: number;
  looked: number;
  stored: number;
  isScheduled: boolean;
}

/** Forgets the list of who shares nothing, and doubts the list of who shares something only since a position. */
function look({ context, store, lanes }: Watch, userId: string, position: number): Promise<void> {
  const { db } = context.env;
  return lanes.run(userId, async () => {
    const since = await readUsersSharingSince(db, [userId], position);
    if (since.has(userId)) return;
    const sharing = await readSharingUsers(db, [userId]);
    await store.write(sharing.has(userId) ? [markStale(userId)] : removeList(userId));
  });
}

async function lookAtAll(watch: Watch, position: number): Promise<void> {
  const { env, ended } = watch.context;
  let after = '';
  for (;;) {
    const page = await readFollowedUsers(env.db, after, LISTS_PAGE);
    const since = await readUsersSharingSince(env.db, page, position);
    for (const userId of page) if (!since.has(userId)) await look(watch, userId, position);
    const last = page.at(-1);
    if (last === undefined || page.length < LISTS_PAGE || ended.aborted) return;
    after = last;
  }
}

async function apply(watch: Watch, page: readonly Departure[]): Promise<void> {
  const named = new Set(page.flatMap(({ userId }) => (userId === null ? [] : [userId])));
  const lists = await readRemoteLists(watch.context.env.db, [...named]);
  const followed = new Set(lists.map(({ userId }) => userId));
  for (const { userId, position } of page) {
    if (userId === null) await lookAtAll(watch, position);
    else if (followed.has(userId)) await look(watch, userId, position);
  }
}

async function catchUp(watch: Watch): Promise<void> {
  const { context, store } = watch;
  while (watch.looked < watch.target && !context.ended.aborted) {
    const to = watch.target;
    const page = await readDepartures(context.env.db, watch.looked, to, DEPARTURES_PAGE);
    await apply(watch, page);
    watch.looked = page.length === DEPARTURES_PAGE ? (page.at(-1)?.position ?? to) : to;
  }
  if (watch.looked - watch.stored <= UNSTORED_MAX) return;
  if (await store.write([storeDepartureProgress(watch.looked)])) watch.stored = watch.looked;
}

async function catchUpAndGoOn(watch: Watch): Promise<void> {
  await catchUp(watch);
  watch.isScheduled = false;
  if (watch.looked < watch.target) schedule(watch);
}

function schedule(watch: Watch): void {
  const { context } = watch;
  const { clock, ended } = context;
  if (watch.isScheduled) return;
  watch.isScheduled = true;
  clock.after(DEPARTURE_DELAY_MS, () => {
    if (ended.aborted) return;
    catchUpAndGoOn(watch).catch((error: unknown) => {
      if (!ended.aborted) context.crash(error);
    });
  });
}

/** Makes the watch of one life of the actor, which goes on where the last one was. */
export async function createDepartureWatch(
  context: TroupeContext,
  store: ListStore,
  lanes: Lanes,
): Promise<DepartureWatch> {
  const progress = await findDepartureProgress(context.env.db);
  const { position: start } = await context
    .ref('committer')
    .ask('committer.read-position', { stream: 'events' });
  // Without progress there has been no list either.
  const looked = progress ?? start;
  if (progress === undefined) await store.write([storeDepartureProgress(start)]);
  const watch: Watch = { context, store, lanes, target: start, looked, stored: looked, isScheduled: false };
  if (looked < start) schedule(watch);
  return {
    advance(position) {
      if (position <= watch.target) return;
      watch.target = position;
      schedule(watch);
    },
  };
}
