import { type AppliedRedaction, readAppliedBy, readAppliedTo } from '../../db/rooms/completion-reader.ts';
import { releaseOne, undoStoredRedaction } from '../../db/rooms/completion-writer.ts';
import { holdStoredRedaction, redactStoredEvent } from '../../db/rooms/inbound-writer.ts';
import { storeRelation } from '../../db/rooms/relation-writer.ts';
import type { WriteStep } from '../../db/kit/write-set.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { effectOf } from './held-redactions.ts';
import type { RoomsDesk } from './rooms-desk.ts';
import type { WholeWorld } from './whole-world.ts';

/** What becomes of redactions, and of what they redact, when a room is whole. */
export interface RedactionOutcome {
  /** Why clients may not see a redaction that is allowed as an event, by its id. */
  readonly held: ReadonlyMap<string, string>;
  /** What is redacted from here on, by the id of the redaction. */
  readonly redacted: ReadonlyMap<string, { readonly targetId: string; readonly parentId: string | null }>;
  /** After the events are what they are from here on. */
  readonly steps: readonly WriteStep[];
}

interface Effects {
  readonly held: Map<string, string>;
  /** What each redaction of those that came since may redact, and what that relates to, in order. */
  readonly wanted: readonly {
    readonly targetId: string;
    readonly redactionId: string;
    readonly parentId: string | null;
  }[];
  readonly steps: WriteStep[];
}

async function findEffects(
  desk: Pick<RoomsDesk, 'db'>,
  world: WholeWorld,
  room: { readonly roomId: string; readonly version: RoomVersion },
): Promise<Effects> {
  const held = new Map<string, string>();
  const wanted: Effects['wanted'][number][] = [];
  const steps: WriteStep[] = [];
  const parts = { db: desk.db, known: world.known };
  for (const { eventId, redaction } of world.events.values()) {
    if (redaction === null) continue;
    const effect = await effectOf(parts, room.version, room.roomId, redaction);
    const { targetId, isWaiting, heldFor, parentOfTarget: parentId } = effect;
    if (heldFor !== null) held.set(eventId, `held: ${heldFor}`);
    if (targetId === null) continue;
    if (isWaiting) steps.push(holdStoredRedaction(eventId, targetId));
    else wanted.push({ targetId, redactionId: eventId, parentId });
  }
  return { held, wanted, steps };
}

/**
 * Finds out which redactions count, now that it is known which of them are allowed: of those that came while the room was not whole the first one that
 * may, unless an earlier one did already.
 */
export async function settleRedactions(
  desk: Pick<RoomsDesk, 'db'>,
  world: WholeWorld,
  room: { readonly roomId: string; readonly version: RoomVersion },
): Promise<RedactionOutcome> {
  const { held, wanted, steps } = await findEffects(desk, world, room);
  const own = [...world.events.keys()];
  const pairs = (applied: readonly AppliedRedaction[]): (readonly [string, string])[] =>
    applied.map(({ targetId, redactionId }) => [targetId, redactionId]);
  const before = new Map([
    ...pairs(await readAppliedBy(desk.db, own)),
    ...pairs(
      await readAppliedTo(
        desk.db,
        wanted.map(({ targetId }) => targetId),
      ),
    ),
  ]);
  const isOwn = (redactionId: string | undefined): boolean =>
    redactionId !== undefined && world.events.has(redactionId);
  const first = new Map<string, Effects['wanted'][number]>();
  for (const one of wanted) if (!first.has(one.targetId)) first.set(one.targetId, one);
  for (const [targetId, redactionId] of before) {
    if (!isOwn(redactionId) || first.get(targetId)?.redactionId === redactionId) continue;
    steps.push(undoStoredRedaction(targetId), storeRelation(targetId));
  }
  const redacted = new Map<string, { readonly targetId: string; readonly parentId: string | null }>();
  for (const { targetId, redactionId, parentId } of first.values()) {
    const standing = before.get(targetId);
    if (standing === redactionId || (standing !== undefined && !isOwn(standing))) continue;
    steps.push(...redactStoredEvent(targetId, redactionId));
    redacted.set(redactionId, { targetId, parentId });
  }
  // Who waited for its target and is not allowed, or has found it, waits no more.
  for (const { eventId, isRedaction } of world.events.values())
    if (isRedaction && !held.has(eventId)) steps.unshift(releaseOne(eventId));
  return { held, redacted, steps };
}
