import type { JsonObject } from '../../kit/json.ts';
import { getRoomVersion } from '../../matrix/rooms/room-versions.ts';
import type { CheckedEvent, FoundKey } from '../../../actors/server-keys/protocol.ts';
import { checkSignedEvent, keyName, readSignedEvent } from './check-event.ts';

/** Events to check, as data: it may travel to another thread. */
export interface EventCheck {
  readonly roomVersion: string;
  readonly events: readonly JsonObject[];
  /** All keys that could be had. */
  readonly keys: readonly FoundKey[];
  /** Milliseconds since the Unix epoch. */
  readonly nowTs: number;
}

/** Checks format, signatures and hashes: one outcome for each event, in order. Throws for a room version that is not known. */
export function checkEvents({ roomVersion, events, keys, nowTs }: EventCheck): readonly CheckedEvent[] {
  const version = getRoomVersion(roomVersion);
  const byName = new Map(keys.map((key) => [keyName(key), key]));
  return events.map((event) => {
    const read = readSignedEvent(version, event);
    return read.kind === 'invalid' ? read : checkSignedEvent(version, read, byName, nowTs);
  });
}
