import { findBackup, findCurrentBackup, readHighestVersion } from '../../db/key-backup/reader.ts';
import {
  type BackupStanding,
  createVersion,
  DELETED_STEP,
  DELETION_STANDING_STEP,
  deleteAllSessions,
  deleteSomeSessions,
  deleteVersion,
  EMPTIED_STANDING_STEP,
  forgetUser,
  type KeyBackupGuard,
  SESSIONS_BYTES_MAX,
  SESSIONS_MAX,
  STORED_STANDING_STEP,
  storeSessions,
  updateVersion,
  VERSION_STEP,
  VERSIONS_MAX,
} from '../../db/key-backup/writer.ts';
import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { isRefusal, type Refusal, refuse } from '../../src/matrix/refusal.ts';
import { commit } from '../commit.ts';
import { defineActor, type TroupeContext } from '../environment.ts';
import type { InputOf, OutputOf } from '../kit/protocol.ts';
import { unavailableRefusal } from '../unavailable-refusal.ts';
import type { KeyBackupProtocol, SessionsChanged } from './protocol.ts';
import { createSweeper } from './sweeper.ts';

type In<Name extends keyof KeyBackupProtocol> = InputOf<KeyBackupProtocol, Name>;
type Out<Name extends keyof KeyBackupProtocol> = OutputOf<KeyBackupProtocol, Name>;
type Committed = Extract<WriteOutcome, { readonly kind: 'committed' }>;

const MAILBOX_LIMIT = 10_000;
/** Changes of one user that are handled before others get their turn. */
const TURN_BUDGET = 8;
/** Keys of a room that one write deletes. */
export const DELETED_PER_WRITE_MAX = 2_000;

const UNKNOWN_VERSION = refuse('M_NOT_FOUND', 'Unknown backup version.');

/** The answer of a write that changed keys. */
function standingOf(returned: Committed['returned'], stepIndex: number): SessionsChanged {
  const [row] = (returned[stepIndex] ?? []) as readonly BackupStanding[];
  if (row === undefined) throw new Error('a change of keys gave no standing');
  return { kind: 'changed', etag: row.etag, count: row.count };
}

/** @returns what was committed, or why not: a guard or a refusal */
async function write(
  context: TroupeContext,
  steps: readonly WriteStep[],
): Promise<Committed | KeyBackupGuard | Refusal> {
  const outcome = await commit(context, steps);
  if (outcome.kind === 'refused') return outcome.refusal as KeyBackupGuard;
  return outcome.kind === 'unavailable' ? unavailableRefusal(outcome, context.env.config) : outcome;
}

/** Why a guard said no to a change of the version that its user named. */
async function refusalOf(
  { env }: TroupeContext,
  guard: KeyBackupGuard,
  { userId, version }: { readonly userId: string; readonly version: number },
): Promise<Refusal> {
  if (guard === 'too-large') {
    const error = `A backup has at most ${SESSIONS_MAX} keys of ${SESSIONS_BYTES_MAX} bytes together.`;
    return refuse('M_TOO_LARGE', error);
  }
  if (guard !== 'not-current') return UNKNOWN_VERSION;
  const current = await findCurrentBackup(env.db, userId);
  if (current === undefined || version > (await readHighestVersion(env.db, userId))) return UNKNOWN_VERSION;
  return refuse('M_WRONG_ROOM_KEYS_VERSION', 'This is not the current version of your backup.', {
    extra: { current_version: String(current.version) },
  });
}

async function create(
  context: TroupeContext,
  { userId, algorithm, authData }: In<'key-backup.create-version'>,
): Promise<Out<'key-backup.create-version'>> {
  const written = await write(context, createVersion(userId, algorithm, authData));
  if (isRefusal(written)) return written;
  if (typeof written === 'string')
    return refuse(
      'M_FORBIDDEN',
      `You have ${VERSIONS_MAX} versions of your backup: delete some of them first.`,
    );
  const [row] = (written.returned[VERSION_STEP] ?? []) as readonly { readonly version: number }[];
  if (row === undefined) throw new Error('a new version gave no number');
  return { kind: 'created', version: row.version };
}

async function update(
  context: TroupeContext,
  input: In<'key-backup.update-version'>,
): Promise<Out<'key-backup.update-version'>> {
  const { userId, version, algorithm, authData } = input;
  const found = await findBackup(context.env.db, userId, version);
  if (found === undefined) return UNKNOWN_VERSION;
  if (found.algorithm !== algorithm)
    return refuse('M_INVALID_PARAM', 'algorithm: this version of your backup has another one.');
  const written = await write(context, updateVersion(userId, version, authData));
  if (isRefusal(written)) return written;
  return typeof written === 'string' ? refusalOf(context, written, input) : { kind: 'updated' };
}

/** Deletes the keys of a room in slices; the last one tells how the version stands. */
async function deleteOfRoom(
  context: TroupeContext,
  target: { readonly userId: string; readonly version: number; readonly roomId: string },
  sessionId: string | null,
): Promise<SessionsChanged | Refusal> {
  for (;;) {
    const steps = deleteSomeSessions(target, sessionId, DELETED_PER_WRITE_MAX);
    // Each slice begins where the one before it has ended.
    const written = await write(context, steps);
    if (isRefusal(written)) return written;
    if (typeof written === 'string') return refusalOf(context, written, target);
    if ((written.returned[DELETED_STEP] ?? []).length < DELETED_PER_WRITE_MAX)
      return standingOf(written.returned, DELETION_STANDING_STEP);
  }
}

/** Owner of backups of keys. One user's changes are handled one after another. */
export const keyBackupActor = defineActor<KeyBackupProtocol>({
  name: 'key-backup',
  mailbox: { limit: MAILBOX_LIMIT, whenFull: 'refuse' },
  order: { kind: 'by-key', turnBudget: TURN_BUDGET, key: (_message, { userId }) => userId },
  start(context) {
    const sweep = createSweeper(context);
    sweep();
    return {
      handlers: {
        'key-backup.create-version': (input) => create(context, input),
        'key-backup.update-version': (input) => update(context, input),
        async 'key-backup.delete-version'(input) {
          const { userId, version } = input;
          const written = await write(context, deleteVersion(userId, version));
          if (isRefusal(written)) return written;
          if (typeof written !== 'string') sweep();
          else if (version > (await readHighestVersion(context.env.db, userId))) return UNKNOWN_VERSION;
          return { kind: 'deleted' };
        },
        async 'key-backup.store-sessions'(input) {
          const { userId, version, sessions } = input;
          const bounds = { most: SESSIONS_MAX, bytesMax: SESSIONS_BYTES_MAX };
          const written = await write(context, storeSessions(userId, version, sessions, bounds));
          if (isRefusal(written)) return written;
          if (typeof written === 'string') return refusalOf(context, written, input);
          return standingOf(written.returned, STORED_STANDING_STEP);
        },
        async 'key-backup.delete-sessions'(input) {
          const { userId, version, roomId, sessionId } = input;
          if (roomId !== null) return deleteOfRoom(context, { userId, version, roomId }, sessionId);
          const written = await write(context, deleteAllSessions(userId, version));
          if (isRefusal(written)) return written;
          if (typeof written === 'string') return refusalOf(context, written, input);
          sweep();
          return standingOf(written.returned, EMPTIED_STANDING_STEP);
        },
        async 'key-backup.forget-user'({ userId }) {
          const written = await write(context, forgetUser(userId));
          if (isRefusal(written)) return written;
          if (typeof written === 'string') throw new Error(`forgetting has no guard, yet ${written}`);
          sweep();
          return { kind: 'forgotten' };
        },
      },
    };
  },
});
