import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';
import type { ClientTransaction, EventProposal, Sent } from '../rooms/protocol.ts';

export type ServerNoticesProtocol = {
  /**
   * Sends an event to the room in which a user of this server finds the server's notices, and makes that room with the first one. The caller has
   * checked that the server has such a user, who may send. Refused with M_UNKNOWN when notices are off, or when their user's name belongs to
   * somebody.
   */
  'server-notices.send': Ask<
    {
      readonly userId: string;
      readonly event: EventProposal;
      /** Of the administrator who asks: the same one again gives the same event. */
      readonly transaction: ClientTransaction | null;
    },
    Sent | Refusal
  >;
};
