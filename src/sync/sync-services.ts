import type { ActorRef } from '../../actors/kit/ref.ts';
import type { PresenceProtocol } from '../../actors/presence/protocol.ts';
import type { ToDeviceProtocol } from '../../actors/to-device/protocol.ts';
import type { ReadDb } from '../../db/kit/read-db.ts';
import type { Clock } from '../kit/clock.ts';
import type { Caches } from '../streams/cache.ts';
import type { StreamViews } from '../streams/view.ts';

/** What reading needs: readers, caches and the streams of one thread. */
export interface ReadServices {
  readonly db: ReadDb;
  readonly cached: Caches;
  readonly streams: StreamViews;
  readonly clock: Clock;
}

/** What a sync needs. */
export interface SyncServices extends ReadServices {
  readonly presence: ActorRef<PresenceProtocol>;
  readonly 'to-device': ActorRef<ToDeviceProtocol>;
}

/** The device that syncs. */
export interface SyncCaller {
  readonly userId: string;
  readonly deviceId: string;
}
