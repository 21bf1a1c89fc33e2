import { type ClosableReadDb, openReadDb } from '../../db/kit/read-connections.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { systemClock } from '../../src/kit/clock.ts';
import { silentLogger } from '../../src/kit/logger.ts';
import { createMetricBuffer, createSlabMetrics } from '../../src/kit/metric-slab.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import { diffStates } from '../../src/state-resolution/diff-states.ts';
import { explainState } from '../../src/state-resolution/explain-state.ts';
import type { StateDifference, StateExplanation } from '../../src/state-resolution/explanation.ts';
import { loadAndResolve } from '../../src/state-resolution/load-and-resolve.ts';
import type { DifferenceTask, ExplanationTask, ResolutionTask, ResolvedStates } from './protocol.ts';

let opened: { readonly path: string; readonly db: ClosableReadDb } | null = null;

/** The reads of this thread: opened with the first task, closed with the thread. Nobody reads its figures. */
function openDatabase(path: string): ReadDb {
  if (opened?.path === path) return opened.db;
  opened?.db.close();
  // Should the other one not open, this one is closed all the same.
  opened = null;
  const metrics = createSlabMetrics(createMetricBuffer());
  opened = { path, db: openReadDb(path, { metrics, clock: systemClock, log: silentLogger }) };
  return opened.db;
}

/** @throws Error when a state names an event that is not known, or the database cannot be read */
export async function runResolution({ databasePath, ...task }: ResolutionTask): Promise<ResolvedStates> {
  const resolved = await loadAndResolve(openDatabase(databasePath), task);
  if (resolved === undefined) throw new Error('a resolution without a bound was given up');
  return resolved;
}

/** @throws Error when the database cannot be read */
export function runExplanation({
  databasePath,
  ...task
}: ExplanationTask): Promise<StateExplanation | Refusal> {
  return explainState(openDatabase(databasePath), task);
}

/** @throws Error when the database cannot be read */
export function runDifference({ databasePath, ...task }: DifferenceTask): Promise<StateDifference | Refusal> {
  return diffStates(openDatabase(databasePath), task);
}
