import { defineQuery } from '../kit/query.ts';
import { step, type WriteStep } from '../kit/write-set.ts';

export const passAllPushers = defineQuery<{ readonly place: number }>({
  name: 'push.pass-all-pushers',
  sql: 'UPDATE pushers SET place = max(place, CAST(:place AS INTEGER))',
  // Once, while no server runs.
  scans: ['pushers'],
});

/**
 * The step that lets nobody be notified of what was there before a restore: they have been.
 *
 * @param place on the events stream
 */
export function passPushers(place: number): WriteStep[] {
  return [step(passAllPushers, { place })];
}
