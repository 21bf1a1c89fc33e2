import { type GroupCommit, openGroupCommit, SETS_WAITING_MAX } from '../../db/kit/group-commit.ts';
import { loadQueries } from '../../db/kit/load-queries.ts';
import { databasePath } from '../../db/kit/sqlite.ts';
import { WriteSetDefect } from '../../db/kit/write-transaction.ts';
import type { WriteOutcome, WriteSet } from '../../db/kit/write-set.ts';
import { streams } from '../../src/streams/registry.ts';
import { defineActor, type Environment, type TroupeContext } from '../environment.ts';
import type { ActorDefinition } from '../kit/actor.ts';
import type { ActorMap } from '../protocols.ts';
import type { CommitterProtocol, WriteDefect } from './protocol.ts';

/** A defective set is its owner's crash, not this actor's; any other rejection means that the connection is of no use. */
async function write(commit: GroupCommit, set: WriteSet): Promise<WriteOutcome | WriteDefect> {
  try {
    return await commit.write(set);
  } catch (error) {
    if (error instanceof WriteSetDefect) return { kind: 'defect', detail: error.message };
    throw error;
  }
}

/** Opens the write connection for one life of the committer. */
export type OpenCommit = (
  context: Pick<TroupeContext, 'env' | 'metrics' | 'clock' | 'log'>,
) => Promise<GroupCommit> | GroupCommit;

async function openProgramCommit({
  env,
  metrics,
  clock,
  log,
}: Parameters<OpenCommit>[0]): Promise<GroupCommit> {
  return openGroupCommit({
    path: databasePath(env.config.data.path),
    queries: await loadQueries(),
    streams: streams.filter((stream) => stream.kind === 'durable'),
    metrics,
    clock,
    log,
  });
}

/**
 * Defines the one writer of the database. Handlers overlap, so that all sets that have arrived stand in one transaction; a restart opens
 * a new connection and reads again where each stream stands.
 *
 * @param open opens the program's database when absent; a simulation gives one whose turns it decides
 */
export function defineCommitter(
  open: OpenCommit = openProgramCommit,
): ActorDefinition<CommitterProtocol, ActorMap, Environment> {
  return defineActor<CommitterProtocol>({
    name: 'committer',
    mailbox: { limit: SETS_WAITING_MAX, whenFull: 'refuse' },
    order: { kind: 'interleaved' },
    async start(context) {
      const commit = await open(context);
      // It may have ended meanwhile: then nobody tells us any more.
      if (context.ended.aborted) commit.close();
      // After a crash too: two write connections would be one too many.
      context.ended.addEventListener('abort', () => commit.close(), { once: true });
      return {
        handlers: {
          'committer.write': (set) => write(commit, set),
          async 'committer.read-position'({ stream }) {
            // What the last life of its owner has left here is committed yet, and nobody publishes it: the next life begins after it.
            await commit.settled();
            return { position: commit.position(stream) };
          },
        },
        stop: () => commit.close(),
      };
    },
  });
}

/** The committer of the program. */
export const committerActor = defineCommitter();
