import { Type } from 'typebox';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { ReadServices } from '../../../sync/sync-services.ts';
import { findVisibleEvent } from '../rooms/find-visible-event.ts';

/** The parameters of a path that names a thread. */
export const THREAD_PARAMS = Type.Object({ roomId: Type.String(), rootId: Type.String() });

/**
 * Refuses a thread that there is not, or whose first event the user may not see: which of the two is nobody's business. Any message may begin a
 * thread.
 *
 * @returns a refusal: 404 M_NOT_FOUND; undefined when the thread is there
 */
export async function refuseUnknownThread(
  services: ReadServices,
  userId: string,
  { roomId, rootId }: { readonly roomId: string; readonly rootId: string },
): Promise<Refusal | undefined> {
  const root = await findVisibleEvent(services, userId, roomId, rootId);
  return root === undefined
    ? refuse('M_NOT_FOUND', 'There is no such thread, or you may not see it.')
    : undefined;
}
