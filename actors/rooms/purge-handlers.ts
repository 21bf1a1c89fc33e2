import type { WriteOutcome, WriteStep } from '../../db/kit/write-set.ts';
import { readDeletions } from '../../db/rooms/deletion-reader.ts';
import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import { type Handlers, later } from '../kit/actor.ts';
import { blockRoom } from './blocked-rooms.ts';
import { completeState } from './complete-state.ts';
import { deleteRoom, type DeletionDesk, findRoomToDelete, finishDeletion } from './delete-room.ts';
import { forgetElsewhere } from './forget-elsewhere.ts';
import type { DeletionRequest, PurgeRequest, RoomsProtocol } from './protocol.ts';
import { checkPurge, purgeHistory } from './purge-history.ts';
import { createRoomJobs } from './room-jobs.ts';
import type { RoomsDesk } from './rooms-desk.ts';

/** Characters of `[A-Za-z0-9]` in the id of a job. */
const JOB_ID_LENGTH = 16;
/** Deletions of an earlier life that go on; further ones when they are asked for again. */
const RESUMED_MAX = 1_000;
/** When a deletion that another owner or storage keeps from going on is tried again. */
const RESUME_RETRY_MS = 10_000;

/** The messages that purge, delete, and complete: the long work on rooms. */
export type PurgeHandlers = Handlers<
  Pick<
    RoomsProtocol,
    | 'rooms.purge-history'
    | 'rooms.delete-room'
    | 'rooms.begin-purge'
    | 'rooms.begin-deletion'
    | 'rooms.read-jobs'
    | 'rooms.block-room'
    | 'rooms.run-room-work'
    | 'rooms.complete-state'
  >
>;

/** What the handlers are made of. */
export interface PurgeGround {
  readonly desk: RoomsDesk;
  /** The last position of the events stream that is committed. */
  readonly position: () => number;
  /** A write that advances no stream. */
  readonly write: (steps: readonly WriteStep[]) => Promise<WriteOutcome>;
}

/** Lets deletions go on that an earlier life has begun, for as long as it takes. */
function resumeDeletions(context: TroupeContext, desk: DeletionDesk): void {
  const { clock, ended } = context;
  const resume = async (): Promise<void> => {
    for (const room of await readDeletions(desk.db, RESUMED_MAX)) {
      const tally = { events: 0, stateGroups: 0, freedBytes: 0 };
      const job = (): Promise<Refusal | undefined> => finishDeletion(desk, room, tally);
      const refusal = await desk.work.afterOthers(room.roomId, job);
      if (refusal === undefined) continue;
      context.log.warn('a deletion does not go on', { roomId: room.roomId, error: refusal.error });
      return schedule();
    }
  };
  const schedule = (): void => {
    if (ended.aborted) return;
    const timer = clock.after(RESUME_RETRY_MS, start);
    ended.addEventListener('abort', () => clock.cancel(timer), { once: true });
  };
  // Its turns come when the actor has started.
  const start = (): void => void resume().catch((error: unknown) => context.crash(error));
  start();
}

/** Makes the handlers, and lets deletions go on that an earlier life has begun. */
export function startPurging(context: TroupeContext, ground: PurgeGround): PurgeHandlers {
  const { clock, env, random } = context;
  const self = context.ref('rooms');
  const crash = (error: unknown): void => context.crash(error);
  const jobs = createRoomJobs(() => random.text(JOB_ID_LENGTH), crash);
  const { position, write } = ground;
  const { work } = ground.desk;
  const desk: DeletionDesk = {
    ...ground.desk,
    config: env.config,
    position,
    write,
    self,
    forgetElsewhere: (room) => forgetElsewhere(context, room),
  };
  const purge = (request: PurgeRequest) =>
    work.afterOthers(request.roomId, () => purgeHistory(desk, request));
  const remove = (request: DeletionRequest, noteRemoved?: (userIds: readonly string[]) => void) =>
    work.afterOthers(request.roomId, () => deleteRoom(desk, request, noteRemoved));

  resumeDeletions(context, desk);

  return {
    'rooms.purge-history': (request) => later(purge(request)),
    'rooms.delete-room': (request) => later(remove(request)),
    async 'rooms.begin-purge'(request) {
      const checked = await checkPurge(desk, request);
      if (isRefusal(checked)) return checked;
      const id = jobs.begin({ kind: 'purge', roomId: request.roomId, notice: null }, () => purge(request));
      return { kind: 'begun', id };
    },
    async 'rooms.begin-deletion'(request) {
      const room = await findRoomToDelete(desk, request.roomId);
      if (isRefusal(room)) return room;
      const { roomId, notice = null } = request;
      const job = { kind: 'deletion', roomId, notice } as const;
      return { kind: 'begun', id: jobs.begin(job, (noteRemoved) => remove(request, noteRemoved)) };
    },
    'rooms.read-jobs': ({ by, value }) => jobs.find(by, value),
    'rooms.block-room': (request) => blockRoom({ ...desk, clock }, request),
    'rooms.complete-state': (request) =>
      later(work.afterOthers(request.roomId, () => completeState(desk, request))),
    'rooms.run-room-work': ({ work: slice }) => work.run(slice),
  };
}
