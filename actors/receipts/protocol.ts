import type { Refusal } from '../../src/matrix/refusal.ts';
import type { StreamOwnerProtocol } from '../../src/streams/message.ts';
import type { Ask } from '../kit/protocol.ts';
import type { Forgotten } from '../rooms/protocol.ts';

export type ReceiptType = 'm.read' | 'm.read.private';

export type ReceiptsProtocol = StreamOwnerProtocol & {
  /** Stores a user's receipt. The caller has checked membership; one that points backwards changes nothing. */
  'receipts.set-receipt': Ask<
    {
      readonly roomId: string;
      readonly userId: string;
      readonly type: ReceiptType;
      readonly eventId: string;
      /** `main`, a thread's root event, or null for an unthreaded receipt. */
      readonly threadId: string | null;
    },
    { readonly kind: 'stored'; readonly position: number } | Refusal
  >;
  /**
   * Stores a receipt of another server's user. The caller has checked that the user is of the server that says it, and that this server is in
   * the room. The event may be one that is not known yet.
   */
  'receipts.receive-remote': Ask<
    {
      readonly roomId: string;
      readonly userId: string;
      readonly eventId: string;
      readonly threadId: string | null;
      /** When it was sent, milliseconds since the Unix epoch. */
      readonly ts: number;
    },
    { readonly kind: 'stored' } | Refusal
  >;
  /** Deletes some receipts of a room that is deleted: nobody can set any there. Asked again until there are no more. */
  'receipts.forget-room': Ask<{ readonly roomNid: number }, Forgotten | Refusal>;
};
