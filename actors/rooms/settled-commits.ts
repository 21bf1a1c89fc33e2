import type { CommitRows } from './commit-events.ts';

/** The one way to write, and a way to wait until what was written of a room is decided. */
export interface SettledCommits {
  readonly commit: CommitRows;
  /** Resolves when no write of the room waits for its commit: the database then holds all that was staged, or the room was discarded. */
  settled(roomId: string): Promise<void>;
}

/** Keeps count of the writes that wait for their commit, room by room. */
export function settleCommits(commit: CommitRows): SettledCommits {
  // The last write of each room: those before it are decided before it.
  const last = new Map<string, ReturnType<CommitRows>>();
  return {
    commit(write) {
      const { roomId } = write;
      const outcome = commit(write);
      const forget = (): void => {
        if (last.get(roomId) === outcome) last.delete(roomId);
      };
      last.set(roomId, outcome);
      outcome.then(forget, forget);
      return outcome;
    },
    async settled(roomId) {
      // Promises tell those first who asked first: the writer has dealt with a failure by the time this goes on.
      for (let open = last.get(roomId); open !== undefined; open = last.get(roomId))
        await Promise.allSettled([open]);
    },
  };
}
