import type { WriteStep } from '../../db/kit/write-set.ts';
import {
  findProgress,
  findRoomAfter,
  readDirectoryAccounts,
  readDirectoryChanges,
} from '../../db/user-directory/reader.ts';
import { beginRebuild, storeProgress } from '../../db/user-directory/writer.ts';
import type { Fact } from '../../src/streams/fact.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { entrySteps } from './directory-entry.ts';
import type { DirectoryState } from './protocol.ts';
import { applyChanges, type RoomSource, storeRoom } from './room-entries.ts';

/** Changes that are read at once. */
const CHANGES_PAGE = 100;
/** Accounts that are looked at, at once. */
const ACCOUNTS_PAGE = 200;
/** A directory that is this far behind is built anew: what happened is more than what there is. */
export const BEHIND_MAX = 200_000;
/** So many positions without a change are gone through again after a restart, rather than written down. */
const UNSTORED_MAX = 10_000;
/** When storage cannot be written, it is tried again after this. */
const STORAGE_RETRY_MS = 1_000;
/** Accounts that wait to be looked at; when there are more, all are. */
const WAITING_ACCOUNTS_MAX = 10_000;
/** No user id comes after it. */
const LAST_USER_ID = '\u{10ffff}';

/** Keeps the directory up to date, in the background. */
export interface Upkeep {
  /** The events stream has come to a position. */
  advance(position: number): void;
  /** Facts about accounts, among others. */
  note(facts: readonly Fact[]): void;
  /** Facts were missed: all accounts are looked at. */
  lookAtAll(): void;
  state(): DirectoryState;
}

interface Work {
  readonly context: TroupeContext;
  target: number;
  /** Up to here there is nothing that is not in the directory. */
  looked: number;
  stored: number;
  rebuiltUpTo: number | null;
  isAllDue: boolean;
  accounts: Set<string>;
  isRunning: boolean;
}

/** Stores, however long storage cannot be written; false when the actor has ended. */
async function write({ context }: Work, steps: readonly WriteStep[]): Promise<boolean> {
  while (!context.ended.aborted) {
    const outcome = await commit(context, steps);
    if (outcome.kind === 'committed') return true;
    if (outcome.kind === 'refused') throw new Error(`the directory has no guard, yet ${outcome.refusal}`);
    await new Promise<void>((resolve) => {
      const timer = context.clock.after(STORAGE_RETRY_MS, resolve);
      const end = (): void => {
        context.clock.cancel(timer);
        resolve();
      };
      context.ended.addEventListener('abort', end, { once: true });
    });
  }
  return false;
}

/** Looks at accounts in (after, upTo], and shows those that are not shown as they are. */
async function storeAccounts(work: Work, after: string, upTo: string): Promise<void> {
  const { db } = work.context.env;
  let last = after;
  for (;;) {
    const page = await readDirectoryAccounts(db, last, upTo, ACCOUNTS_PAGE);
    const steps = page.filter(({ isShown }) => !isShown).flatMap(entrySteps);
    if (steps.length > 0 && !(await write(work, steps))) return;
    const end = page.at(-1);
    if (end === undefined || page.length < ACCOUNTS_PAGE) return;
    last = end.userId;
  }
}

/** One account: what comes just before its id is no id of anybody. */
async function profileSteps(work: Work, userId: string): Promise<WriteStep[]> {
  const before = userId.slice(0, -1);
  const accounts = await readDirectoryAccounts(work.context.env.db, before, userId, ACCOUNTS_PAGE);
  return accounts.filter((account) => account.userId === userId && !account.isShown).flatMap(entrySteps);
}

function sourceOf(work: Work): RoomSource {
  const { env } = work.context;
  return {
    db: env.db,
    serverName: env.config.server.name,
    write: (steps) => write(work, steps),
    profileSteps: (userId) => profileSteps(work, userId),
  };
}

/** Puts in all rooms, from where the last life was interrupted. */
async function rebuild(work: Work): Promise<void> {
  const { context } = work;
  // First the users of this server: places in rooms are theirs.
  await storeAccounts(work, '', LAST_USER_ID);
  while (work.rebuiltUpTo !== null && !context.ended.aborted) {
    const room = await findRoomAfter(context.env.db, work.rebuiltUpTo);
    if (room !== undefined) await storeRoom(sourceOf(work), room.roomId);
    work.rebuiltUpTo = room?.roomNid ?? null;
    await write(work, [storeProgress({ eventsUpTo: work.stored, rebuiltUpTo: work.rebuiltUpTo })]);
  }
}

/** Puts in what the events up to the target changed. */
async function followEvents(work: Work): Promise<void> {
  const { context } = work;
  const source = sourceOf(work);
  while (work.looked < work.target && !context.ended.aborted) {
    const to = work.target;
    const page = await readDirectoryChanges(context.env.db, work.looked, to, CHANGES_PAGE);
    await applyChanges(source, page);
    const last = page.at(-1);
    // One position holds one change at most.
    work.looked = last !== undefined && page.length === CHANGES_PAGE ? last.position : to;
    if (page.length > 0 || work.looked - work.stored > UNSTORED_MAX) {
      const isStored = await write(work, [storeProgress({ eventsUpTo: work.looked, rebuiltUpTo: null })]);
      if (isStored) work.stored = work.looked;
    }
  }
}

function isDue(work: Work): boolean {
  return work.rebuiltUpTo !== null || work.isAllDue || work.accounts.size > 0 || work.looked < work.target;
}

async function workOff(work: Work): Promise<void> {
  while (isDue(work) && !work.context.ended.aborted) {
    if (work.rebuiltUpTo !== null) await rebuild(work);
    if (work.isAllDue) {
      work.isAllDue = false;
      work.accounts.clear();
      await storeAccounts(work, '', LAST_USER_ID);
    }
    const accounts = work.accounts;
    work.accounts = new Set();
    for (const userId of accounts) {
      const steps = await profileSteps(work, userId);
      if (steps.length > 0) await write(work, steps);
    }
    await followEvents(work);
  }
  // In the turn in which nothing was due: whoever comes later begins anew.
  work.isRunning = false;
}

function begin(work: Work): void {
  if (work.isRunning || !isDue(work) || work.context.ended.aborted) return;
  work.isRunning = true;
  workOff(work).catch((error: unknown) => {
    if (!work.context.ended.aborted) work.context.crash(error);
  });
}

/**
 * Makes the upkeep of one life of the actor: it goes on where the last life was, and builds the directory anew when there is none, or when it is too
 * far behind.
 */
export async function createUpkeep(context: TroupeContext): Promise<Upkeep> {
  const { position } = await context.ref('committer').ask('committer.read-position', { stream: 'events' });
  const known = await findProgress(context.env.db);
  const isUsable = known !== undefined && position - known.eventsUpTo <= BEHIND_MAX;
  const progress = isUsable ? known : { eventsUpTo: position, rebuiltUpTo: 0 };
  const { eventsUpTo, rebuiltUpTo } = progress;
  const work: Work = {
    context,
    target: position,
    looked: eventsUpTo,
    stored: eventsUpTo,
    rebuiltUpTo,
    isAllDue: true,
    accounts: new Set(),
    isRunning: false,
  };
  if (!isUsable) await write(work, beginRebuild(position));
  begin(work);
  return {
    advance(to) {
      work.target = Math.max(work.target, to);
      begin(work);
    },
    note(facts) {
      for (const fact of facts)
        if (fact.fact === 'profile' || fact.fact === 'account') work.accounts.add(fact.userId);
      if (work.accounts.size > WAITING_ACCOUNTS_MAX) work.isAllDue = true;
      begin(work);
    },
    lookAtAll() {
      work.isAllDue = true;
      begin(work);
    },
    state: () => ({ eventsUpTo: work.looked, isBusy: work.isRunning || isDue(work) }),
  };
}
