import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { deleteAlias as deleteSteps, storeAlias } from '../../db/rooms/alias-writer.ts';
import { findAlias, findRoom, readRoomAliases } from '../../db/rooms/room-reader.ts';
import { storeEvent } from '../../db/rooms/writer.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { withoutAlias } from '../../src/matrix/rooms/upgrade.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { findMembership } from './change-membership.ts';
import { aliasFacts, rowOf, writeOf } from './commit-events.ts';
import type { RoomsProtocol } from './protocol.ts';
import { draftOf } from './room-draft.ts';
import type { Room } from './room-memory.ts';
import { signTogether } from './room-policy.ts';
import { loadFor, notInRoom, type RoomsDesk, withRoom } from './rooms-desk.ts';
import { type StagedEvent, stageEvent } from './stage-event.ts';

type SetAlias = InputOf<RoomsProtocol, 'rooms.set-alias'>;
type AliasSet = OutputOf<RoomsProtocol, 'rooms.set-alias'>;
type DeleteAlias = InputOf<RoomsProtocol, 'rooms.delete-alias'>;
type AliasDeleted = OutputOf<RoomsProtocol, 'rooms.delete-alias'>;

/** A write that advances no stream. */
type Write = (steps: readonly WriteStep[]) => Promise<WriteOutcome>;

/** Aliases of this server that one room may have. */
export const ALIASES_MAX = 1_000;

function isTaken(alias: string): Refusal {
  return refuse('M_UNKNOWN', `there is an alias ${alias} already`, { status: 409 });
}

/** Points a new alias at a room. Client-Server API v1.19, `PUT /directory/room/{roomAlias}`. */
export function setAlias(
  context: TroupeContext,
  desk: RoomsDesk,
  write: Write,
  { roomId, alias, sender }: SetAlias,
): Promise<AliasSet> {
  return withRoom<AliasSet>(desk, roomId, notInRoom, async (room) => {
    if ((await findMembership(room, sender)) !== 'join') return notInRoom();
    if ((await findAlias(desk.db, alias)) !== undefined) return isTaken(alias);
    if ((await readRoomAliases(desk.db, roomId)).length >= ALIASES_MAX)
      return refuse('M_FORBIDDEN', `a room has at most ${ALIASES_MAX} aliases`);
    const outcome = await write(storeAlias(room.roomNid, alias, sender));
    if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
    if (outcome.kind === 'refused') return isTaken(alias);
    context.ref('caches').tell('caches.invalidate', { facts: aliasFacts([alias]) });
    return { kind: 'set' };
  });
}

/** The room's canonical alias event without the alias, staged on a draft; a refusal: the sender may not send it. */
async function stageCanonicalAlias(
  desk: RoomsDesk,
  room: Room,
  { alias, sender }: DeleteAlias,
): Promise<{ readonly event: StagedEvent; readonly isNeeded: boolean } | Refusal> {
  const key = { type: 'm.room.canonical_alias', stateKey: '' };
  await room.state.load([key]);
  const standing = room.state.find(key.type, key.stateKey)?.content ?? {};
  const content = withoutAlias(standing, alias);
  const proposal = { sender, ...key, content: content ?? standing, originServerTs: desk.clock.now() };
  await loadFor(room, proposal);
  // What is not needed is staged to see whether the sender may: it comes to nothing.
  const place = { committed: Promise.resolve(0), offset: 0 };
  const event = stageEvent(draftOf(room), proposal, place, desk.stage);
  return isRefusal(event) ? event : { event, isNeeded: content !== null };
}

/** The event as the room's policy server lets it be sent; none where it does not. */
async function signedOrNone(
  desk: RoomsDesk,
  room: Room,
  event: StagedEvent,
): Promise<readonly StagedEvent[]> {
  const signed = await signTogether(desk.policy, room, [event]);
  return isRefusal(signed) ? [] : signed;
}

/** Takes an alias away from a room that this server knows, with the sender's right to it already decided. */
async function deleteAlone(
  context: TroupeContext,
  write: Write,
  steps: readonly WriteStep[],
  alias: string,
): Promise<AliasDeleted> {
  const outcome = await write(steps);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
  if (outcome.kind === 'refused') return pointsElsewhere(alias);
  context.ref('caches').tell('caches.invalidate', { facts: aliasFacts([alias]) });
  return { kind: 'deleted', position: null };
}

function pointsElsewhere(alias: string): Refusal {
  return refuse('M_NOT_FOUND', `there is no alias ${alias} of this room`);
}

/**
 * Takes an alias away. Client-Server API v1.19, `DELETE /directory/room/{roomAlias}`: it succeeds also where the canonical alias event
 * cannot be changed.
 */
export async function deleteAlias(
  context: TroupeContext,
  desk: RoomsDesk,
  write: Write,
  input: DeleteAlias,
): Promise<AliasDeleted> {
  const { roomId, alias, sender, isAdmin } = input;
  const [found, record] = [await findAlias(desk.db, alias), await findRoom(desk.db, roomId)];
  if (record === undefined || found?.roomId !== roomId) return pointsElsewhere(alias);
  const isOwn = isAdmin || found.creator === sender;
  const steps = deleteSteps(record.roomNid, alias);
  const alone = (): Promise<AliasDeleted> | Refusal =>
    isOwn
      ? deleteAlone(context, write, steps, alias)
      : refuse('M_FORBIDDEN', 'the alias is not yours, and you may not change the aliases of its room');
  return withRoom<AliasDeleted>(desk, roomId, alone, async (room) => {
    const canonical = await stageCanonicalAlias(desk, room, input);
    if (isRefusal(canonical)) return alone();
    if (!canonical.isNeeded) return deleteAlone(context, write, steps, alias);
    const [event] = await signedOrNone(desk, room, canonical.event);
    if (event === undefined) return alone();
    const effects = { redacts: null, transaction: null };
    const position = await desk.commit({
      roomId,
      rows: [rowOf(event, null)],
      steps: [...storeEvent(writeOf(event, effects, desk.serverName), 0), ...steps],
      isOurs: true,
      facts: aliasFacts([alias]),
    });
    desk.rooms.discard(room);
    return isRefusal(position) ? position : { kind: 'deleted', position };
  });
}
