import type { ReadDb } from '../../db/kit/read-db.ts';
import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { findRoomClosure } from '../../db/rooms/blocked-room-reader.ts';
import { storeBlock } from '../../db/rooms/deletion-writer.ts';
import type { Clock } from '../../src/kit/clock.ts';
import type { Config } from '../../src/config/config.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { RoomsProtocol } from './protocol.ts';

type Action = InputOf<RoomsProtocol, 'rooms.change-membership'>['action'];

/** Ways into a room; the others lead out. */
const ENTERING: ReadonlySet<Action> = new Set(['join', 'invite', 'knock']);

/** Refuses with M_FORBIDDEN what would bring somebody into a blocked room, and for a while into one that is being deleted. */
export async function refuseClosed(db: ReadDb, roomId: string): Promise<Refusal | undefined> {
  const closure = await findRoomClosure(db, roomId);
  if (closure === undefined) return undefined;
  return closure.kind === 'blocked'
    ? refuse('M_FORBIDDEN', 'This room has been blocked on this server.')
    : refuse('M_UNKNOWN', 'This room is being deleted on this server: try again later.', { status: 503 });
}

/** Makes a handler that brings somebody into a room refuse rooms that are closed. */
export function unlessClosed<Input extends { readonly roomId: string }, Output>(
  db: ReadDb,
  handler: (input: Input) => Output | Promise<Output>,
): (input: Input) => Promise<Output | Refusal> {
  return async (input) => (await refuseClosed(db, input.roomId)) ?? handler(input);
}

/** The same for changes of a membership, most of which lead out or change nothing: only ways in are looked at. */
export function unlessEnteringClosed<Input extends InputOf<RoomsProtocol, 'rooms.change-membership'>, Output>(
  db: ReadDb,
  handler: (input: Input) => Output | Promise<Output>,
): (input: Input) => Output | Promise<Output | Refusal> {
  const guarded = unlessClosed(db, handler);
  return (input) => (ENTERING.has(input.action) ? guarded(input) : handler(input));
}

/**
 * Blocks a room, whether it is known or not, or lets people in again; once more does no harm.
 *
 * @param write a write that advances no stream
 */
export async function blockRoom(
  desk: {
    readonly clock: Clock;
    readonly config: Pick<Config, 'server'>;
    readonly write: (steps: readonly WriteStep[]) => Promise<WriteOutcome>;
  },
  { roomId, isBlocked, requestedBy }: InputOf<RoomsProtocol, 'rooms.block-room'>,
): Promise<OutputOf<RoomsProtocol, 'rooms.block-room'>> {
  const outcome = await desk.write([storeBlock(roomId, isBlocked, requestedBy, desk.clock.now())]);
  if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, desk.config);
  if (outcome.kind === 'refused') throw new Error(`a block has no guard, yet ${outcome.refusal}`);
  return { kind: 'stored' };
}
