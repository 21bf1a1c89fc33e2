import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';

/** Users shown as typing in one room; further ones are not shown until one stops. */
export const TYPING_USERS_MAX = 100;
/** Rooms in which somebody types; in further ones nobody is shown until one falls silent. */
export const TYPING_ROOMS_MAX = 50_000;

/** Who types where, until when. */
export interface Typists {
  /** The user types for `lengthMs` from now; somebody who types already goes on. */
  begin(roomId: string, userId: string, lengthMs: Milliseconds): void;
  /** The user has stopped. */
  end(roomId: string, userId: string): void;
  /** Everyone in the room has stopped. */
  endAll(roomId: string): void;
  /** Ends the timers. */
  close(): void;
}

/** Who wants to know. */
export interface TypistsListener {
  /** Others than before type in the room now: these, in the order in which they began. */
  changed(roomId: string, userIds: readonly string[]): void;
  /** The user stopped without a word. */
  timedOut(roomId: string, userId: string): void;
}

/** Nobody types anywhere. */
export function createTypists(clock: Clock, listener: TypistsListener): Typists {
  // Rooms without typists are not in here.
  const rooms = new Map<string, Map<string, Timer>>();

  const end = (roomId: string, userId: string): void => {
    const users = rooms.get(roomId);
    const timer = users?.get(userId);
    if (users === undefined || timer === undefined) return;
    clock.cancel(timer);
    users.delete(userId);
    if (users.size === 0) rooms.delete(roomId);
    listener.changed(roomId, [...users.keys()]);
  };
  const timeOut = (roomId: string, userId: string): void => {
    end(roomId, userId);
    listener.timedOut(roomId, userId);
  };
  const cancelAll = (users: ReadonlyMap<string, Timer>): void => {
    for (const timer of users.values()) clock.cancel(timer);
  };
  return {
    begin(roomId, userId, lengthMs) {
      const users = rooms.get(roomId) ?? new Map<string, Timer>();
      const running = users.get(userId);
      const isFull = users.size >= TYPING_USERS_MAX || (users.size === 0 && rooms.size >= TYPING_ROOMS_MAX);
      if (running === undefined && isFull) return;
      if (running !== undefined) clock.cancel(running);
      rooms.set(roomId, users);
      users.set(
        userId,
        clock.after(lengthMs, () => timeOut(roomId, userId)),
      );
      if (running === undefined) listener.changed(roomId, [...users.keys()]);
    },
    end,
    endAll(roomId) {
      const users = rooms.get(roomId);
      if (users === undefined) return;
      cancelAll(users);
      rooms.delete(roomId);
      listener.changed(roomId, []);
    },
    close() {
      for (const users of rooms.values()) cancelAll(users);
      rooms.clear();
    },
  };
}
