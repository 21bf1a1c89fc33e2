import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

export const forgetSentDeviceLists = defineQuery<Record<never, never>>({
  name: 'federation-sender.forget-sent-device-lists',
  sql: 'DELETE FROM sent_device_lists',
  // Once, while no server runs.
  scans: ['sent_device_lists'],
});

/**
 * The steps that let the next change of each user's devices follow nothing: other servers have seen newer ones than we know of, and fetch the
 * whole list then. Server-Server API v1.19, `m.device_list_update`, `prev_id`.
 */
export function forgetSent(): WriteStep[] {
  return [step(forgetSentDeviceLists, {})];
}
