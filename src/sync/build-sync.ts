import { matchesEvent, matchesRoom, matchesType, type SyncFilter } from '../matrix/sync-filter.ts';
import { formatToken, type SyncToken } from '../streams/token.ts';
import { toDeviceStream } from '../streams/to-device-stream.ts';
import { type AccountDataNews, readAccountData } from './account-data.ts';
import { ignoredUsersCache } from './caches/ignored-users.ts';
import { readDeletedRooms } from './deleted-rooms.ts';
import { type DeviceListNews, readDeviceLists } from './device-lists.ts';
import { readTyping } from './ephemeral.ts';
import { buildJoinedRoom, type JoinedRoom } from './joined-room.ts';
import { eventsTextUnlessEmpty, objectText } from './json-text.ts';
import { buildLeftRoom } from './left-room.ts';
import { readKeySupply } from './key-supply.ts';
import { isNewlyJoined, type MembershipInRange, readMemberships } from './memberships.ts';
import { type PresenceItem, readPresence } from './presence.ts';
import { buildInvitedRoom, buildKnockedRoom } from './stripped-room.ts';
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
  const { filter, range, ignored } = context;
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
      if (!ignored.has(room.sender)) invited.push(room);
    } else if (membership === 'knock') knocked.push(room);
    else if (!range.isInitial || (filter.room.includeLeave && !room.isForgotten)) left.push(room);
  }
  return { joined, invited, knocked, left };
}

async function buildRooms(
  context: SyncContext,
  rooms: RoomsInRange,
  accountData: AccountDataNews,
): Promise<{ readonly texts: RoomTexts; readonly joined: readonly JoinedRoom[] }> {
  const { services } = context;
  const texts: RoomTexts = { join: {}, invite: {}, knock: {}, leave: {}, isNews: false };
  const takeTurn = makeTurnTaker();
  const news = { accountData, typing: readTyping(context) };
  const joined: JoinedRoom[] = [];
  for (const room of rooms.joined) {
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

function presenceTexts(context: SyncContext, items: readonly PresenceItem[]): readonly string[] {
  return items
    .filter(({ sender }) => matchesEvent(context.filter.presence, { type: 'm.presence', sender }))
    .map((item) => item.text);
}

async function makeContext(services: SyncServices, request: SyncRequest): Promise<SyncContext> {
  // Taken once: nothing of this answer is newer, and what comes later is in the range of the next.
  const range = currentRange(services.streams, request.since);
  const ignored = await services.cached.get(ignoredUsersCache, request.caller.userId);
  return { services, ...request, range, ignored };
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
  const { texts, joined } = await buildRooms(context, rooms, accountData);
  const known = new Set(memberships.map((room) => room.roomId));
  for (const [roomId, text] of await readDeletedRooms(context, known)) {
    texts.leave[roomId] = text;
    texts.isNews = true;
  }
  const joinedRoomIds = memberships.filter((room) => room.membership === 'join').map((room) => room.roomId);
  const newlyJoined = rooms.joined
    .filter((room) => isNewlyJoined(room, range.isInitial))
    .map((room) => room.roomId);
  const presence = presenceTexts(
    context,
    readPresence(context, new Set(joinedRoomIds), new Set(newlyJoined)),
  );
  const toDevice = await readToDevice(context);
  const deviceLists = deviceListsText(
    await readDeviceLists(context, {
      joined: joinedRoomIds,
      newlyJoined,
      left: rooms.left.filter((room) => room.before === 'join'),
      memberChanges: joined.flatMap((room) => room.memberChanges),
    }),
  );
  const global = accountData.global
    .filter((item) => matchesType(filter.accountData, item.type))
    .map((item) => item.text);
  const supply = await readKeySupply(services, caller, range);
  const upTo = withPosition(range.upTo, toDeviceStream.name, toDevice.position);
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
  const isNews = texts.isNews || supply.isNews || deviceLists !== null;
  const isEmpty = !isNews && presence.length + global.length + toDevice.texts.length === 0;
  return { text, isEmpty, upTo, joinedRoomIds };
}
