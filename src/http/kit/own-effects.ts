import type { StreamMark } from '../../../actors/accounts/protocol.ts';
import type { StreamViews } from '../../streams/view.ts';

/**
 * Waits until this thread sees what a write has done, so that whoever reads the answer and asks again here finds it: a revoked token is
 * refused, a new name is shown.
 */
export async function seeOwnEffects(streams: StreamViews, marks: readonly StreamMark[]): Promise<void> {
  await Promise.all(marks.map(({ stream, position }) => streams.reached(stream, position)));
}
