import type { ReadDb } from '../../db/kit/read-db.ts';
import { type KnownEvent, readKnownEvents } from '../../db/rooms/inbound-reader.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { type AuthCandidate, candidateOf, deciderIds, judgeAtAuthEvents } from './judge-event.ts';
import { betterCopy, type ReceivedPdu } from './received-pdu.ts';

/** Events that one query looks up. */
const LOOKED_UP_AT_ONCE = 500;

/** The room of events outside of its timeline; it need not be stored yet. */
export interface OutlierRoom {
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Of its create event, where that is known. */
  readonly createId?: string;
}

/** An event outside of the timeline, and what becomes of it. */
export interface JudgedOutlier {
  readonly event: ReceivedPdu;
  /** Null: it is not stored yet. */
  readonly known: KnownEvent | null;
  /** `known`: it was decided about before. `missing`: its auth events are not known. */
  readonly outcome: 'accepted' | 'rejected' | 'missing' | 'known';
  /** What is stored as its rejection; null for an accepted event. */
  readonly rejection: string | null;
  /** The auth events that it waits for. */
  readonly missing: readonly string[];
}

async function readAll(db: ReadDb, eventIds: ReadonlySet<string>): Promise<ReadonlyMap<string, KnownEvent>> {
  const ids = [...eventIds];
  const found = new Map<string, KnownEvent>();
  for (let start = 0; start < ids.length; start += LOOKED_UP_AT_ONCE) {
    const some = await readKnownEvents(db, ids.slice(start, start + LOOKED_UP_AT_ONCE));
    for (const [id, event] of some) found.set(id, event);
  }
  return found;
}

/** Those that decide about others come before them; of events that name each other (versions 1 and 2) any comes first. */
export function inOrder<T extends { readonly eventId: string }>(
  events: ReadonlyMap<string, T>,
  decidersOf: (event: T) => readonly string[],
): readonly T[] {
  const ordered: T[] = [];
  const begun = new Set<string>();
  for (const first of events.values()) {
    const stack = [{ event: first, isDone: false }];
    for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
      const { event, isDone } = top;
      if (isDone) {
        ordered.push(event);
        continue;
      }
      if (begun.has(event.eventId)) continue;
      begun.add(event.eventId);
      stack.push({ event, isDone: true });
      for (const id of decidersOf(event)) {
        const decider = events.get(id);
        if (decider !== undefined && !begun.has(id)) stack.push({ event: decider, isDone: false });
      }
    }
  }
  return ordered;
}

/**
 * Judges events by their auth events alone, in whatever order they come; each may be an auth event of others among them. Nothing is
 * written. An event that is in the room's graph is never judged here: it counts as known.
 *
 * @returns in an order in which each comes after those that decide about it
 */
export async function judgeOutliers(
  db: ReadDb,
  room: OutlierRoom,
  events: readonly ReceivedPdu[],
): Promise<readonly JudgedOutlier[]> {
  const { roomId, version, createId } = room;
  const byId = new Map(events.map((event) => [event.eventId, event]));
  const decidersOf = ({ eventId, pdu }: ReceivedPdu): readonly string[] =>
    deciderIds(version, { eventId, roomId, pdu });
  const wanted = new Set(byId.keys());
  for (const event of byId.values()) for (const id of decidersOf(event)) wanted.add(id);
  const stored = await readAll(db, wanted);
  const candidates = new Map<string, AuthCandidate>();
  const find = (eventId: string): AuthCandidate | undefined => {
    const known = stored.get(eventId);
    const candidate = candidates.get(eventId) ?? (known && candidateOf(version, known));
    if (candidate !== undefined) candidates.set(eventId, candidate);
    return candidate;
  };
  const judge = (event: ReceivedPdu): JudgedOutlier => {
    const known = stored.get(event.eventId) ?? null;
    const isDecided = known !== null && (!known.isWaiting || known.stateGroup !== null);
    if (isDecided) return { event, known, outcome: 'known', rejection: known.rejection, missing: [] };
    const copy = known === null ? event : betterCopy(version, event, known.pdu);
    const { eventId, pdu } = copy;
    const verdict = judgeAtAuthEvents(version, { eventId, roomId, pdu }, createId, find);
    const standings = { allowed: 'accepted', rejected: 'rejected', missing: 'waiting' } as const;
    candidates.set(eventId, { roomId, pdu, standing: standings[verdict.kind] });
    const outlier = { event: copy, known };
    if (verdict.kind === 'allowed') return { ...outlier, outcome: 'accepted', rejection: null, missing: [] };
    if (verdict.kind === 'rejected')
      return { ...outlier, outcome: 'rejected', rejection: `rejected: ${verdict.reason}`, missing: [] };
    const missing = [...new Set(verdict.eventIds)];
    const rejection = `rejected: auth events are not known: ${missing.join(', ')}`;
    return { ...outlier, outcome: 'missing', rejection, missing };
  };
  return inOrder(byId, decidersOf).map(judge);
}
