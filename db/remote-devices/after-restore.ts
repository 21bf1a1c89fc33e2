import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

export const makeAllStale = defineQuery<Record<never, never>>({
  name: 'remote-devices.make-all-stale',
  sql: 'UPDATE remote_device_lists SET is_stale = 1',
  // Once, while no server runs.
  scans: ['remote_device_lists'],
});

/** The step that lets every list be asked for again: changes that came since the backup are lost, and nobody sends them twice. */
export function distrustLists(): WriteStep[] {
  return [step(makeAllStale, {})];
}
