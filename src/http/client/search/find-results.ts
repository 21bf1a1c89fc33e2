import { findEvent } from '../../../../db/rooms/event-reader.ts';
import type { TimelineEntry } from '../../../../db/rooms/sync-reader.ts';
import { readHits, type SearchHit, type SearchQuestion } from '../../../../db/search/reader.ts';
import { matchesRoomEvent, type RoomEventFilter } from '../../../matrix/sync-filter.ts';
import type { Viewer } from '../../../sync/bundle.ts';
import type { ClientEvent } from '../../../sync/caches/client-events.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import type { ReadServices, SyncCaller } from '../../../sync/sync-services.ts';
import { readStanding } from '../../../sync/visibility.ts';
import { hasWantedRelations } from '../../../sync/wanted-relations.ts';
import { toTimelineEntry } from '../rooms/find-visible-event.ts';
import { readViewer } from '../rooms/history.ts';
import type { SearchPlace } from './search-token.ts';

/** Events that are looked at for one page, however few of them the caller may see. */
const HITS_LOOK_AT_MAX = 1_000;
const HITS_PER_READ = 100;
const NOW = Number.MAX_SAFE_INTEGER;

/** An event that was found, and that the caller may see. */
export interface SearchResult {
  readonly rank: number;
  readonly entry: TimelineEntry;
  readonly event: ClientEvent;
  readonly membership: string;
  readonly viewer: Viewer;
}

/** A page of a search. */
export interface SearchPage {
  readonly results: readonly SearchResult[];
  /** Events that have the words, before it is asked who may see them: about as many as there are to be found. */
  readonly count: number;
  /** Where it goes on; null at the end. */
  readonly nextOffset: number | null;
}

/** What of the events that have the words is wanted. */
export interface WantedResults {
  readonly question: SearchQuestion;
  readonly place: SearchPlace;
  readonly filter: RoomEventFilter;
  readonly limit: number;
}

function isOfGroup({ group }: SearchPlace, event: ClientEvent): boolean {
  if (group === null) return true;
  return (group.key === 'room_id' ? event.roomId : event.sender) === group.value;
}

/** Makes what finds out, once for each room, for whom its events are shown. */
function viewerOfRooms(services: ReadServices, caller: SyncCaller): (roomId: string) => Promise<Viewer> {
  const viewers = new Map<string, Promise<Viewer>>();
  const open = async (roomId: string): Promise<Viewer> =>
    readViewer(services, caller, await readStanding(services, caller.userId, roomId, NOW));
  return (roomId) => {
    const viewer = viewers.get(roomId) ?? open(roomId);
    viewers.set(roomId, viewer);
    return viewer;
  };
}

/** Finds a page of what has the words, the filter lets through and the caller may see. */
export async function findResults(
  services: ReadServices,
  caller: SyncCaller,
  { question, place, filter, limit }: WantedResults,
): Promise<SearchPage> {
  const viewerOf = viewerOfRooms(services, caller);
  const results: SearchResult[] = [];
  let count = 0;
  const look = async ({ eventId, roomId, rank }: SearchHit): Promise<SearchResult | undefined> => {
    if (eventId === null || roomId === null) return undefined;
    const event = await findClientEvent(services, eventId);
    if (event === undefined || !isOfGroup(place, event) || !matchesRoomEvent(filter, event)) return undefined;
    const viewer = await viewerOf(roomId);
    if (event.stateKey === null && viewer.ignored.has(event.sender)) return undefined;
    if (!(await hasWantedRelations(services.db, filter, event.eventId))) return undefined;
    const stored = await findEvent(services.db, eventId);
    const entry = stored === undefined ? undefined : toTimelineEntry(stored);
    const seen = entry === undefined ? undefined : await viewer.check(entry, event);
    if (entry === undefined || seen?.isVisible !== true) return undefined;
    return { rank, entry, event, membership: seen.membership, viewer };
  };
  const end = place.offset + HITS_LOOK_AT_MAX;
  for (let offset = place.offset; offset < end; offset += HITS_PER_READ) {
    const hits = await readHits(services.db, question, { offset, limit: HITS_PER_READ });
    for (const [index, hit] of hits.entries()) {
      count = hit.hits;
      if (results.length === limit) return { results, count, nextOffset: offset + index };
      const result = await look(hit);
      if (result !== undefined) results.push(result);
    }
    if (hits.length < HITS_PER_READ) return { results, count, nextOffset: null };
  }
  return { results, count, nextOffset: end };
}
