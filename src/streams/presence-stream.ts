import { defineMemoryStream } from './stream.ts';

export type PresenceRow = {
  readonly userId: string;
  readonly presence: 'online' | 'offline' | 'unavailable' | 'org.matrix.msc3026.busy';
  readonly statusMessage: string | null;
  /** When the user was last active, milliseconds since the epoch. */
  readonly lastActiveTs: number;
  readonly isCurrentlyActive: boolean;
  /** Rooms that the user has joined: those in them are woken. */
  readonly roomIds: readonly string[];
};

/** Who is there; owned by `presence`. */
export const presenceStream = defineMemoryStream<'presence', PresenceRow>({
  name: 'presence',
  letter: 'p',
  owner: 'presence',
  key: (row) => row.userId,
  forgotten: (row) =>
    row.presence === 'offline' ? null : { ...row, presence: 'offline', isCurrentlyActive: false },
  wakes: (row) => [`user:${row.userId}`, ...row.roomIds.map((roomId) => `room:${roomId}` as const)],
  invalidates: () => [],
});
