import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { startHeadless } from '../../actors/program.ts';
import { FolderInUse } from '../../db/kit/folder-lock.ts';
import { databasePath } from '../../db/kit/sqlite.ts';
import type { Config } from '../config/config.ts';
import { sleep } from '../kit/clock.ts';
import { CommandFailed, type CommandContext } from './command.ts';
import { type ControlClient, createControlClient, NobodyListens } from './control-client.ts';

/** How long a server that holds the folder may take until it takes commands, in milliseconds: it may just be starting. */
const STARTING_MS_MAX = 10_000;
const LOOK_AGAIN_MS = 200;

/** What a command needs of the server. */
export interface ServerNeeds {
  /** The command may make the database where there is none; otherwise that is a wrong folder. */
  readonly mayCreate: boolean;
}

async function isListening(client: ControlClient): Promise<boolean> {
  try {
    await client.ask('GET', '/server');
    return true;
  } catch (error) {
    if (error instanceof NobodyListens) return false;
    throw error;
  }
}

/** What this process would make, the server could not open: nobody but the folder's owner may act for it. */
function checkOwner(folder: string): void {
  const mine = process.geteuid?.();
  if (mine === undefined || !existsSync(folder)) return;
  const { uid } = statSync(folder);
  if (uid !== mine)
    throw new CommandFailed(
      `no server runs, and the data folder ${folder} belongs to the user with the id ${uid}, not to you (${mine}): ` +
        `run this as that user, such as with "sudo -u '#${uid}' troupe …"`,
    );
}

function checkDatabase(context: CommandContext, folder: string, mayCreate: boolean): void {
  if (existsSync(databasePath(folder))) return;
  if (!mayCreate)
    throw new CommandFailed(
      `there is no server's data in ${folder}: name the configuration of your server with --config FILE`,
    );
  context.say(`There was no database in ${folder}: making one.`);
}

async function waitForServer(context: CommandContext, client: ControlClient, folder: string): Promise<void> {
  const untilMs = context.clock.monotonic() + STARTING_MS_MAX;
  while (!(await isListening(client))) {
    if (context.clock.monotonic() > untilMs)
      throw new CommandFailed(
        `a server, or another command, uses the data folder ${folder} and takes no commands: see its log, or stop it and try again`,
      );
    await sleep(context.clock, LOOK_AGAIN_MS);
  }
}

/** Starts what a command needs of a server; null when somebody else has the folder. */
async function startOwn(context: CommandContext, config: Config) {
  try {
    return await startHeadless({
      config: { ...config, log: { ...config.log, level: 'warn' } },
      clock: context.clock,
      random: context.random,
      log: context.log,
      onFailure(error) {
        context.say(`troupe: ${error.message}`);
        process.exit(1);
      },
    });
  } catch (error) {
    if (error instanceof FolderInUse) return null;
    throw error;
  }
}

/**
 * Has a server do something: the one that runs, or one that is started for it, without listeners, and stopped afterwards.
 *
 * @throws CommandFailed when neither is possible; whatever `act` throws
 */
export async function withServer<Result>(
  context: CommandContext,
  { mayCreate }: ServerNeeds,
  act: (client: ControlClient, config: Config) => Promise<Result>,
): Promise<Result> {
  const config = context.loadConfig();
  const folder = resolve(config.data.path);
  const client = createControlClient(folder);
  if (await isListening(client)) return act(client, config);
  checkOwner(folder);
  checkDatabase(context, folder, mayCreate);
  const own = await startOwn(context, config);
  if (own === null) {
    await waitForServer(context, client, folder);
    return act(client, config);
  }
  try {
    if (own.controlPath === null)
      throw new CommandFailed(
        `no socket can be made in ${folder}: start the server from a folder on a local disk`,
      );
    return await act(client, config);
  } finally {
    await own.stop();
  }
}
