import { defineQuery } from '../kit/query.ts';
import type { ReadDb } from '../kit/read-db.ts';

/** A message that waits for a device. */
export interface WaitingMessage {
  readonly position: number;
  readonly sender: string;
  readonly type: string;
  /** JSON text. */
  readonly content: string;
}

export const waitingMessages = defineQuery<
  {
    readonly userId: string;
    readonly deviceId: string;
    readonly from: number;
    readonly to: number;
    readonly limit: number;
  },
  WaitingMessage
>({
  name: 'to-device.read-waiting',
  sql: `
    SELECT stream_id AS position, sender, type, content
      FROM to_device_messages
     WHERE user_id = :userId AND device_id = :deviceId AND stream_id > :from AND stream_id <= :to
     ORDER BY stream_id LIMIT :limit`,
});

/** Messages for a device in (from, to] of the to-device stream, oldest first, at most `limit`. */
export function readWaitingMessages(
  db: ReadDb,
  device: { readonly userId: string; readonly deviceId: string },
  from: number,
  to: number,
  limit: number,
): Promise<WaitingMessage[]> {
  return db.all(waitingMessages, { userId: device.userId, deviceId: device.deviceId, from, to, limit });
}
