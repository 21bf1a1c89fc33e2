import { existsSync } from 'node:fs';
import path from 'node:path';
import { RESTORE_MARK, RestoreUnfinished } from '../../../db/kit/folder-lock.ts';
import { compareSchema } from '../../../db/kit/migrator.ts';
import { databasePath } from '../../../db/kit/sqlite.ts';
import type { Clock } from '../../kit/clock.ts';
import type { Logger } from '../../kit/logger.ts';
import { mediaFolder } from '../../media/blob-store.ts';
import { openForCommand } from '../open-database.ts';
import { checkFile, checkIdentity, checkRelations, checkStreams } from './check-database.ts';
import { checkMedia } from './check-media.ts';
import { checkEventIds, checkRooms, checkStateGroups } from './check-rooms.ts';
import { type CheckResult, createFindings } from './finding.ts';

/** The data folder cannot be looked at; the message is for people. */
export class VerifyRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'VerifyRefused';
  }
}

/** What is looked at. */
export interface VerifyOptions {
  readonly dataFolder: string;
  /** Of the configuration. */
  readonly serverName: string;
  /** Reads everything: indices, events and media files too. */
  readonly isFull: boolean;
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of each check as soon as it is done. */
  readonly onResult: (result: CheckResult) => void | Promise<void>;
}

function checkSchema(pathOfDatabase: string): CheckResult & { readonly isCurrent: boolean } {
  const findings = createFindings();
  const { applied, pending } = compareSchema(pathOfDatabase);
  const count = Object.values(applied).reduce((sum, number) => sum + number, 0);
  if (pending > 0)
    findings.note(
      `${pending} migrations are still to be applied: rows can be looked at after the next start of this version`,
    );
  return { ...findings.result('schema', `${count} migrations`), isCurrent: pending === 0 };
}

/**
 * Looks whether what is in a data folder fits together, of a server that runs or not, and changes nothing. Reads in pages: a large database
 * takes long and little memory.
 *
 * @returns how many findings there are in all
 * @throws VerifyRefused, RestoreUnfinished, MigrationRefused (a newer database); SqliteError when it cannot be opened
 */
export async function verify(options: VerifyOptions): Promise<number> {
  const { dataFolder, serverName, isFull, clock, log, onResult } = options;
  const database = databasePath(dataFolder);
  if (existsSync(path.join(dataFolder, RESTORE_MARK))) throw new RestoreUnfinished(dataFolder);
  if (!existsSync(database))
    throw new VerifyRefused(`there is no database in ${path.resolve(dataFolder)}: is it the right folder?`);
  let count = 0;
  const tell = async (result: CheckResult): Promise<void> => {
    count += result.count;
    await onResult(result);
  };
  await tell(checkFile(database, isFull));
  // In a file that is damaged every other answer is a guess.
  if (count > 0) return count;
  const { isCurrent, ...schema } = checkSchema(database);
  await tell(schema);
  if (!isCurrent) return count;
  const db = openForCommand(database, { clock, log });
  try {
    await tell(await checkIdentity(db, serverName));
    await tell(await checkStreams(db));
    await tell(await checkRelations(db));
    for (const result of await checkRooms(db, serverName)) await tell(result);
    await tell(await checkStateGroups(db));
    if (isFull) await tell(await checkEventIds(db));
    await tell(await checkMedia(db, mediaFolder(dataFolder), { isFull, now: clock.now() }));
  } finally {
    db.close();
  }
  return count;
}
