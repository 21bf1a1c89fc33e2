import { findPurgeEvent } from '../../db/rooms/purge-reader.ts';
import type { JsonObject } from '../../src/kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import type { InputOf } from '../kit/protocol.ts';
import { AskFailed } from '../kit/ref.ts';
import type { Purged } from '../rooms/protocol.ts';
import type { InspectorProtocol } from './protocol.ts';

/** How long a purge may take before nobody waits for its end any more; it goes on all the same. */
export const PURGE_DEADLINE_MS = 60 * 60 * 1000;

async function answer(purge: Promise<Purged | Refusal>): Promise<JsonObject | Refusal> {
  try {
    const purged = await purge;
    if (isRefusal(purged)) return purged;
    const { kind: _, ...figures } = purged;
    return figures;
  } catch (error) {
    if (!(error instanceof AskFailed)) throw error;
    return refuse('M_UNKNOWN', `${error.message}: ask again, and it goes on`, { status: 503 });
  }
}

/** Deletes the history of a room for who looks into the server. */
export async function purgeRoom(
  context: Pick<TroupeContext, 'env' | 'ref'>,
  input: InputOf<InspectorProtocol, 'inspector.purge-room'>,
): Promise<JsonObject | Refusal> {
  const { roomId, deleteLocalEvents, beforeEventId, beforeTs } = input;
  const event = beforeEventId ?? (await findPurgeEvent(context.env.db, roomId, beforeTs));
  if (event === undefined) return refuse('M_NOT_FOUND', `there is no event in ${roomId} to purge before`);
  const request = { roomId, beforeEventId: event, deleteLocalEvents };
  return answer(context.ref('rooms').ask('rooms.purge-history', request, { deadlineMs: PURGE_DEADLINE_MS }));
}

/** Deletes a room for who looks into the server. */
export function deleteRoom(
  context: Pick<TroupeContext, 'ref'>,
  input: InputOf<InspectorProtocol, 'inspector.delete-room'>,
): Promise<JsonObject | Refusal> {
  return answer(context.ref('rooms').ask('rooms.delete-room', input, { deadlineMs: PURGE_DEADLINE_MS }));
}
