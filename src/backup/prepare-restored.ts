import { skipFilterIds, skipFilters } from '../../db/account-data/after-restore.ts';
import { deleteLoginTokens, endLoginTokens } from '../../db/accounts/after-restore.ts';
import { failOverdue, failOverdueMessages } from '../../db/delayed-events/after-restore.ts';
import { forgetSent, forgetSentDeviceLists } from '../../db/federation-sender/after-restore.ts';
import { renumberBackups, renumberVersions, skipVersions } from '../../db/key-backup/after-restore.ts';
import {
  changeAllCounts,
  deleteAllOneTimeKeys,
  readDevicesWithKeys,
  renewKeys,
  unannounceAllUsers,
  useAllFallbackKeys,
} from '../../db/keys/after-restore.ts';
import { openGroupCommit } from '../../db/kit/group-commit.ts';
import { applyMigrations } from '../../db/kit/migrator.ts';
import { leaveWalMode } from '../../db/kit/online-copy.ts';
import { savePosition } from '../../db/kit/positions.ts';
import type { Query } from '../../db/kit/query.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import { step, type WriteStep } from '../../db/kit/write-set.ts';
import { passAllPushers, passPushers } from '../../db/push/after-restore.ts';
import { distrustLists, makeAllStale } from '../../db/remote-devices/after-restore.ts';
import { readStreamStart } from '../../db/streams/reader.ts';
import type { Clock } from '../kit/clock.ts';
import type { Logger } from '../kit/logger.ts';
import { createMetricBuffer, createSlabMetrics } from '../kit/metric-slab.ts';
import { eventsStream } from '../streams/events-stream.ts';
import { keysStream } from '../streams/keys-stream.ts';
import { positionsToSkip } from '../streams/lost-positions.ts';
import { streams } from '../streams/registry.ts';
import { openForCommand } from './open-database.ts';

const QUERIES: ReadonlyMap<string, Query> = new Map(
  [
    savePosition,
    changeAllCounts,
    deleteAllOneTimeKeys,
    useAllFallbackKeys,
    unannounceAllUsers,
    forgetSentDeviceLists,
    makeAllStale,
    skipVersions,
    renumberVersions,
    skipFilterIds,
    passAllPushers,
    deleteLoginTokens,
    failOverdueMessages,
  ].map((query: Query) => [query.name, query]),
);

/** What its sender sees of a delayed message that was not sent. */
const OVERDUE_ERROR = JSON.stringify({
  errcode: 'M_UNKNOWN',
  error: 'The server was restored from a backup, and nobody knows whether this was sent.',
});

/** What {@link prepareRestored} goes by. */
export interface PrepareOptions {
  /** When the backup was made, in milliseconds since the Unix epoch. */
  readonly createdTs: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Every stream, in both directions, goes on beyond whatever was given out since the backup. */
async function moveOn(
  db: ReadDb,
  skipped: number,
): Promise<{ readonly steps: readonly WriteStep[]; readonly marks: ReadonlyMap<string, number> }> {
  const steps: WriteStep[] = [];
  const marks = new Map<string, number>();
  for (const stream of streams) {
    if (stream.kind !== 'durable') continue;
    const { name, owner: writer } = stream;
    const { forward, backward } = await readStreamStart(db, stream);
    marks.set(name, forward + skipped);
    steps.push(
      step(savePosition, { stream: name, writer, direction: 'forward', position: forward + skipped }),
      step(savePosition, { stream: name, writer, direction: 'backward', position: backward - skipped }),
    );
  }
  return { steps, marks };
}

function markOf(marks: ReadonlyMap<string, number>, name: string): number {
  const mark = marks.get(name);
  if (mark === undefined) throw new Error(`no such stream: ${name}`);
  return mark;
}

/**
 * Makes a database that was taken out of a backup fit to be a server's again: brings it to this version, and sees to it in one transaction that
 * nothing which was given out after the backup is given out again with another meaning (positions of streams, versions of key backups, ids of
 * filters), that no one-time key is handed out twice, and that clients and servers ask again for what they know better.
 *
 * @param path of the database, which nobody else has open
 * @throws MigrationRefused when it is newer than this version
 */
export async function prepareRestored(path: string, options: PrepareOptions): Promise<void> {
  const { createdTs, clock, log } = options;
  applyMigrations(path, log);
  const db = openForCommand(path, { clock, log });
  const metrics = createSlabMetrics(createMetricBuffer());
  const write = openGroupCommit({ path, queries: QUERIES, streams: [], metrics, clock, log });
  try {
    const now = clock.now();
    const { steps, marks } = await moveOn(db, positionsToSkip(now - createdTs));
    const keysMark = markOf(marks, keysStream.name);
    const keys = { stream: keysStream.name, writer: keysStream.owner, direction: 'forward' } as const;
    const outcome = await write.write({
      owner: 'restore',
      steps: [
        ...steps,
        ...renewKeys(keysMark),
        step(savePosition, { ...keys, position: keysMark + (await readDevicesWithKeys(db)) }),
        ...forgetSent(),
        ...distrustLists(),
        ...renumberBackups(),
        ...skipFilters(now),
        ...passPushers(markOf(marks, eventsStream.name)),
        ...endLoginTokens(),
        ...failOverdue(now, OVERDUE_ERROR),
      ],
    });
    if (outcome.kind !== 'committed')
      throw new Error(`the restored database cannot be prepared: ${JSON.stringify(outcome)}`);
  } finally {
    write.close();
    db.close();
  }
  leaveWalMode(path);
}
