import type { Clock, Milliseconds, Timer } from '../../src/kit/clock.ts';
import type { PresenceState } from './protocol.ts';

/** A device that has not synced for this long is gone; longer than a long poll lasts. A statement alone counts as long. */
export const DEVICE_ABSENT_MS = 150_000;
/** Devices of one user that count. */
export const DEVICES_MAX = 100;

interface Sign {
  readonly presence: PresenceState;
  readonly timer: Timer;
}

/** One user who is there, or was a moment ago. */
export interface UserPresence {
  /** What is to be shown: what the user said, as long as there is a sign of life; without one offline. */
  shown(): PresenceState;
  /** No sign of life is left: nothing is lost when this is forgotten. */
  isGone(): boolean;
  /** The user says what to show. */
  state(presence: PresenceState): void;
  /** A device syncs. */
  note(deviceId: string, presence: PresenceState): void;
  /** Ends the timers. */
  close(): void;
}

/** What several devices say together: busy before online before unavailable before offline. */
function mostPresent(signs: Iterable<Sign>): PresenceState {
  const all = new Set([...signs].map(({ presence }) => presence));
  if (all.has('org.matrix.msc3026.busy')) return 'org.matrix.msc3026.busy';
  if (all.has('online')) return 'online';
  return all.has('unavailable') ? 'unavailable' : 'offline';
}

/**
 * Somebody of whom nothing is known yet.
 *
 * @param onAbsence called when a device, or a statement, has been without renewal for {@link DEVICE_ABSENT_MS}
 */
export function createUserPresence(clock: Clock, onAbsence: () => void): UserPresence {
  const devices = new Map<string, Sign>();
  let statement: Sign | null = null;
  let stated: PresenceState | null = null;

  const shown = (): PresenceState => {
    if (devices.size === 0) return statement?.presence ?? 'offline';
    return stated === null || stated === 'online' ? mostPresent(devices.values()) : stated;
  };
  const lapse = (forget: () => void): void => {
    forget();
    // Whoever comes back is shown as the devices say.
    if (devices.size === 0 && statement === null) stated = null;
    onAbsence();
  };
  const sign = (presence: PresenceState, forget: () => void, lengthMs: Milliseconds): Sign => ({
    presence,
    timer: clock.after(lengthMs, () => lapse(forget)),
  });
  return {
    shown,
    isGone: () => devices.size === 0 && statement === null,
    state(presence) {
      if (statement !== null) clock.cancel(statement.timer);
      stated = presence;
      statement = sign(presence, () => (statement = null), DEVICE_ABSENT_MS);
    },
    note(deviceId, presence) {
      const before = devices.get(deviceId);
      if (before !== undefined) clock.cancel(before.timer);
      else if (devices.size >= DEVICES_MAX) return;
      const forget = (): void => void devices.delete(deviceId);
      devices.set(deviceId, sign(presence, forget, DEVICE_ABSENT_MS));
    },
    close() {
      if (statement !== null) clock.cancel(statement.timer);
      for (const { timer } of devices.values()) clock.cancel(timer);
    },
  };
}
