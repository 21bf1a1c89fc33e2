import type { ReadDb } from '../../db/kit/read-db.ts';
import { readErased } from '../../db/accounts/queries.ts';
import { findErasedTs } from '../../db/accounts/reader.ts';
import type { StoredEvent } from '../../db/rooms/event-reader.ts';
import {
  findHistoryVisibility,
  type HostStanding,
  readHostInGroup,
  readHostStanding,
  readVisibilityInGroup,
} from '../../db/rooms/host-standing-reader.ts';
import type { Pdu } from '../matrix/events/pdu.ts';
import { redact } from '../matrix/events/redaction.ts';
import { isOfServer } from '../matrix/identifiers/domain.ts';
import { getRoomVersion } from '../matrix/rooms/room-versions.ts';
import { parseHistoryVisibility } from '../matrix/rooms/visibility.ts';
import { type Caches, defineCache } from '../streams/cache.ts';
import { hostsInRoom } from './hosts-in-room.ts';
import { servedPdu } from './served-pdus.ts';

const GROUPS_MAX = 50_000;
const HOSTS_IN_GROUPS_MAX = 50_000;
const ERASED_USERS_MAX = 10_000;

/** State group → history visibility. A group never changes. */
export const visibilityInGroupCache = defineCache<string, string | null>({
  name: 'visibility-in-group',
  sizeMax: GROUPS_MAX,
  load: (db, stateGroup) => findHistoryVisibility(db, Number(stateGroup)),
  reads: [readVisibilityInGroup],
  dependsOn: {},
});

/** `<state group> <server>` → how the server stood there. A group never changes. */
export const hostInGroupCache = defineCache<string, HostStanding>({
  name: 'host-in-group',
  sizeMax: HOSTS_IN_GROUPS_MAX,
  load(db, key) {
    const space = key.indexOf(' ');
    return readHostStanding(db, Number(key.slice(0, space)), key.slice(space + 1));
  },
  reads: [readHostInGroup],
  dependsOn: {},
});

/** User id → when a user of this server was erased; null for everybody else. */
export const erasedSenderCache = defineCache<string, number | null>({
  name: 'erased-senders',
  sizeMax: ERASED_USERS_MAX,
  load: findErasedTs,
  reads: [readErased],
  dependsOn: { account: ({ userId }) => [userId] },
});

/** What a server may have of an event: all of it, what a redaction would leave, or nothing. */
export type ServerSight = 'whole' | 'redacted' | 'nothing';

/** What deciding takes. */
export interface SightServices {
  readonly db: ReadDb;
  readonly cached: Caches;
}

/** Whether a server has a joined user in a room now. */
export async function isServerInRoom(
  { cached }: SightServices,
  roomId: string,
  serverName: string,
): Promise<boolean> {
  return (await cached.get(hostsInRoom, roomId)).includes(serverName);
}

/** Whether a server had a joined user in the state after an event. */
export async function wasServerJoined(
  { cached }: SightServices,
  { stateGroup }: StoredEvent,
  serverName: string,
): Promise<boolean> {
  if (stateGroup === null) return false;
  return (await cached.get(hostInGroupCache, `${stateGroup} ${serverName}`)).isJoined;
}

/** True for what a server knows anyway: what its users sent, and what became of their memberships. */
function isOwn({ sender, type, stateKey }: StoredEvent, serverName: string): boolean {
  const isMember = type === 'm.room.member' && stateKey !== null;
  return isOfServer(sender, serverName) || (isMember && isOfServer(stateKey, serverName));
}

async function sightOf(
  services: SightServices,
  event: StoredEvent,
  serverName: string,
  isInRoom: boolean,
): Promise<ServerSight> {
  const { stateGroup, stateKey, sender } = event;
  if (isOwn(event, serverName)) return 'whole';
  const otherwise = isInRoom ? 'redacted' : 'nothing';
  if (stateGroup === null) return isInRoom && stateKey !== null ? 'whole' : otherwise;
  const { cached } = services;
  const value = await cached.get(visibilityInGroupCache, String(stateGroup));
  const visibility = parseHistoryVisibility(value ?? undefined);
  const isErased = (await cached.get(erasedSenderCache, sender)) !== null;
  const isOpen = visibility === 'world_readable' || (visibility === 'shared' && isInRoom);
  if (isOpen && !isErased) return 'whole';
  const standing = await cached.get(hostInGroupCache, `${stateGroup} ${serverName}`);
  if (standing.isJoined) return 'whole';
  if (isErased) return otherwise;
  return visibility === 'invited' && standing.isInvited ? 'whole' : otherwise;
}

/** An event as a server may have it. */
export interface ServedEvent {
  readonly event: StoredEvent;
  readonly pdu: Pdu;
}

/**
 * Events of one room as a server may have them. A server sees what one of its users may see: by the room's history visibility and its own users'
 * memberships at each event; of what is hidden from a server that is in the room it gets a redacted copy, so that the graph of events has no hole,
 * and a server that is not in the room gets nothing. What this server's users were erased for, who was not there gets redacted.
 * Client-Server API v1.19, "Room History Visibility"; Server-Server API v1.19, "Backfilling and retrieving missing events".
 *
 * @returns those of which the server may have anything, in the order given
 */
export async function visibleToServer(
  services: SightServices,
  serverName: string,
  events: readonly StoredEvent[],
): Promise<readonly ServedEvent[]> {
  const [first] = events;
  if (first === undefined) return [];
  const isInRoom = await isServerInRoom(services, first.roomId, serverName);
  const served: ServedEvent[] = [];
  for (const event of events) {
    const sight = await sightOf(services, event, serverName, isInRoom);
    if (sight === 'nothing') continue;
    const pdu = servedPdu(event);
    served.push({ event, pdu: sight === 'whole' ? pdu : redact(getRoomVersion(event.roomVersion), pdu) });
  }
  return served;
}
