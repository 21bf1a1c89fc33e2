import { Type } from 'typebox';
import { findDehydratedDevice } from '../../../../db/accounts/dehydrated-reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { readWaitingMessages } from '../../../../db/to-device/reader.ts';
import { type Refusal, refuse } from '../../../matrix/refusal.ts';
import { JsonText } from '../../kit/endpoint.ts';
import { ANY_OBJECT } from '../rooms/room-params.ts';

/** Messages in one answer. */
export const DEHYDRATED_EVENTS_MAX = 100;

/** What waits for a dehydrated device, and where the next page begins when there is one. */
export const EVENTS_REPLY = Type.Object({
  events: Type.Array(ANY_OBJECT),
  next_batch: Type.Optional(Type.String()),
});

/**
 * A page of what waits for a dehydrated device, oldest first. Nothing is deleted: who is interrupted begins anew.
 *
 * @param from a `next_batch`; undefined for the first page
 * @returns refused with M_FORBIDDEN for any other device, M_INVALID_PARAM
 */
export async function readDehydratedEvents(
  db: ReadDb,
  userId: string,
  deviceId: string,
  from: string | undefined,
): Promise<JsonText | Refusal> {
  const device = await findDehydratedDevice(db, userId);
  if (device === undefined) return refuse('M_NOT_FOUND', 'You have no dehydrated device.');
  if (device.deviceId !== deviceId) return refuse('M_FORBIDDEN', 'This is not your dehydrated device.');
  if (from !== undefined && !/^[0-9]{1,15}$/.test(from))
    return refuse('M_INVALID_PARAM', 'from: is no next_batch of this endpoint');
  const after = Number(from ?? 0);
  const found = await readWaitingMessages(
    db,
    { userId, deviceId },
    after,
    Number.MAX_SAFE_INTEGER,
    DEHYDRATED_EVENTS_MAX + 1,
  );
  const page = found.slice(0, DEHYDRATED_EVENTS_MAX);
  const texts = page.map(
    ({ sender, type, content }) =>
      `{"sender":${JSON.stringify(sender)},"type":${JSON.stringify(type)},"content":${content}}`,
  );
  const last = page.at(-1);
  const next = found.length > page.length && last !== undefined ? `,"next_batch":"${last.position}"` : '';
  return new JsonText(`{"events":[${texts.join(',')}]${next}}`);
}
