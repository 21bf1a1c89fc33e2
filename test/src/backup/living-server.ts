import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { databasePath } from '../../../db/kit/sqlite.ts';
import { systemClock } from '../../../src/kit/clock.ts';
import { silentLogger } from '../../../src/kit/logger.ts';
import { createHttpClient } from '../../support/http-client.ts';
import { startInProcess } from '../../support/in-process-program.ts';
import { okBody, register } from '../../support/person.ts';

export const PICTURE = 'a picture';
/** What the functions of a backup are given by a command. */
export const SURROUNDINGS = { clock: systemClock, log: silentLogger } as const;
export const SERVER_NAME = 'localhost';

/** The data folder of a server that was lived in and stopped, and as many copies of it as a test needs. */
export interface LivingServer {
  readonly folder: string;
  readonly roomId: string;
  /** A copy of its own. */
  copy(): string;
  /** A new path, at which there is nothing. */
  place(name: string): string;
  dispose(): void;
}

/** Opens the database of a data folder, to damage it or to look into it. */
export function openDatabase<T>(folder: string, use: (database: DatabaseSync) => T): T {
  const database = new DatabaseSync(databasePath(folder));
  try {
    return use(database);
  } finally {
    database.close();
  }
}

interface Lived {
  readonly folder: string;
  readonly roomId: string;
}

let lived: Promise<Lived> | undefined;

/** Starts a server, lets two people live in it for a moment, and stops it. */
async function live(): Promise<Lived> {
  const folder = mkdtempSync(join(tmpdir(), 'troupe-lived-in-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  const program = await startInProcess({ folder });
  const http = createHttpClient(program.address, null);
  const ann = await register(http, 'ann');
  const bob = await register(http, 'bob');
  const roomId = await ann.createRoom({ preset: 'public_chat', name: 'the mill' });
  await bob.join(roomId);
  for (const text of ['one', 'two', 'three']) await ann.send(roomId, text, text);
  const asAnn = http.withToken(ann.token);
  okBody(await asAnn.post('/_matrix/media/v3/upload', undefined, { rawBody: PICTURE }), 'upload');
  asAnn.close();
  http.close();
  await program.stop();
  return { folder, roomId };
}

/** The data of one and the same server, lived in once per process, in a folder of its own. */
export async function makeLivingServer(): Promise<LivingServer> {
  const { folder: from, roomId } = await (lived ??= live());
  const base = mkdtempSync(join(tmpdir(), 'troupe-backup-'));
  const folder = join(base, 'living');
  cpSync(from, folder, { recursive: true });
  let made = 0;
  const place = (name: string): string => join(base, `${name}-${(made += 1)}`);
  return {
    folder,
    roomId,
    place,
    copy() {
      const to = place('copy');
      cpSync(folder, to, { recursive: true });
      return to;
    },
    dispose: () => rmSync(base, { recursive: true, force: true }),
  };
}
