import { type ClosableReadDb, openReadDb } from '../../db/kit/read-connections.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { createMetricBuffer, createSlabMetrics } from '../kit/metric-slab.ts';

/** Opens a database for a command to read; nobody looks at the figures. */
export function openForCommand(
  path: string,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): ClosableReadDb {
  return openReadDb(path, { metrics: createSlabMetrics(createMetricBuffer()), clock, log });
}
