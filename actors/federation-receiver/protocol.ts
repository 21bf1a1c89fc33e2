import type { JsonObject } from '../../src/kit/json.ts';
import type { Refusal } from '../../src/matrix/refusal.ts';
import type { Ask } from '../kit/protocol.ts';
import type { Received } from '../rooms/protocol.ts';

/** What other servers send us, and what has to be fetched for it. */
export type FederationReceiverProtocol = {
  /**
   * Takes a transaction of another server, whose signature was checked: once, however often it comes. Answered when each event has its
   * outcome. Refused with M_LIMIT_EXCEEDED while too much of this server is waiting.
   */
  'federation-receiver.receive-transaction': Ask<
    {
      readonly origin: string;
      readonly txnId: string;
      readonly pdus: readonly JsonObject[];
      readonly edus: readonly JsonObject[];
    },
    | {
        readonly kind: 'processed';
        /** By event id; empty for an event that was taken. */
        readonly pdus: Readonly<Record<string, { readonly error?: string }>>;
      }
    | Refusal
  >;
  /**
   * Takes one event that is not part of a transaction (a join, a leave, a knock, an invite that came back), fetching what it needs.
   * `isRelayed`: it came through us, and goes to the other servers of the room. Refused as `rooms.receive-event`, and with M_BAD_JSON or
   * M_FORBIDDEN for what its checks say.
   */
  'federation-receiver.receive-event': Ask<
    {
      readonly origin: string;
      readonly roomId: string;
      readonly pdu: JsonObject;
      readonly isRelayed: boolean;
    },
    Received | Refusal
  >;
  /**
   * Fetches history that this server does not have, from servers in the room, where it has a gap: before the oldest event that it has, or before
   * one of at most `fromDepth`. Answered with how many events came; `isAll`: there is no such gap. One at a time for a room, and not again at
   * once after nobody had any.
   */
  'federation-receiver.backfill': Ask<
    { readonly roomId: string; readonly limit: number; readonly fromDepth?: number },
    { readonly kind: 'filled'; readonly events: number; readonly isAll: boolean } | Refusal
  >;
  /** Fetches one event that this server does not have, with what it needs: into the timeline's past, or as an outlier where the state before it cannot be had. */
  'federation-receiver.fetch-event': Ask<
    { readonly roomId: string; readonly eventId: string; readonly via: readonly string[] },
    { readonly kind: 'fetched' } | Refusal
  >;
};
