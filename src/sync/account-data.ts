import { isDeleted, readAccountDataChanges, readAccountDataOfRoom } from '../../db/account-data/reader.ts';
import { accountDataStream } from '../streams/account-data-stream.ts';
import { pushRulesStream } from '../streams/push-rules-stream.ts';
import { threadSubscriptionsStream } from '../streams/thread-subscriptions-stream.ts';
import { pushRulesCache } from './caches/push-rules.ts';
import type { SyncContext } from './sync-context.ts';

/** One account data event. */
export interface AccountDataItem {
  readonly type: string;
  /** The text of the whole event. */
  readonly text: string;
}

/** What changed of a user's account data. */
export interface AccountDataNews {
  readonly global: readonly AccountDataItem[];
  /** By room id. */
  readonly ofRoom: ReadonlyMap<string, readonly AccountDataItem[]>;
}

const NOTHING: AccountDataNews = { global: [], ofRoom: new Map() };

function itemOf(type: string, contentText: string): AccountDataItem {
  return { type, text: `{"type":${JSON.stringify(type)},"content":${contentText}}` };
}

async function readStored(context: SyncContext): Promise<AccountDataNews> {
  const { range, services, caller } = context;
  const { name } = accountDataStream;
  const from = range.from(name);
  if (from >= range.to(name)) return NOTHING;
  const mayHaveChanged = services.streams.mayHaveChanged(name, `user:${caller.userId}`, from);
  if (!range.isInitial && !mayHaveChanged) return NOTHING;
  const rows = await readAccountDataChanges(services.db, caller.userId, from, range.to(name));
  const global: AccountDataItem[] = [];
  const ofRoom = new Map<string, AccountDataItem[]>();
  for (const { roomId, type, content } of rows) {
    // Who knows nothing yet need not be told what is there no more.
    if (range.isInitial && isDeleted({ content })) continue;
    const item = itemOf(type, content);
    if (roomId === null) global.push(item);
    else if (ofRoom.has(roomId)) ofRoom.get(roomId)?.push(item);
    else ofRoom.set(roomId, [item]);
  }
  return { global, ofRoom };
}

/** All account data of a room that is new to the client: it may have been set before the user joined. */
export async function readItemsOfNewRoom(
  { services, caller, range }: SyncContext,
  roomId: string,
): Promise<readonly AccountDataItem[]> {
  const to = range.to(accountDataStream.name);
  const rows = await readAccountDataOfRoom(services.db, caller.userId, roomId, to);
  return rows.filter((row) => !isDeleted(row)).map(({ type, content }) => itemOf(type, content));
}

/** True when the user's push rules may have changed in the range. */
function pushRulesMayHaveChanged(context: SyncContext): boolean {
  const { range, services, caller } = context;
  if (range.isInitial) return true;
  return [pushRulesStream.name, threadSubscriptionsStream.name].some((name) => {
    const from = range.from(name);
    return from < range.to(name) && services.streams.mayHaveChanged(name, `user:${caller.userId}`, from);
  });
}

/**
 * Account data that changed in the range; all of it in a first sync. Push rules stand among it as `m.push_rules`.
 * Client-Server API v1.19, "Client Config", "Push Rules: Events".
 */
export async function readAccountData(context: SyncContext): Promise<AccountDataNews> {
  const stored = await readStored(context);
  if (!pushRulesMayHaveChanged(context)) return stored;
  const { range, services, caller } = context;
  const { text, position, threadsSince } = await services.cached.get(pushRulesCache, caller.userId);
  // The first subscription to a thread brings the rules for threads.
  const isNews =
    position > range.from(pushRulesStream.name) || threadsSince > range.from(threadSubscriptionsStream.name);
  if (!range.isInitial && !isNews) return stored;
  return { global: [...stored.global, itemOf('m.push_rules', text)], ofRoom: stored.ofRoom };
}
