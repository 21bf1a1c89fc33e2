import type { DelayedAction } from '../../../../actors/delayed-events/protocol.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { Services } from '../../kit/services.ts';

/** What an endpoint needs that manages delayed events. */
export const MANAGING_NEEDS = ['delayed-events', 'streams'] as const;

/** Sends, cancels or restarts a delayed event for whoever knows its id. MSC4140, "Managing scheduled delayed events". */
export async function manageEvent(
  services: Pick<Services, (typeof MANAGING_NEEDS)[number]>,
  delayId: string,
  action: DelayedAction,
): Promise<Record<string, never> | Refusal> {
  const managed = await services['delayed-events'].ask('delayed-events.manage', { delayId, action });
  if (isRefusal(managed)) return managed;
  if (managed.position !== null) await services.streams.reached('events', managed.position);
  return {};
}
