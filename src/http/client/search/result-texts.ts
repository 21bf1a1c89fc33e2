import { findStateOfGroup } from '../../../../db/rooms/state-reader.ts';
import { ROOM_END, ROOM_START } from '../../../../db/rooms/timeline-reader.ts';
import type { JsonObject } from '../../../kit/json.ts';
import { emptySyncFilter } from '../../../matrix/sync-filter-parse.ts';
import { findClientEvent } from '../../../sync/event-text.ts';
import { listText, objectText } from '../../../sync/json-text.ts';
import { formatPlace, placeBefore } from '../../../sync/page-token.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { type HistoryItem, historyTexts, readHistory } from '../rooms/history.ts';
import type { SearchResult } from './find-results.ts';

const EVERYTHING = emptySyncFilter().room.timeline;

/** How much of what was said around a result comes with it. */
export interface ContextWish {
  readonly before: number;
  readonly after: number;
  readonly includeProfile: boolean;
}

/** Names and pictures of those who have written, as they were then. */
async function profilesText(services: ReadServices, items: readonly HistoryItem[]): Promise<string> {
  const profiles = new Map<string, JsonObject>();
  for (const { entry, event } of items) {
    if (profiles.has(event.sender) || entry.stateGroup === null) continue;
    const eventId = await findStateOfGroup(services.db, entry.stateGroup, 'm.room.member', event.sender);
    const member = eventId === undefined ? undefined : await findClientEvent(services, eventId);
    const { displayname, avatar_url: avatarUrl } = member?.content ?? {};
    profiles.set(event.sender, {
      ...(typeof displayname === 'string' && { displayname }),
      ...(typeof avatarUrl === 'string' && { avatar_url: avatarUrl }),
    });
  }
  return JSON.stringify(Object.fromEntries(profiles));
}

async function contextText(
  services: ReadServices,
  { entry, event, membership, viewer }: SearchResult,
  wish: ContextWish,
): Promise<string> {
  const { standing } = viewer;
  const around = { standing, filter: EVERYTHING };
  const place = { depth: entry.depth, streamOrdering: entry.position };
  const before = await readHistory(services, {
    ...around,
    direction: 'backward',
    from: placeBefore(entry),
    until: ROOM_START,
    limit: wish.before,
  });
  const after = await readHistory(services, {
    ...around,
    direction: 'forward',
    from: place,
    until: ROOM_END,
    limit: wish.after,
  });
  const first = before.items.at(-1)?.entry ?? entry;
  const last = after.items.at(-1)?.entry ?? entry;
  const end = after.next ?? { depth: last.depth, streamOrdering: last.position };
  const shown = [...before.items, { entry, event, membership }, ...after.items];
  return objectText([
    ['start', JSON.stringify(formatPlace(before.next ?? placeBefore(first)))],
    ['end', JSON.stringify(formatPlace(end))],
    ['events_before', listText(await historyTexts(services, viewer, before.items))],
    ['events_after', listText(await historyTexts(services, viewer, after.items))],
    ['profile_info', wish.includeProfile ? await profilesText(services, shown) : null],
  ]);
}

/** The text of one result, with what was said around it where that is wished for. */
export async function resultText(
  services: ReadServices,
  result: SearchResult,
  wish: ContextWish | null,
): Promise<string> {
  const [text = 'null'] = await historyTexts(services, result.viewer, [result]);
  return objectText([
    ['rank', JSON.stringify(result.rank)],
    ['result', text],
    ['context', wish === null ? null : await contextText(services, result, wish)],
  ]);
}
