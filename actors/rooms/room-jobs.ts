import { isRefusal, type Refusal } from '../../src/matrix/refusal.ts';
import type { Purged, RoomJob } from './protocol.ts';

/** Jobs that are remembered; the oldest that is over makes room. */
export const JOBS_REMEMBERED_MAX = 1_000;

/** Jobs in the background, as they stand. They are forgotten with the life of the actor; what they have done is not. */
export interface RoomJobs {
  /**
   * Notes a job and lets it run.
   *
   * @param run the job; it says whom it has removed from the room
   * @returns its id
   */
  begin(
    job: Pick<RoomJob, 'kind' | 'roomId' | 'notice'>,
    run: (noteRemoved: (userIds: readonly string[]) => void) => Promise<Purged | Refusal>,
  ): string;
  /** The jobs with this id or of this room, in the order in which they were begun. */
  find(by: 'id' | 'room', value: string): readonly RoomJob[];
}

/**
 * Makes an empty list.
 *
 * @param newId gives an id that was never given before
 * @param crash takes a failure that is a defect
 */
export function createRoomJobs(newId: () => string, crash: (error: unknown) => void): RoomJobs {
  const jobs = new Map<string, RoomJob>();
  const trim = (): void => {
    for (const [id, { state }] of jobs) {
      if (jobs.size <= JOBS_REMEMBERED_MAX) return;
      if (state !== 'active') jobs.delete(id);
    }
  };
  const change = (id: string, changed: Partial<RoomJob>): void => {
    const job = jobs.get(id);
    if (job !== undefined) jobs.set(id, { ...job, ...changed });
  };
  return {
    begin({ kind, roomId, notice }, run) {
      const id = newId();
      jobs.set(id, {
        id,
        kind,
        roomId,
        state: 'active',
        error: null,
        result: null,
        removedUsers: [],
        notice,
      });
      trim();
      const removed = new Set<string>();
      const noteRemoved = (userIds: readonly string[]): void => {
        for (const userId of userIds) removed.add(userId);
        change(id, { removedUsers: [...removed] });
      };
      const end = (result: Purged | Refusal): void =>
        change(
          id,
          isRefusal(result) ? { state: 'failed', error: result.error } : { state: 'complete', result },
        );
      run(noteRemoved).then(end, crash);
      return id;
    },
    find: (by, value) =>
      [...jobs.values()].filter((job) => (by === 'id' ? job.id === value : job.roomId === value)),
  };
}
