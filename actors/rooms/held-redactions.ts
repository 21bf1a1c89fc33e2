import type { ReadDb } from '../../db/kit/read-db.ts';
import { type KnownEvent, readHeldRedactions } from '../../db/rooms/inbound-reader.ts';
import { type Pdu, redactsOf } from '../../src/matrix/events/pdu.ts';
import { relationOf } from '../../src/matrix/events/relation.ts';
import { domainOf } from '../../src/matrix/identifiers/domain.ts';
import { powerLevels } from '../../src/matrix/rooms/power-levels.ts';
import type { RoomVersion } from '../../src/matrix/rooms/room-versions.ts';
import { type Branch, type BranchDesk, loadBranch } from './branch-state.ts';
import { isRejected } from './judge-event.ts';

/** What a redaction does when it comes. */
export interface RedactionEffect {
  /** What it redacts; null: it names nothing, or nothing that it may redact. */
  readonly targetId: string | null;
  /** It is applied now. */
  readonly isApplied: boolean;
  /** What the event that it redacts now relates to; null for nothing. */
  readonly parentOfTarget: string | null;
  /** It is applied when its target comes. */
  readonly isWaiting: boolean;
  /** Why no client may see it meanwhile, or ever; null: they may. */
  readonly heldFor: string | null;
}

/** A redaction, with the state at which its sender's level counts. */
export interface Redaction {
  readonly pdu: Pdu;
  readonly before: Branch;
}

/** True for an event that redacts others. */
export function isRedaction(pdu: Pdu): boolean {
  return pdu.type === 'm.room.redaction' && pdu.state_key === undefined;
}

/**
 * Whether a redaction may redact an event that is known: users those of their own server, and others with the room's redact level.
 * Up to room version 2 the authorisation rules have decided that. Each room version, "Handling redactions".
 */
async function mayRedact(
  db: ReadDb,
  version: RoomVersion,
  { pdu, before }: Redaction,
  target: Pdu,
): Promise<boolean> {
  if (target.type === 'm.room.create') return false;
  if (version.redactionAuthRule || domainOf(pdu.sender) === domainOf(target.sender)) return true;
  const places = ['m.room.create', 'm.room.power_levels'].map((type) => ({ type, stateKey: '' }));
  const state = await loadBranch(db, version, before, places);
  const create = state.find('m.room.create', '');
  if (create === undefined) return false;
  const levels = powerLevels(version, create, state.find('m.room.power_levels', ''));
  return levels.ofUser(pdu.sender) >= levels.redact;
}

/** What a redaction does, now that it is allowed as an event. */
export async function effectOf(
  { db, known }: Pick<BranchDesk, 'db' | 'known'>,
  version: RoomVersion,
  roomId: string,
  redaction: Redaction,
): Promise<RedactionEffect> {
  const isShown = version.redactionAuthRule;
  const held = (reason: string, waitsFor: string | null): RedactionEffect => ({
    targetId: waitsFor,
    isApplied: false,
    parentOfTarget: null,
    isWaiting: waitsFor !== null,
    heldFor: isShown ? null : reason,
  });
  const targetId = redactsOf(version, redaction.pdu);
  if (targetId === undefined) return held('it names no event', null);
  const target = (await known([targetId])).get(targetId);
  if (target === undefined || isRejected(target.rejection)) return held(`${targetId} is not known`, targetId);
  if (target.roomId !== roomId) return held(`${targetId} is of another room`, null);
  const targetPdu = JSON.parse(target.pdu) as Pdu;
  if (!(await mayRedact(db, version, redaction, targetPdu)))
    return held(`${redaction.pdu.sender} may not redact ${targetId}`, null);
  const parentOfTarget = relationOf(targetPdu.content)?.parentId ?? null;
  return { targetId, isApplied: !target.isRedacted, parentOfTarget, isWaiting: false, heldFor: null };
}

/** A redaction that waited for the event that has come now. */
export interface ReleasedRedaction {
  readonly eventId: string;
  readonly pdu: Pdu;
  /** It was hidden, and may be seen from here on. */
  readonly isRevealed: boolean;
}

/** Of the redactions that waited for an event, those that may redact it, the oldest first. The others are held for ever. */
export async function findReleased(
  db: ReadDb,
  version: RoomVersion,
  roomId: string,
  target: { readonly eventId: string; readonly pdu: Pdu },
): Promise<readonly ReleasedRedaction[]> {
  const released: ReleasedRedaction[] = [];
  for (const held of await readHeldRedactions(db, target.eventId)) {
    const pdu = JSON.parse(held.pdu) as Pdu;
    if (held.roomId !== roomId || !isOpen(held)) continue;
    const before = { stateGroup: held.stateGroup, changes: [] };
    if (!(await mayRedact(db, version, { pdu, before }, target.pdu))) continue;
    released.push({ eventId: held.eventId, pdu, isRevealed: held.rejection !== null });
  }
  return released;
}

function isOpen({ rejection }: KnownEvent): boolean {
  return rejection === null || rejection.startsWith('held');
}
