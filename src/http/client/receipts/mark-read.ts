import { Type } from 'typebox';
import type { AccountDataProtocol } from '../../../../actors/account-data/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import type { ReceiptsProtocol, ReceiptType } from '../../../../actors/receipts/protocol.ts';
import { findAccountData } from '../../../../db/account-data/reader.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { findEvent, type StoredEvent } from '../../../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { isJsonObject } from '../../../kit/json.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';

const UNSTABLE_ALLOW_BACKWARD = 'com.beeper.allow_backward';

/** What marking something as read needs. */
export interface ReadingServices {
  readonly db: ReadDb;
  readonly receipts: ActorRef<ReceiptsProtocol>;
  readonly 'account-data': ActorRef<AccountDataProtocol>;
  readonly streams: StreamViews;
}

/** Refused with 403 M_FORBIDDEN when the user is not in the room. */
export async function checkIsJoined(
  db: ReadDb,
  userId: string,
  roomId: string,
): Promise<Refusal | undefined> {
  const own = await findLocalMembership(db, userId, roomId);
  return own?.membership === 'join' ? undefined : refuse('M_FORBIDDEN', 'You are not in this room.');
}

/** Sets a receipt and waits until this thread has seen it. Client-Server API v1.19, "Receipts". */
export async function setReceipt(
  services: ReadingServices,
  receipt: {
    readonly roomId: string;
    readonly userId: string;
    readonly type: ReceiptType;
    readonly eventId: string;
    readonly threadId: string | null;
  },
): Promise<Refusal | undefined> {
  const stored = await services.receipts.ask('receipts.set-receipt', receipt);
  if (isRefusal(stored)) return stored;
  await services.streams.reached('receipts', stored.position);
  return undefined;
}

/** A body that may ask to move the marker back. MSC4446. */
export const BACKWARD_FIELDS = {
  allow_backward: Type.Optional(Type.Boolean()),
  [UNSTABLE_ALLOW_BACKWARD]: Type.Optional(Type.Boolean()),
};

/** True when the user wants the marker where it was put, though it was further already. */
export function mayGoBackward(body: {
  readonly allow_backward?: boolean;
  readonly [UNSTABLE_ALLOW_BACKWARD]?: boolean;
}): boolean {
  return (body[UNSTABLE_ALLOW_BACKWARD] ?? body.allow_backward) === true;
}

/** True when the marker stands behind the event in the order of the room already: a client that lags does not move it back. */
async function isRead(db: ReadDb, userId: string, event: StoredEvent): Promise<boolean> {
  const { roomId, depth, streamOrdering } = event;
  const marker = await findAccountData(db, userId, roomId, 'm.fully_read');
  const content: unknown = JSON.parse(marker?.content ?? 'null');
  const markedId = isJsonObject(content) ? content['event_id'] : undefined;
  const marked = typeof markedId === 'string' ? await findEvent(db, markedId) : undefined;
  if (marked?.roomId !== roomId || marked.streamOrdering === null) return false;
  return marked.depth === depth ? marked.streamOrdering >= (streamOrdering ?? 0) : marked.depth > depth;
}

/**
 * Moves the user's marker of what was read whole, which is account data of the room: forward, unless the user wants it moved back.
 * Client-Server API v1.19, "Fully read markers"; MSC4446.
 *
 * @returns refused with 404 M_NOT_FOUND when the event is not one of the room
 */
export async function setFullyRead(
  services: ReadingServices,
  userId: string,
  roomId: string,
  eventId: string,
  allowBackward: boolean,
): Promise<Refusal | undefined> {
  const event = await findEvent(services.db, eventId);
  if (event?.roomId !== roomId || event.streamOrdering === null || event.rejection !== null)
    return refuse('M_NOT_FOUND', 'There is no such event in this room.');
  if (!allowBackward && (await isRead(services.db, userId, event))) return undefined;
  const stored = await services['account-data'].ask('account-data.set-content', {
    userId,
    roomId,
    type: 'm.fully_read',
    content: { event_id: eventId },
  });
  if (isRefusal(stored)) return stored;
  await services.streams.reached('account-data', stored.position);
  return undefined;
}
