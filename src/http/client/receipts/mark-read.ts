import type { AccountDataProtocol } from '../../../../actors/account-data/protocol.ts';
import type { ActorRef } from '../../../../actors/kit/ref.ts';
import type { ReceiptsProtocol, ReceiptType } from '../../../../actors/receipts/protocol.ts';
import type { ReadDb } from '../../../../db/kit/read-db.ts';
import { findEvent } from '../../../../db/rooms/event-reader.ts';
import { findLocalMembership } from '../../../../db/rooms/membership-reader.ts';
import { isRefusal, type Refusal, refuse } from '../../../matrix/refusal.ts';
import type { StreamViews } from '../../../streams/view.ts';

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

/**
 * Moves the user's marker of what was read whole, which is account data of the room. Client-Server API v1.19, "Fully read markers".
 *
 * @returns refused with 404 M_NOT_FOUND when the event is not one of the room
 */
export async function setFullyRead(
  services: ReadingServices,
  userId: string,
  roomId: string,
  eventId: string,
): Promise<Refusal | undefined> {
  const event = await findEvent(services.db, eventId);
  if (event?.roomId !== roomId || event.streamOrdering === null || event.rejection !== null)
    return refuse('M_NOT_FOUND', 'There is no such event in this room.');
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
