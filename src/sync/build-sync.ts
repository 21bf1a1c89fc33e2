import { matchesRoom, matchesType, type SyncFilter } from '../matrix/sync-filter.ts';
import { formatToken, type SyncToken } from '../streams/token.ts';
import { toDeviceStream } from '../streams/to-device-stream.ts';
import { type AccountDataNews, readAccountData } from './account-data.ts';
import { ignoredUsersCache } from './caches/ignored-users.ts';
import { invitePermissionCache } from './caches/invite-permission.ts';
import { readDeletedRooms } from './deleted-rooms.ts';
import { type DeviceListNews, readDeviceLists, roomsLeft } from './device-lists.ts';
import { readTyping } from './ephemeral.ts';
import { buildJoinedRoom, isQuietRoom, type JoinedRoom } from './joined-room.ts';
import { eventsTextUnlessEmpty, objectText } from './json-text.ts';
import { buildLeftRoom } from './left-room.ts';
import { readChangesOfMembers } from './key-changes.ts';
import { readKeySupply } from './key-supply.ts';
import { isNewlyJoined, isUnseenInvite, type MembershipInRange, readMemberships } from './memberships.ts';
import { readPresence } from './presence.ts';
import { findCompletedRooms, isHeldBack } from './room-wholeness.ts';
import { buildInvitedRoom, buildKnockedRoom } from './stripped-room.ts';
import { readSticky, type StickyNews, withSticky } from './sticky.ts';
import type { StateForm, SyncContext } from './sync-context.ts';
import { currentRange, withPosition } from './sync-range.ts';
import type { SyncCaller, SyncServices } from './sync-services.ts';
import { readToDevice } from './to-device.ts';
import { makeTurnTaker } from './yield-turn.ts';

/** One question of a client. */
export interface SyncRequest {
  readonly caller: SyncCaller;
  /** Null for a first sync. */
  readonly since: SyncToken | null;
  readonly filter: SyncFilter;
  /** All state of all rooms, whatever the client has. */
  readonly fullState: boolean;
  readonly stateForm: StateForm;
}

/** One answer. */
export interface SyncAnswer {
  /** The body, JSON. */
  readonly text: string;
  /** There is nothing in it that a long poll is to end for. */
  readonly isEmpty: boolean;
  /** The vector that was looked at: what a poll parks from. */
  readonly upTo: SyncToken;
  /** Rooms that the user has joined or is otherwise to be woken for. */
  readonly joinedRoomIds: readonly string[];
}

/** Rooms of an answer, by section. */
interface RoomTexts {
  readonly join: Record<string, string>;
  readonly invite: Record<string, string>;
  readonly knock: Record<string, string>;
  readonly leave: Record<string, string>;
  isNews: boolean;
}

/** Which rooms an answer may hold, before it is known whether they have news. */
interface RoomsInRange {
  readonly joined: readonly MembershipInRange[];
  readonly invited: readonly MembershipInRange[];
  readonly knocked: readonly MembershipInRange[];
  readonly left: readonly MembershipInRange[];
}

function sortRooms(context: SyncContext, memberships: readonly MembershipInRange[]): RoomsInRange {
  const { filter, range, invites } = context;
  const joined: MembershipInRange[] = [];
  const invited: MembershipInRange[] = [];
  const knocked: MembershipInRange[] = [];
  const left: MembershipInRange[] = [];
  for (const room of memberships) {
    if (!matchesRoom(filter.room, room.roomId)) continue;
    const { membership } = room;
    if (membership === 'join') joined.push(room);
    else if (!room.isChanged) continue;
    else if (membership === 'invite') {
      if (invites.verdictOf(room.sender) === 'allow') invited.push(room);
    } else if (membership === 'knock') knocked.push(room);
    else if (isUnseenInvite(room, invites)) continue;
    else if (!range.isInitial || (filter.room.includeLeave && !room.isForgotten)) left.push(room);
  }
  return { joined, invited, knocked, left };
}

/** The rooms whose members are new to the client: it came into them, or their members came here. */
function newlyJoinedOf(
  { range }: SyncContext,
  rooms: readonly MembershipInRange[],
  completed: ReadonlySet<string>,
): readonly string[] {
  return rooms
    .filter((room) => isNewlyJoined(room, range.isInitial) || completed.has(room.roomId))
    .map((room) => room.roomId);
}

async function buildRooms(
  context: SyncContext,
  rooms: RoomsInRange,
  accountData: AccountDataNews,
  sticky: StickyNews,
  completed: ReadonlySet<string>,
): Promise<{ readonly texts: RoomTexts; readonly joined: readonly JoinedRoom[] }> {
  const { services } = context;
  const texts: RoomTexts = { join: {}, invite: {}, knock: {}, leave: {}, isNews: false };
  const takeTurn = makeTurnTaker();
  const newlyJoined = newlyJoinedOf(context, rooms.joined, completed);
  const news = { accountData, typing: readTyping(context, new Set(newlyJoined)), sticky, completed };
  const joined: JoinedRoom[] = [];
  for (const room of rooms.joined) {
    if (isQuietRoom(context, room, news) || (await isHeldBack(context, room.roomId))) continue;
    await takeTurn();
    const built = await buildJoinedRoom(context, room, news);
    joined.push(built);
    if (built.text !== null) texts.join[room.roomId] = built.text;
    texts.isNews ||= built.isNews;
  }
  for (const room of rooms.invited) texts.invite[room.roomId] = await buildInvitedRoom(services, room);
  for (const room of rooms.knocked) texts.knock[room.roomId] = await buildKnockedRoom(services, room);
  for (const room of rooms.left) {
    await takeTurn();
    texts.leave[room.roomId] = await buildLeftRoom(context, room, accountData);
  }
  texts.isNews ||= rooms.invited.length + rooms.knocked.length + rooms.left.length > 0;
  return { texts, joined };
}

function roomsText(texts: RoomTexts): string | null {
  const section = (rooms: Readonly<Record<string, string>>): string | null => {
    const entries = Object.entries(rooms);
    return entries.length === 0 ? null : objectText(entries);
  };
  const { join, invite, knock, leave } = texts;
  const sections = [
    ['join', section(join)],
    ['invite', section(invite)],
    ['knock', section(knock)],
    ['leave', section(leave)],
  ] as const;
  return sections.every(([, text]) => text === null) ? null : objectText(sections);
}

function deviceListsText(news: DeviceListNews): string | null {
  const { changed, left } = news;
  return changed.length + left.length === 0 ? null : JSON.stringify({ changed, left });
}

async function makeContext(services: SyncServices, request: SyncRequest): Promise<SyncContext> {
  // Taken once: nothing of this answer is newer, and what comes later is in the range of the next.
  const range = currentRange(services.streams, request.since);
  const ignored = await services.cached.get(ignoredUsersCache, request.caller.userId);
  const invites = await services.cached.get(invitePermissionCache, request.caller.userId);
  return { services, ...request, range, ignored, invites };
}

/**
 * Builds one answer of sync: everything that happened after `since` and up to what this thread has seen when it begins.
 * Client-Server API v1.19, `GET /_matrix/client/v3/sync`.
 */
export async function buildSync(services: SyncServices, request: SyncRequest): Promise<SyncAnswer> {
  const context = await makeContext(services, request);
  const { range, filter, caller } = context;
  const memberships = await readMemberships(services, caller.userId, range);
  const rooms = sortRooms(context, memberships);
  const accountData = await readAccountData(context);
  const allJoined = memberships.filter((room) => room.membership === 'join');
  const joinedRoomIds = allJoined.map((room) => room.roomId);
  const completed = await findCompletedRooms(services, range, joinedRoomIds);
  const sticky = await readSticky(context, rooms.joined, completed);
  const { texts, joined } = await buildRooms(context, rooms, accountData, sticky, completed);
  const known = new Set(memberships.map((room) => room.roomId));
  for (const [roomId, text] of await readDeletedRooms(context, known)) {
    texts.leave[roomId] = text;
    texts.isNews = true;
  }
  // Which rooms the client wants to see decides nothing about whom it shares rooms with.
  const newlyJoined = newlyJoinedOf(context, allJoined, completed);
  const unseen = allJoined.filter(
    (room) => !matchesRoom(filter.room, room.roomId) && !newlyJoined.includes(room.roomId),
  );
  const presence = readPresence(context, new Set(joinedRoomIds), new Set(newlyJoined));
  const toDevice = await readToDevice(context);
  const deviceLists = deviceListsText(
    await readDeviceLists(context, {
      joined: joinedRoomIds,
      newlyJoined,
      left: roomsLeft(memberships),
      memberChanges: [
        ...joined.flatMap((room) => room.memberChanges),
        ...(range.isInitial ? [] : await readChangesOfMembers(context, unseen)),
      ],
    }),
  );
  const global = accountData.global
    .filter((item) => matchesType(filter.accountData, item.type))
    .map((item) => item.text);
  const supply = await readKeySupply(services, caller, range);
  const upTo = withSticky(withPosition(range.upTo, toDeviceStream.name, toDevice.position), sticky);
  const text = objectText([
    ['next_batch', JSON.stringify(formatToken(upTo))],
    ['rooms', roomsText(texts)],
    ['presence', eventsTextUnlessEmpty(presence)],
    ['account_data', eventsTextUnlessEmpty(global)],
    ['to_device', eventsTextUnlessEmpty(toDevice.texts)],
    ['device_lists', deviceLists],
    ['device_one_time_keys_count', supply.countsText],
    ['device_unused_fallback_key_types', supply.unusedFallbackText],
  ]);
  // Where there is more to tell of sticky events, the client is to come again at once.
  const isNews = sticky.next !== null || texts.isNews || supply.isNews || deviceLists !== null;
  const isEmpty = !isNews && presence.length + global.length + toDevice.texts.length === 0;
  return { text, isEmpty, upTo, joinedRoomIds };
}
