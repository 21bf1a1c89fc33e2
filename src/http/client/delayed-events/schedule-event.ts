import type { EventProposal } from '../../../../actors/rooms/protocol.ts';
import { isRefusal, type Refusal } from '../../../matrix/refusal.ts';
import type { Caller } from '../../kit/endpoint.ts';
import type { Services } from '../../kit/services.ts';
import { checkGuestAccess } from '../membership/guest-access.ts';
import { checkDelay, type DelayForm } from './delay-param.ts';

/** What an endpoint needs that schedules events. */
export type SchedulingServices = Pick<Services, 'config' | 'db' | 'delayed-events'>;

/** What is asked for. */
export interface DelayRequest {
  readonly caller: Pick<Caller, 'userId' | 'deviceId' | 'isGuest'>;
  readonly roomId: string;
  readonly event: EventProposal;
  readonly delayMs: number;
  readonly form: DelayForm;
  /** `path`: the endpoint's without the transaction id. */
  readonly transaction: { readonly path: string; readonly txnId: string } | null;
}

/**
 * Has an event sent later. Whether its sender may send it is asked when it is sent. MSC4140.
 *
 * @returns the body of the answer; refused as {@link checkDelay}, and as `delayed-events.schedule`
 */
export async function scheduleEvent(
  services: SchedulingServices,
  { caller, roomId, event, delayMs, form, transaction }: DelayRequest,
): Promise<{ readonly delay_id: string } | Refusal> {
  const tooLong = checkDelay(services.config, delayMs, form);
  if (tooLong !== undefined) return tooLong;
  if (caller.isGuest && event.type === 'm.room.member') {
    const refused = await checkGuestAccess(services.db, roomId);
    if (refused !== undefined) return refused;
  }
  const { userId, deviceId } = caller;
  const scheduled = await services['delayed-events'].ask('delayed-events.schedule', {
    userId,
    deviceId,
    roomId,
    event,
    delayMs,
    transaction,
  });
  return isRefusal(scheduled) ? scheduled : { delay_id: scheduled.delayId };
}
