import { isJsonObject, type JsonObject } from '../../src/kit/json.ts';
import type { ReadDb } from '../kit/read-db.ts';
import { readEvents } from './event-reader.ts';
import { findReplacedEvent } from './replaced-event-reader.ts';

/** Whether the user of a join was in the room before it: then they may only have another name. */
export async function wasJoinedBefore(db: ReadDb, eventId: string): Promise<boolean> {
  const event = (await readEvents(db, [eventId])).get(eventId);
  const replaced = event && (await findReplacedEvent(db, event));
  const before = replaced === undefined ? undefined : (await readEvents(db, [replaced])).get(replaced);
  const { content } = JSON.parse(before?.pdu ?? '{}') as JsonObject;
  return isJsonObject(content) && content['membership'] === 'join';
}
