import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { updateIsPublic } from '../../db/rooms/alias-writer.ts';
import { step } from '../../db/kit/write-set.ts';
import { type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { powerLevels } from '../../src/matrix/rooms/power-levels.ts';
import type { Fact } from '../../src/streams/fact.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { AskFailed } from '../kit/ref.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import { findMembership } from './change-membership.ts';
import type { RoomsProtocol } from './protocol.ts';
import type { Room } from './room-memory.ts';
import { type RoomsDesk, withRoom } from './rooms-desk.ts';

type SetVisibility = InputOf<RoomsProtocol, 'rooms.set-visibility'>;
type VisibilitySet = OutputOf<RoomsProtocol, 'rooms.set-visibility'>;

/** How long the caches actor has to tell all threads, in milliseconds. */
const PUBLISH_DEADLINE_MS = 5_000;

const CREATE = { type: 'm.room.create', stateKey: '' };
const POWER_LEVELS = { type: 'm.room.power_levels', stateKey: '' };
/** Whoever may say by which name the room goes in public may say whether it does. */
const ALIAS_TYPE = 'm.room.canonical_alias';

async function mayPublish(room: Room, userId: string): Promise<boolean> {
  if ((await findMembership(room, userId)) !== 'join') return false;
  await room.state.load([CREATE, POWER_LEVELS]);
  const create = room.state.find(CREATE.type, CREATE.stateKey);
  if (create === undefined) return false;
  const levels = powerLevels(room.version, create, room.state.find(POWER_LEVELS.type, POWER_LEVELS.stateKey));
  return levels.ofUser(userId) >= levels.forEvent(ALIAS_TYPE, true);
}

/** Tells all threads. When that cannot be waited for, they are told all the same. */
async function publish(context: TroupeContext, facts: readonly Fact[]): Promise<number | null> {
  const caches = context.ref('caches');
  try {
    const { position } = await caches.ask('caches.publish', { facts }, { deadlineMs: PUBLISH_DEADLINE_MS });
    return position;
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    caches.tell('caches.invalidate', { facts });
    return null;
  }
}

function unknownRoom(): Refusal {
  return refuse('M_NOT_FOUND', 'this server is not in such a room');
}

/**
 * Puts a room into the public directory, or takes it out. Client-Server API v1.19, `PUT /directory/list/room/{roomId}`.
 *
 * @param write a write that advances no stream
 */
export function setVisibility(
  context: TroupeContext,
  desk: RoomsDesk,
  write: (steps: readonly WriteStep[]) => Promise<WriteOutcome>,
  { roomId, sender, isAdmin, isPublic }: SetVisibility,
): Promise<VisibilitySet> {
  return withRoom<VisibilitySet>(desk, roomId, unknownRoom, async (room) => {
    if (!isAdmin && !(await mayPublish(room, sender)))
      return refuse('M_FORBIDDEN', 'you may not decide whether this room stands in the public directory');
    const outcome = await write([
      step(updateIsPublic, { roomNid: room.roomNid, isPublic: isPublic ? 1 : 0 }),
    ]);
    if (outcome.kind === 'unavailable') return unavailableRefusal(outcome, context.env.config);
    if (outcome.kind === 'refused') throw new Error(`visibility has no guard, yet ${outcome.refusal}`);
    const position = await publish(context, [{ fact: 'room-listing', roomId }]);
    return { kind: 'set', position };
  });
}
