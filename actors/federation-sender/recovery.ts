import { LRUCache } from 'lru-cache';
import { findNewestEvent, type OwnEvent, readOwnEvents } from '../../db/federation-sender/event-reader.ts';
import { findDestination, findProgress } from '../../db/federation-sender/reader.ts';
import { replaceProgress } from '../../db/federation-sender/writer.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { step } from '../../db/kit/write-set.ts';
import { readEvents } from '../../db/rooms/event-reader.ts';
import { readStateOfGroup } from '../../db/rooms/state-reader.ts';
import { hostsInRoom } from '../../src/federation/hosts-in-room.ts';
import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { cached } from '../cached.ts';
import { commit } from '../commit.ts';
import type { TroupeContext } from '../environment.ts';
import { addEvent } from './destination.ts';
import type { SenderDesk } from './sender-desk.ts';

const EVENTS_PER_PAGE = 500;
/** States whose servers are remembered. */
const STATES_MAX = 100;

/** The servers of a state's joined members. */
async function readHostsOfState(db: ReadDb, stateGroup: number): Promise<readonly string[]> {
  const state = await readStateOfGroup(db, stateGroup);
  const members = state.filter(({ type }) => type === 'm.room.member');
  const events = await readEvents(
    db,
    members.map(({ eventId }) => eventId),
  );
  return members.flatMap(({ stateKey, eventId }) => {
    const { content } = JSON.parse(events.get(eventId)?.pdu ?? '{}') as JsonObject;
    const isJoined = isJsonObject(content) && content['membership'] === 'join';
    const host = domainOf(stateKey);
    return isJoined && host !== undefined ? [host] : [];
  });
}

/**
 * Who was to have an event: those that were in the room after it, and whoever it put out; not whoever gave it to this server. Who came later may not
 * be meant to see it.
 */
async function hostsFor(
  context: TroupeContext,
  hostsOfState: (stateGroup: number) => Promise<readonly string[]>,
  event: OwnEvent,
): Promise<ReadonlySet<string>> {
  const { roomId, memberId, membership, stateGroup, isRelayed, sender } = event;
  const present = await cached(context).get(hostsInRoom, roomId);
  // Where nobody else is, as a rule nobody else was; a room that this server has left is not known to have anybody.
  const isAlone = present.length === 1;
  const hosts = isAlone || stateGroup === null ? [] : await hostsOfState(stateGroup);
  const isRemoval = membership === 'leave' || membership === 'ban';
  const removed = isRemoval && memberId !== null ? domainOf(memberId) : undefined;
  const all = new Set(removed === undefined ? hosts : [...hosts, removed]);
  const giver = isRelayed === 1 ? domainOf(sender) : undefined;
  if (giver !== undefined) all.delete(giver);
  return all;
}

/**
 * Finds in the database the events of ours, and those that came through us, that were not sent, and not noted as unsent, when the last life ended,
 * or the queue's. Before the first start nothing is to be found: what happens from then on is. Nothing is sent meanwhile.
 */
export async function recoverEvents(desk: SenderDesk): Promise<void> {
  const { context } = desk;
  const { db } = context.env;
  let after = await findProgress(db);
  if (after === undefined) {
    const eventsUpTo = await findNewestEvent(db);
    await commit(context, [step(replaceProgress, { eventsUpTo })]);
    return;
  }
  const sentUpTo = new Map<string, number>();
  const hosts = new LRUCache<number, readonly string[]>({ max: STATES_MAX });
  // One after another, and most of them after one state.
  const hostsOfState = async (stateGroup: number): Promise<readonly string[]> => {
    const found = hosts.get(stateGroup) ?? (await readHostsOfState(db, stateGroup));
    hosts.set(stateGroup, found);
    return found;
  };
  for (let isMore = true; isMore && !context.ended.aborted;) {
    // Each page begins where the one before ended.
    const events: readonly OwnEvent[] = await readOwnEvents(db, after, EVENTS_PER_PAGE);
    for (const event of events)
      for (const host of await hostsFor(context, hostsOfState, event)) {
        const known =
          sentUpTo.get(host) ??
          Math.max(
            (await findDestination(db, host))?.eventsSentUpTo ?? 0,
            desk.destinations.get(host)?.sentUpTo ?? 0,
          );
        sentUpTo.set(host, known);
        const destination = event.eventNid > known ? desk.destination(host) : undefined;
        if (destination !== undefined) addEvent(destination, event.eventNid, event.roomId);
      }
    after = events.at(-1)?.eventNid ?? after;
    isMore = events.length === EVENTS_PER_PAGE;
  }
}
