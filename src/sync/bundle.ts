import { findLatestOfThread, readRelated } from '../../db/rooms/relation-reader.ts';
import type { TimelineEntry } from '../../db/rooms/sync-reader.ts';
import { ROOM_END, ROOM_START } from '../../db/rooms/timeline-reader.ts';
import { isJsonObject } from '../kit/json.ts';
import { relationOf } from '../matrix/events/relation.ts';
import type { ClientEvent } from './caches/client-events.ts';
import { type Relations, relationsCache } from './caches/relations.ts';
import { eventText, findClientEvent } from './event-text.ts';
import { objectText } from './json-text.ts';
import type { ReadServices, SyncCaller } from './sync-services.ts';
import type { Standing, VisibilityCheck } from './visibility.ts';

/** Children of one event that are looked at one by one, where not everything may be seen. */
export const CHILDREN_LOOK_AT_MAX = 1_000;

/** For whom events are bundled with what relates to them. */
export interface Viewer {
  readonly caller: SyncCaller;
  /** How the caller stands to the room of the events. */
  readonly standing: Standing;
  readonly check: VisibilityCheck;
  /** Whom the caller ignores. */
  readonly ignored: ReadonlySet<string>;
  /** Events within the bundle name their room, as those do that they come with. */
  readonly includeRoomId: boolean;
}

/** An event that the viewer sees. */
interface Seen {
  readonly event: ClientEvent;
  readonly membership: string;
}

/** What a viewer is told of what relates to an event. */
interface Bundle {
  readonly edit: Seen | null;
  readonly thread: { readonly latest: Seen; readonly count: number; readonly hasReplied: boolean } | null;
  readonly references: readonly string[];
}

const NOTHING: Bundle = { edit: null, thread: null, references: [] };

async function findSeen(
  services: ReadServices,
  viewer: Viewer,
  entry: TimelineEntry,
): Promise<Seen | undefined> {
  const event = await findClientEvent(services, entry.eventId);
  // It may have been redacted, or purged, since it was looked for.
  if (event === undefined || relationOf(event.content) === null) return undefined;
  const { isVisible, membership } = await viewer.check(entry, event);
  return isVisible ? { event, membership } : undefined;
}

/** Whether an event is a valid edit of another one. Client-Server API v1.19, "Validity of replacement events". */
function isEditOf(parent: ClientEvent, edit: ClientEvent): boolean {
  return (
    parent.stateKey === null &&
    edit.stateKey === null &&
    edit.sender === parent.sender &&
    edit.type === parent.type &&
    relationOf(parent.content)?.relType !== 'm.replace' &&
    (edit.type === 'm.room.encrypted' || isJsonObject(edit.content['m.new_content']))
  );
}

function isLater(one: ClientEvent, other: ClientEvent): boolean {
  if (one.originServerTs !== other.originServerTs) return one.originServerTs > other.originServerTs;
  return one.eventId > other.eventId;
}

function latestEdit(parent: ClientEvent, children: readonly Seen[]): Seen | null {
  let latest: Seen | null = null;
  for (const child of children)
    if (isEditOf(parent, child.event) && (latest === null || isLater(child.event, latest.event)))
      latest = child;
  return latest;
}

/** Looks at each child: for whom does not see all of them. */
async function bundleOneByOne(
  services: ReadServices,
  viewer: Viewer,
  parent: ClientEvent,
  isThread: boolean,
): Promise<Bundle> {
  const { roomId, eventId: parentId } = parent;
  const range = { roomId, parentId, type: null, from: ROOM_START, to: ROOM_END };
  const read = async (relType: string): Promise<readonly Seen[]> => {
    const order = { direction: 'backward', isDeep: false } as const;
    const entries = await readRelated(services.db, { ...range, relType }, order, CHILDREN_LOOK_AT_MAX);
    const seen: Seen[] = [];
    for (const entry of entries) {
      const child = await findSeen(services, viewer, entry);
      if (child !== undefined && !viewer.ignored.has(child.event.sender)) seen.push(child);
    }
    return seen;
  };
  const replies = isThread ? await read('m.thread') : [];
  const references = await read('m.reference');
  const [latest] = replies;
  const hasReplied = replies.some(({ event }) => event.sender === viewer.caller.userId);
  return {
    edit: parent.redactedBy === null ? latestEdit(parent, await read('m.replace')) : null,
    thread: latest === undefined ? null : { latest, count: replies.length, hasReplied },
    references: references.map(({ event }) => event.eventId).toReversed(),
  };
}

/** The latest event of a thread that is of nobody whom the viewer ignores. */
async function latestOfThread(
  services: ReadServices,
  viewer: Viewer,
  parentId: string,
  relations: Relations,
): Promise<TimelineEntry | undefined> {
  const isIgnored = ({ sender }: { readonly sender: string }): boolean => viewer.ignored.has(sender);
  if (!relations.groups.some(isIgnored)) return relations.latestOfThread ?? undefined;
  const ignored = JSON.stringify([...viewer.ignored]);
  return services.db.find(findLatestOfThread, { parentId, ignored });
}

/** For whom has been in the room since before the first child came. Undefined: they do not see something all the same. */
async function bundleAtOnce(
  services: ReadServices,
  viewer: Viewer,
  parent: ClientEvent,
  relations: Relations,
): Promise<Bundle | undefined> {
  const counted = relations.groups.filter(({ sender }) => !viewer.ignored.has(sender));
  const inThread = relations.latestOfThread === null ? [] : counted.filter(isOfThread);
  const hasEdit = relations.edit !== null && parent.redactedBy === null && !viewer.ignored.has(parent.sender);
  const edit = hasEdit ? await findSeen(services, viewer, relations.edit) : null;
  const entry =
    inThread.length === 0 ? undefined : await latestOfThread(services, viewer, parent.eventId, relations);
  const latest = entry === undefined ? null : await findSeen(services, viewer, entry);
  if (edit === undefined || latest === undefined) return undefined;
  const count = inThread.reduce((sum, { children }) => sum + children, 0);
  const hasReplied = inThread.some(({ sender }) => sender === viewer.caller.userId);
  return {
    edit,
    thread: latest === null ? null : { latest, count, hasReplied },
    references: relations.references
      .filter(({ sender }) => !viewer.ignored.has(sender))
      .map(({ eventId }) => eventId),
  };
}

function isOfThread({ relType }: { readonly relType: string }): boolean {
  return relType === 'm.thread';
}

async function bundleOf(
  services: ReadServices,
  viewer: Viewer,
  parent: ClientEvent,
  relations: Relations | null,
): Promise<Bundle> {
  if (relations === null) return NOTHING;
  const { membership, since } = viewer.standing;
  const seesAll = membership === 'join' && relations.groups.every((group) => group.firstOrdering >= since);
  const whole = seesAll ? await bundleAtOnce(services, viewer, parent, relations) : undefined;
  return whole ?? bundleOneByOne(services, viewer, parent, relations.latestOfThread !== null);
}

async function textOf(
  services: ReadServices,
  viewer: Viewer,
  parent: ClientEvent,
  { edit, thread, references }: Bundle,
): Promise<string | undefined> {
  const { caller, includeRoomId } = viewer;
  if (edit === null && thread === null && references.length === 0) return undefined;
  const chunk = references.map((eventId) => ({ event_id: eventId }));
  const fields: (readonly [string, string | null])[] = [
    ['m.reference', chunk.length === 0 ? null : JSON.stringify({ chunk })],
  ];
  if (edit !== null) {
    const { event, membership } = edit;
    fields.push(['m.replace', await eventText(services, caller, event, { includeRoomId, membership })]);
  }
  if (thread !== null) {
    const { event, membership } = thread.latest;
    const relations = (await bundleTexts(services, viewer, [event])).get(event.eventId);
    const shown = { includeRoomId, membership, ...(relations !== undefined && { relations }) };
    const hasParticipated = thread.hasReplied || parent.sender === caller.userId;
    fields.push([
      'm.thread',
      objectText([
        ['latest_event', await eventText(services, caller, event, shown)],
        ['count', `${thread.count}`],
        ['current_user_participated', `${hasParticipated}`],
      ]),
    ]);
  }
  return objectText(fields);
}

/**
 * What relates to events of one room, summed up as `unsigned.m.relations` has it: the latest edit, the thread, the references. By event id;
 * absent for those that nothing relates to, and for state. What the viewer may not see, or is of somebody ignored, is not in it. It is as of
 * now: what comes later in the same answer may be in it already. Client-Server API v1.19, "Aggregations of child events".
 */
export async function bundleTexts(
  services: ReadServices,
  viewer: Viewer,
  events: readonly ClientEvent[],
): Promise<ReadonlyMap<string, string>> {
  const parents = events.filter(({ stateKey }) => stateKey === null);
  const ids = parents.map(({ eventId }) => eventId);
  const relations = ids.length === 0 ? [] : await services.cached.getMany(relationsCache, ids);
  const texts = new Map<string, string>();
  for (const [index, parent] of parents.entries()) {
    const bundle = await bundleOf(services, viewer, parent, relations[index] ?? null);
    const text = bundle === NOTHING ? undefined : await textOf(services, viewer, parent, bundle);
    if (text !== undefined) texts.set(parent.eventId, text);
  }
  return texts;
}
