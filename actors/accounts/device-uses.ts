import { type DeviceUse, noteUses } from '../../db/accounts/writer.ts';
import { isRefusal } from '../../src/matrix/refusal.ts';
import type { TroupeContext } from '../environment.ts';
import { writeAccounts } from './write.ts';

/** How often the last uses of devices are written, in milliseconds: what a crash may forget. */
export const USES_FLUSH_INTERVAL_MS = 60_000;
/** Devices whose last use waits to be written; more are written at once. */
export const USES_WAITING_MAX = 1_000;

/** The last uses of devices, written once in a while, each device once. */
export interface DeviceUses {
  note(use: Omit<DeviceUse, 'ts'>): void;
  /** Writes what waits. */
  flush(): Promise<void>;
}

/** Begins to collect uses. */
export function createDeviceUses(context: TroupeContext): DeviceUses {
  const { clock, log } = context;
  let waiting = new Map<string, DeviceUse>();
  let isFlushDue = false;

  async function flush(): Promise<void> {
    isFlushDue = false;
    if (waiting.size === 0) return;
    const uses = [...waiting.values()];
    waiting = new Map();
    const written = await writeAccounts(context, noteUses(uses));
    // While storage is full these are the least that is lost.
    if (isRefusal(written)) log.warn('the last uses of devices were not stored', { count: uses.length });
  }

  const flushSoon = (): void => {
    if (context.ended.aborted) return;
    flush().catch((error: unknown) => context.crash(error));
  };

  return {
    note(use) {
      waiting.set(`${use.userId} ${use.deviceId}`, { ...use, ts: clock.now() });
      if (waiting.size >= USES_WAITING_MAX) flushSoon();
      if (isFlushDue || waiting.size === 0) return;
      isFlushDue = true;
      clock.after(USES_FLUSH_INTERVAL_MS, flushSoon);
    },
    flush,
  };
}
